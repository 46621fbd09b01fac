"""What a load server is asked to send, and what it says that it has sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.benchmarks.load.notifications import Layout

MOST_ITEMS = 5_000
"""Items in one notification."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one server sends."""

    port: int
    items: int
    """Sampling begins when the client monitors so many."""
    first: int = 0
    """Index of the first of them."""
    layout: Layout = Layout.UNIFORM
    period_us: int = 1_000_000
    """Between two samples of an item; 0: saturating."""
    per_message: int = MOST_ITEMS

    @classmethod
    def of(cls, said: dict[str, Any]) -> Load:
        """Return the load that a command line says."""
        layout = Layout(said.get("layout", Layout.UNIFORM))
        return cls(**{**said, "layout": layout})


@dataclass(slots=True)
class Sent:
    """What a server has sent since it started."""

    first: int = 0
    """First tick; a tick is a period since 1970."""
    last: int = 0
    """Last tick, sent in whole."""
    readings: int = 0
    notifications: int = 0
    acknowledged: int = 0
    waiting: int = 0
    """Most notifications that ever waited for a PublishRequest."""
    late_ms: float = 0.0
    """Most that the server itself was behind its own clock."""
    republished: int = 0
    begun: int = 0
    """How often sampling began: more than once after a new subscription."""
    stopped: bool = False
