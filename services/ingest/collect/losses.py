"""The gaps of one server: opened when a loss is noticed, closed by what comes after.

One gap of the whole server is open at a time: a second loss before the first readings
after it belongs to the first. Single tags that the server refuses have their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from services.ingest.collect.gaps import Closing, Front
from services.ingest.collect.recovery import reached
from shared.domain import Gap, GapCause

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from services.ingest.collect.memory import ServerMemory
    from services.ingest.collect.plan import Layout
    from shared.readings import Block


_NOBODY: NDArray[np.intp] = np.empty(0, np.intp)
_NO_TIMES: NDArray[np.int64] = np.empty(0, np.int64)


@dataclass(slots=True)
class _Jumped:
    """First readings after a loss, at times of a clock that was set meanwhile.

    Nobody knows when it was set. By the new clock readings may be missing for as long
    before these as the server was not heard, by the old one for as long after the last.
    """

    first: int
    last: int
    """Source times, us UTC."""
    span: int
    """How long the server was not heard, us."""
    until: int
    """When later readings no longer count as first ones, us UTC."""

    def gap(self, server: str, cause: GapCause) -> Gap:
        """Return what may be missing by the new clock."""
        detail = "the server's clock was set while it was not heard"
        return Gap(server, cause, self.first - self.span, self.last, detail=detail)


class Losses:
    """Declares what may be missing of one server's readings.

    Invariant: `memory` says which gaps are open, so that a crash can close them.
    """

    def __init__(
        self,
        server: str,
        layout: Layout,
        memory: ServerMemory,
        declare: Callable[[Gap], None],
    ) -> None:
        self._server = server
        self._layout = layout
        self._memory = memory
        self._declare = declare
        self.seen = Front()
        """What has arrived, whether durable yet or not."""
        self._closing: Closing | None = None
        self._heard = 0
        """When the last notification came, us UTC of the collector."""
        self._window = 0
        self._silent_since = 0
        """The same of the last one before the open gap."""
        self._jumped: _Jumped | None = None
        """Whether the server's clock was set while the gap was open."""
        self._late: tuple[Closing, GapCause] | None = None
        """The last gap, while some tags were not heard since it ended."""

    def after_start(
        self, partitions: Sequence[Sequence[Block]], interval_us: int
    ) -> None:
        """Declare the time in which no collector ran, or go on with an open gap.

        Args:
            partitions: the readings at the end of the log (see collect.recovery).
            interval_us: publishing interval.
        """
        for blocks in partitions:
            for block in blocks:
                known = block.take(np.isin(block.tag, self._layout.tags))
                self.seen.recall(self._layout.handles(known.tag), known.time)
                if len(known):
                    self._heard = max(self._heard, int(known.received.max()))
        end = reached(partitions, self._layout)
        if end is not None and (self._memory.reached or 0) < end:
            self._memory.reached = end
        if self._memory.cause is not None:
            self._watch(self._memory.start, interval_us)
        elif self._memory.reached is not None:
            self._open(GapCause.COLLECTOR_DOWN, self._memory.reached, interval_us, "")

    def grow(self, handles: int) -> None:
        """Make place for more handles."""
        self.seen.grow(handles)
        for closing in (self._closing, self._late and self._late[0]):
            if closing is not None:
                closing.grow(handles)

    def lost(
        self, cause: GapCause, interval_us: int, detail: str, *, anew: bool = False
    ) -> None:
        """Declare that from now on readings may be missing.

        Args:
            cause: of the gap, unless one is open.
            interval_us: publishing interval.
            detail: what was observed.
            anew: a new subscription is made; `made` must be called once it is whole.
        """
        until = self.seen.reached()
        if self._memory.cause is None and until is not None:
            self._open(cause, self._before_late(until), interval_us, detail)
        if self._closing is not None:
            self._closing.expect(self._layout.each, anew=anew)

    def _before_late(self, until: int) -> int:
        """Return the start, if need be of the gap that late tags may still miss."""
        if self._late is None or not self._late[0].waits_for(self.seen.known):
            return until
        return min(until, self._late[0].start - 1)

    def made(self, now: int) -> None:
        """Know that every item of a new subscription was asked for, us UTC."""
        if self._closing is not None:
            self._closing.made(now)

    def _open(self, cause: GapCause, until: int, interval_us: int, detail: str) -> None:
        self._memory.cause, self._memory.start = cause, until + 1
        self._silent_since, self._jumped = self._heard, None
        self._watch(until + 1, interval_us)
        self._declare(Gap(self._server, cause, until + 1, None, detail=detail))

    def _watch(self, start: int, interval_us: int) -> None:
        self._window = 2 * interval_us
        self._closing = Closing(start, self._layout.each, interval_us)

    def observe(
        self,
        handle: NDArray[np.intp],
        time: NDArray[np.int64],
        *,
        more: bool,
        received: int | None,
        valueless: NDArray[np.intp] = _NOBODY,
        ahead: NDArray[np.int64] = _NO_TIMES,
    ) -> None:
        """Take the readings of one notification, in order of arrival.

        Args:
            handle: of each reading.
            time: source time of each, us UTC.
            more: whether the round of publishing goes on.
            received: us UTC; None for a notification fetched again: it ends no gap,
                as not every server says that its queues overflowed after it.
            valueless: tags that answered without a time to believe.
            ahead: source times that are not believed as they lie in the future.
        """
        refused = frozenset(self._memory.refused)
        self._close_refused(handle, time)
        each = self._layout.each[handle]
        handle, time = handle[each], time[each]
        known, before = self.seen.known, self.seen.newest_of(handle)
        known[np.isin(self._layout.tags, np.array([*refused], np.int32))] = False
        self.seen.observe(handle, time, more=more)
        if received is None:
            return
        self._heard = received
        self._declare_late(handle, time, known, valueless)
        if self._closing is None or self._memory.cause is None:
            return
        self._note_jump(np.append(ahead, time[time < before]), received)
        self._closing.forget(valueless)
        end = self._closing.observe(handle, time, received)
        if end is not None:
            cause, start = self._memory.cause, self._memory.start
            self._late = (self._closing, cause) if self._closing.greeted else None
            self._closing = self._memory.cause = None
            if self._jumped is not None:
                end = max(end, start + self._jumped.span)
                self._declare(self._jumped.gap(self._server, cause))
            self._declare(Gap(self._server, cause, start, max(start, end)))

    def _note_jump(self, time: NDArray[np.int64], received: int) -> None:
        """Take source times that lie before what was sent already, or in the future."""
        if not len(time):
            return
        first, last = int(time.min()), int(time.max())
        if self._jumped is None:
            span = max(0, received - self._silent_since)
            self._jumped = _Jumped(first, last, span, received + self._window)
        elif received <= self._jumped.until:
            self._jumped.last = max(self._jumped.last, last)

    def _declare_late(
        self,
        handle: NDArray[np.intp],
        time: NDArray[np.int64],
        known: NDArray[np.bool_],
        valueless: NDArray[np.intp],
    ) -> None:
        """Declare for tags heard long after a gap that it lasted longer for them."""
        if self._late is None:
            return
        closed, cause = self._late
        closed.forget(valueless)
        until: dict[int, list[int]] = {}
        for late, first in closed.late(handle, time).items():
            tag = int(self._layout.tags[late])
            if known[late]:
                until.setdefault(first, []).append(tag)
        for first, tags in until.items():
            self._declare(Gap(self._server, cause, closed.start, first, tuple(tags)))
        if not closed.waits_for(self.seen.known):
            self._late = None

    def overflowed(
        self,
        tags: NDArray[np.int32],
        before: NDArray[np.int64],
        until: NDArray[np.int64],
    ) -> None:
        """Declare that the server's queues dropped values between two readings.

        Args:
            tags: each once.
            before: time of each tag's reading before, us; NEVER-like when unknown.
            until: time of its first reading after, us.
        """
        for tag, start, end in zip(
            tags.tolist(), before.tolist(), until.tolist(), strict=True
        ):
            if start < end:
                detail = "the server's queue for this tag overflowed"
                cause = GapCause.QUEUE_OVERFLOW
                self._declare(
                    Gap(self._server, cause, start + 1, end, (tag,), None, detail)
                )

    def refused(self, tag: int, handle: int, detail: str) -> None:
        """Declare that a tag that was heard before is no longer served."""
        if tag in self._memory.refused:
            return
        newest = self.seen.newest(handle)
        if newest is None:
            return
        self._memory.refused[tag] = newest + 1
        cause = GapCause.TAG_REFUSED
        self._declare(Gap(self._server, cause, newest + 1, None, (tag,), detail=detail))

    def _close_refused(self, handle: NDArray[np.intp], time: NDArray[np.int64]) -> None:
        if not self._memory.refused:
            return
        heard = self._layout.tags[handle]
        for tag in [*self._memory.refused]:
            places = np.flatnonzero(heard == tag)
            if len(places):
                start = self._memory.refused.pop(tag)
                end = max(start, int(time[places[0]]))
                cause = GapCause.TAG_REFUSED
                self._declare(Gap(self._server, cause, start, end, (tag,)))
