"""The plant's nouns that every service shares: standard library only, no behaviour.

Words are those of the glossary in CONTRIBUTING.md; one thing has one word.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

US_PER_S = 1_000_000
"""Microseconds in a second; every stored time is an integer count of them, UTC."""


class Topic(StrEnum):
    """The logs that processes meet on."""

    PLANT = "plant"
    """Everything that changes the monitor's state, one order per partition."""
    EVENTS = "events"
    """What the monitor says."""
    BACKFILL = "backfill"
    """Results of HistoryRead."""
    DEAD_LETTER = "dead-letter"
    """What could not be understood, kept with its reason."""
    CONFIGURATION = "configuration"
    """Every applied plant.yaml in order; one partition, kept for ever."""


class Kind(StrEnum):
    """Header `kind` of a record on `plant` (and `backfill`)."""

    READINGS = "readings"
    CLOCK = "clock"
    LIVENESS = "liveness"
    SUBSCRIPTIONS = "subscriptions"
    GAP = "gap"
    FILLED = "filled"
    """What came of asking a server's history about a gap; see shared.wire_filled."""
    PAST = "past"
    """Readings of a gap from a server's history, once more on `plant`: for the monitor,
    in one order with all else that it knows. They are stored from `backfill`."""
    STORING = "storing"
    """How fast the archiver stores what is filled; see shared.wire_filled."""
    LEDGER = "ledger"
    CONFIGURATION = "configuration"
    DEAD_LETTER = "dead-letter"
    COMMAND = "command"
    """A person's word on an alarm; see shared.events."""


class Origin(StrEnum):
    """How readings came to be delivered."""

    LIVE = "live"
    REPUBLISHED = "republished"
    BACKFILL = "backfill"
    MANUAL = "manual"
    COMPUTED = "computed"

    @property
    def may_repeat(self) -> bool:
        """Whether the archiver must expect readings that it already stored."""
        return self in {Origin.REPUBLISHED, Origin.BACKFILL, Origin.MANUAL}


class GapCause(StrEnum):
    """Why readings of an interval may be missing."""

    SERVER_UNREACHABLE = "server-unreachable"
    """No connection to the OPC UA server."""
    SUBSCRIPTION_LOST = "subscription-lost"
    """The server forgot the session or subscription; its queues are gone."""
    QUEUE_OVERFLOW = "queue-overflow"
    """The server set the overflow bit: its monitored-item queue dropped values."""
    SEQUENCE_MISSING = "sequence-missing"
    """A notification was missed and Republish no longer had it."""
    COLLECTOR_DOWN = "collector-down"
    """fedbatch itself was not running."""
    TAG_REFUSED = "tag-refused"
    """The server does not serve this tag (BadNodeIdUnknown and the like)."""
    SPOOL_FULL = "spool-full"
    """The oldest spooled records were dropped because the disk quota was used up."""
    LOG_DAMAGED = "log-damaged"
    """Records of the log failed their checksum or are missing from the sequence."""


@dataclass(frozen=True, slots=True)
class Gap:
    """An interval in which readings may be missing, declared.

    Identified by (server, cause, start, tags): declaring it again with a later `end`
    extends it.
    """

    server: str
    cause: GapCause
    start: int
    """First instant that may be missing, us UTC."""
    end: int | None
    """First instant known to be complete again, us UTC; None while it lasts."""
    tags: tuple[int, ...] | None = None
    """Scope: None means every tag of the server."""
    count: int | None = None
    """Readings lost; None when unknown."""
    detail: str = ""
    """What was observed, for a person."""


class Desired(StrEnum):
    """What the configuration wants of a tag's monitored item."""

    SUBSCRIBED = "subscribed"
    NONE = "none"


class Actual(StrEnum):
    """What the server granted."""

    PENDING = "pending"
    SUBSCRIBED = "subscribed"
    REFUSED = "refused"
    DISCONNECTED = "disconnected"


@dataclass(frozen=True, slots=True)
class SubscriptionState:
    """One tag's monitored item: wanted, granted, and the last error."""

    tag: int
    desired: Desired
    actual: Actual
    since: int
    """When `actual` last changed, us UTC."""
    error: str = ""
    """The last error with its StatusCode name; empty when there was none."""


class FedbatchError(Exception):
    """Base of the errors that name a situation: what, where, and what was expected."""


class Unavailable(FedbatchError):  # noqa: N818  named by situation, as everywhere here
    """A neighbour cannot be reached now; trying again later may succeed."""
