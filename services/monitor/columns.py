"""The tags of one vessel as columns: last value, and how long each has been known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from services.monitor.detectors.seen import Seen
from shared.readings import is_good

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from shared.readings import Block

_SUBCODE_SHIFT = 16
_STILL_MEASURED = (0x4093, 0x4094, 0x4095)
"""Uncertain_SensorNotAccurate, _EngineeringUnitsExceeded, _SubNormal: a value of now.
Every other uncertain status (last usable, substitute, calibration) is an old one."""
_OUT_OF_SERVICE = 0x808D
"""Bad_OutOfService: somebody works on the instrument."""


def may_be_judged(status: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Return where a reading says what the process is doing now."""
    subcode = status >> np.uint32(_SUBCODE_SHIFT)
    return is_good(status) | np.isin(subcode, _STILL_MEASURED)


class TagColumns:
    """One entry per tag, by its number in the vessel. Pure; see `Seen` for columns.

    `lived` grows by the time between readings as long as the earlier one may be judged
    and its subscription was not silent in between.
    """

    def __init__(self, count: int) -> None:
        self.time = np.zeros(count, np.int64)
        self.lived = np.zeros(count, np.int64)
        self.value = np.full(count, np.nan)
        self.holds = np.zeros(count, np.bool_)
        """Whether the last reading may be judged and its source was not silent."""

    def take(self, layer: Layer, lost: NDArray[np.int64] | None = None) -> Seen:
        """Take one reading of each of some tags and return what is seen then.

        Args:
            layer: the readings.
            lost: per reading, how much of the time since the last is in a gap, us.
        """
        at = layer.tag
        step = np.maximum(layer.time - self.time[at], 0)
        if lost is not None:
            step -= lost
        self.lived[at] += np.where(self.holds[at], step, 0)
        self.time[at] = np.maximum(layer.time, self.time[at])
        self.holds[at] = layer.judged
        judged = at[layer.judged]
        self.value[judged] = layer.value[layer.judged]
        fresh = np.zeros(len(self.time), np.bool_)
        fresh[judged] = True
        return Seen(fresh, self.time, self.value, self.lived)

    def held(self) -> Seen:
        """Return what is known now as if it were seen anew."""
        fresh = self.holds & ~np.isnan(self.value)
        return Seen(fresh, self.time, self.value, self.lived)

    def hold(
        self,
        until: int,
        alive: NDArray[np.bool_],
        lost: NDArray[np.int64] | None = None,
    ) -> None:
        """Let values hold until a time, us UTC, where their source is alive.

        Args:
            until: the time.
            alive: per tag.
            lost: per tag, how much of the time since the last is in a gap, us.
        """
        step = np.where(self.holds & alive, np.maximum(until - self.time, 0), 0)
        self.lived += step if lost is None else np.maximum(step - lost, 0)
        self.time += step

    def silence(self, dead: NDArray[np.bool_]) -> None:
        """Stop the time of tags whose source is not alive until their next reading."""
        self.holds &= ~dead

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, JSON."""
        return {
            "time": self.time.tolist(),
            "lived": self.lived.tolist(),
            "value": [None if np.isnan(v) else v for v in self.value.tolist()],
            "holds": self.holds.tolist(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        value = [np.nan if v is None else v for v in state["value"]]
        self.time = np.array(state["time"], np.int64)
        self.lived = np.array(state["lived"], np.int64)
        self.value = np.array(value, float)
        self.holds = np.array(state["holds"], np.bool_)


class Layer:
    """Readings of different tags: at most one of each."""

    __slots__ = ("good", "judged", "serviced", "tag", "time", "value")

    def __init__(self, rows: Rows, at: NDArray[np.intp] | slice) -> None:
        self.tag = rows.tag[at]
        self.time = rows.time[at]
        self.value = rows.value[at]
        self.judged = rows.judged[at]
        self.good = rows.good[at]
        self.serviced = None if rows.serviced is None else rows.serviced[at]


class Rows:
    """A block's rows of tags that are watched, by their numbers in the vessel."""

    __slots__ = ("good", "judged", "serviced", "tag", "time", "value")

    def __init__(self, block: Block, ids: NDArray[np.int32]) -> None:
        """Keep the rows whose tag is in `ids`, which ascend; errors: none."""
        place = np.searchsorted(ids, block.tag)
        place = np.minimum(place, len(ids) - 1)
        known = ids[place] == block.tag
        self.tag = place[known]
        self.time = block.time[known]
        self.value = block.value[known]
        status = block.status[known]
        there = ~np.isnan(self.value)
        self.good = is_good(status) & there
        self.judged = self.good if self.good.all() else may_be_judged(status) & there
        serviced = status >> np.uint32(_SUBCODE_SHIFT) == _OUT_OF_SERVICE
        self.serviced = serviced if serviced.any() else None

    def __len__(self) -> int:
        return len(self.tag)

    def layers(self, start: int, end: int) -> Iterator[Layer]:
        """Yield rows `start` to `end` in layers of at most one reading of each tag."""
        tag = self.tag[start:end]
        order = np.argsort(tag, kind="stable")
        ordered = tag[order]
        first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        if len(first) == len(ordered):
            yield Layer(self, slice(start, end))
            return
        lengths = np.diff(np.r_[first, len(ordered)])
        rank = np.arange(len(ordered)) - np.repeat(first, lengths)
        rows = order + start
        for level in range(int(lengths.max())):
            yield Layer(self, rows[rank == level])


def ids_of(tags: Sequence[int]) -> NDArray[np.int32]:
    """Return tag ids in ascending order: their places are the tags' numbers."""
    return np.array(sorted(tags), np.int32)
