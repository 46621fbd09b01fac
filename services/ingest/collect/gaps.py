"""Where a gap starts and ends, in source time. Pure: no clock, no I/O.

A simulated plant that catches up is days behind the clock, so the bounds of a gap are
times of readings, never of the collector.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.domain import US_PER_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEVER = np.int64(-(2**63))
_FUTURE_US = 5 * US_PER_S
"""A source time further ahead of the collector's clock marks nothing (DESIGN, Time)."""
_WAITING_FOR_INITIAL_DATA = np.uint32(0x80320000)


def marking(
    time: NDArray[np.int64],
    status: NDArray[np.uint32],
    received: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Return where a reading's source time can be believed as a mark."""
    believed: NDArray[np.bool_] = ~ahead_of(time, received) & (
        status != _WAITING_FOR_INITIAL_DATA
    )
    return believed


def ahead_of(time: NDArray[np.int64], received: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return where a source time lies in the future of the collector's clock."""
    ahead: NDArray[np.bool_] = time > received + _FUTURE_US
    return ahead


class Front:
    """How far the data of one server reach, for every tag that reports each sample.

    A server may publish in the middle of writing one scan, so a tag may lag by one
    publish behind the others. The front is therefore the oldest newest reading among
    the tags that were heard in the last two rounds of publishing, but never before the
    newest of all at the end of the round before the last: by then everything up to
    there had been published.
    """

    def __init__(self) -> None:
        self._newest: NDArray[np.int64] = np.empty(0, np.int64)
        self._round_of: NDArray[np.int64] = np.empty(0, np.int64)
        self._round = 0
        self._so_far = NEVER
        self._marks: tuple[np.int64, np.int64] = (NEVER, NEVER)

    def grow(self, handles: int) -> None:
        """Make place for more handles."""
        more = handles - len(self._newest)
        if more > 0:
            self._newest = np.append(self._newest, np.full(more, NEVER))
            self._round_of = np.append(self._round_of, np.full(more, -9, np.int64))

    def observe(
        self, handle: NDArray[np.intp], time: NDArray[np.int64], *, more: bool
    ) -> None:
        """Take the readings of one notification; `more` says the round goes on."""
        if len(handle):
            self._newest[handle] = time
            self._round_of[handle] = self._round
            self._so_far = np.int64(max(self._so_far, time.max()))
        if not more and self._so_far != NEVER:
            self._marks = (self._marks[1], self._so_far)
            self._so_far = NEVER
            self._round += 1

    def recall(self, handle: NDArray[np.intp], time: NDArray[np.int64]) -> None:
        """Know readings of an earlier run as the tags' newest, and nothing else."""
        self._newest[handle] = time

    def knows(self, handle: int) -> bool:
        """Whether the tag was ever heard."""
        return bool(self._newest[handle] != NEVER)

    def newest_of(self, handle: NDArray[np.intp]) -> NDArray[np.int64]:
        """Return the last source time of each; NEVER when it was not heard."""
        newest: NDArray[np.int64] = self._newest[handle]
        return newest

    @property
    def known(self) -> NDArray[np.bool_]:
        """Return by handle whether the tag was ever heard."""
        known: NDArray[np.bool_] = self._newest != NEVER
        return known

    def newest(self, handle: int) -> int | None:
        """Return the tag's last source time, us UTC."""
        return int(self._newest[handle]) if self.knows(handle) else None

    def reached(self) -> int | None:
        """Return the time up to which nothing is missing, us UTC; None before data."""
        heard = self._newest[self._round_of >= self._round - 2]
        heard = heard[heard != NEVER]
        if not len(heard):
            known = max(*self._marks, self._so_far)
            return None if known == NEVER else int(known)
        return int(max(heard.min(), self._marks[0]))


class Closing:
    """Finds the end of a gap in the first readings after it.

    Each tag is complete again from its first reading on; a tag whose first reading is
    not newer than the start missed nothing. The end is the latest of these first
    readings, over the tags heard within two publishing intervals of the first one, so
    that a silent instrument does not hold a gap open. A new subscription greets with
    every tag's present value: there the two intervals begin when the last item is made,
    and a tag that comes even later than that is `late`.
    """

    def __init__(self, start: int, each: NDArray[np.bool_], interval_us: int) -> None:
        self.start = start
        self.greeted = False
        """Whether every tag will send its present value."""
        self._making = False
        self._waiting = each.copy()
        self._window = 2 * interval_us
        self._until: int | None = None
        self._end = start

    def expect(self, each: NDArray[np.bool_], *, anew: bool = False) -> None:
        """Start over with the tags of a new connection, or of a new subscription."""
        self._waiting = each.copy()
        self._until = None
        self._end = self.start
        self.greeted = self._making = anew

    def grow(self, handles: int) -> None:
        """Make place for more handles, which missed nothing."""
        more = handles - len(self._waiting)
        self._waiting = np.append(self._waiting, np.zeros(max(0, more), np.bool_))

    def made(self, now: int) -> None:
        """Know that every item of the new subscription was asked for, us UTC."""
        self._making = False
        if self._until is not None:
            self._until = max(self._until, now + self._window)

    def observe(
        self, handle: NDArray[np.intp], time: NDArray[np.int64], received: int
    ) -> int | None:
        """Take readings in order of arrival; return the end once it is known."""
        if not self._making and self._until is not None and received > self._until:
            return self._end
        first_handles, places = np.unique(handle, return_index=True)
        fresh = self._waiting[first_handles]
        if fresh.any():
            self._end = max(self._end, int(time[places[fresh]].max()))
            self._waiting[first_handles] = False
            if self._until is None:
                self._until = received + self._window
        if self._until is not None and not self._waiting.any():
            return self._end
        return None

    def late(self, handle: NDArray[np.intp], time: NDArray[np.int64]) -> dict[int, int]:
        """Take readings of after the end; return when first heard, by late handle.

        Only tags whose first reading is newer than the end: between start and there
        they may have missed something.
        """
        first_handles, places = np.unique(handle, return_index=True)
        fresh = self._waiting[first_handles]
        self._waiting[first_handles] = False
        first = time[places[fresh]]
        newer = first > self._end
        heard, when = first_handles[fresh][newer].tolist(), first[newer].tolist()
        return dict(zip(heard, when, strict=True))

    def forget(self, handle: NDArray[np.intp]) -> None:
        """Wait no longer for these tags: they said that they have no value yet."""
        self._waiting[handle] = False

    def waits_for(self, known: NDArray[np.bool_]) -> bool:
        """Whether a tag of `known` was not heard yet."""
        return bool((self._waiting & known).any())
