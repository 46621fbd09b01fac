"""Batches, their phases and states from what a vessel's string tags said. Pure.

A batch runs from the reading that names it until a reading that names another one or
none (empty text). Bad and Uncertain readings say nothing and change nothing. A batch
that is named again later is a second entry with the same name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True, slots=True)
class Said:
    """One Good reading of a string tag."""

    time: int
    """us UTC."""
    text: str
    """Empty where the tag says that there is none."""


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of a batch, or one state of its procedure."""

    name: str
    start: int
    end: int | None
    """us UTC; None while it lasts."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch in one vessel."""

    vessel: str
    batch: str
    product: str | None
    client: str | None
    start: int
    end: int | None
    """us UTC; None while it runs."""
    phases: tuple[Phase, ...]
    states: tuple[Phase, ...] = ()
    """Of its procedure (ISA-88), such as Running and Held, one after the other."""

    @property
    def state(self) -> str | None:
        """Return the state it is in, or was in when it ended; None: nobody says."""
        return self.states[-1].name if self.states else None


@dataclass(frozen=True, slots=True)
class Context:
    """What a vessel's tags said, each in time order."""

    batch: Sequence[Said]
    phase: Sequence[Said] = ()
    product: Sequence[Said] = ()
    client: Sequence[Said] = ()
    state: Sequence[Said] = ()


def batches(vessel: str, context: Context) -> list[Batch]:
    """Return the vessel's batches, oldest first."""
    return [
        Batch(
            vessel=vessel,
            batch=name,
            product=_named(context.product, start, end),
            client=_named(context.client, start, end),
            start=start,
            end=end,
            phases=tuple(_phases(context.phase, start, end)),
            states=tuple(_phases(context.state, start, end)),
        )
        for name, start, end in _runs(context.batch)
    ]


def _runs(said: Sequence[Said]) -> Iterator[tuple[str, int, int | None]]:
    """Yield (text, start, end) of each run of one text that is not empty."""
    name, start = "", 0
    for reading in said:
        text = reading.text.strip()
        if text == name:
            continue
        if name:
            yield name, start, reading.time
        name, start = text, reading.time
    if name:
        yield name, start, None


def _phases(said: Sequence[Said], start: int, end: int | None) -> Iterator[Phase]:
    """Yield the parts of the runs that lie in [start, end)."""
    for name, since, until in _runs(said):
        low = max(since, start)
        ends = [t for t in (until, end) if t is not None]
        high = min(ends) if ends else None
        if high is None or low < high:
            yield Phase(name, low, high)


def _named(said: Sequence[Said], start: int, end: int | None) -> str | None:
    """Return the last name said during [start, end), else the one said before."""
    name = None
    for reading in said:
        if end is not None and reading.time >= end:
            break
        if reading.time <= start or reading.text.strip():
            name = reading.text.strip() or None
    return name
