"""Which values of the plant leave at an instant, and with which status. Pure.

All vessels are looked at together, as arrays: nothing is done per value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulators.instants import Instant
from simulators.tags import ASSAY, ASSAYS, COLUMN, CONTEXT, TAGS, Tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from simulators.faults.effects import Effects
    from simulators.laboratory import Result

    Mask = NDArray[np.bool_]

BAD_NO_COMMUNICATION = 0x80310000
BAD_OUT_OF_SERVICE = 0x808D0000
BAD_WAITING_FOR_INITIAL_DATA = 0x80320000


class Publication:
    """Knows what was published last of each vessel's variables.

    A vessel's variables are its tags, then its context, then its assays.
    """

    def __init__(
        self,
        vessels: int,
        first: int,
        tags: Sequence[Tag] = TAGS,
        assays: Sequence[Tag] = ASSAYS,
    ) -> None:
        """Begin anew.

        Args:
            vessels: of the plant.
            first: place of the first vessel's first variable in the server's list.
            tags: those the server has, in its order.
            assays: alike.
        """
        self._count = vessels
        self._columns = np.array([COLUMN[tag.name] for tag in tags])
        self._periods = np.array([round(tag.period_s * 1e6) for tag in tags])
        self.width = len(tags) + len(CONTEXT) + len(assays)
        """Variables of a vessel."""
        self._tags = len(tags)
        self._assays = len(tags) + len(CONTEXT)
        self._found = np.array([ASSAY[tag.name] for tag in assays])
        places = np.arange(self._assays, dtype=np.int32)
        self._begins = first + self.width * np.arange(vessels, dtype=np.int32)
        self._nodes = self._begins[:, None] + places
        """Node of each tag, then of each word, by vessel."""
        self._each = np.array([tag.each for tag in tags])
        self._told = np.zeros(vessels, bool)
        """Whether a silent vessel's clients were told."""
        self._numbers = np.full((vessels, len(tags)), np.nan)
        """Sent last; NaN: nothing, or it is to be sent again."""
        self._words: list[Sequence[str] | None] = [None] * vessels
        self._last: int | None = None

    def assays_unknown(self, time: int) -> Instant:
        """Return that the laboratory has said nothing yet."""
        places = np.arange(self._assays, self.width, dtype=np.int32)
        nodes = (self._begins[:, None] + places).ravel()
        waiting = np.full(len(nodes), BAD_WAITING_FOR_INITIAL_DATA, np.uint32)
        return Instant(time, nodes, np.full(len(nodes), np.nan), waiting)

    def assays(self, result: Result) -> Instant:
        """Return what the laboratory says of one sample, at the time it was drawn."""
        values = np.array(result.values)[self._found]
        begin = int(self._begins[result.vessel]) + self._assays
        found = np.flatnonzero(~np.isnan(values))
        return Instant(result.drawn, (begin + found).astype(np.int32), values[found])

    def instants(
        self,
        time: int,
        values: ArrayLike,
        context: Sequence[Sequence[str]],
        effects: Effects | None,
    ) -> list[Instant]:
        """Return what is worth publishing at `time`.

        Vessels whose clock is wrong come apart, with their own source time.

        Args:
            time: source time, us UTC.
            values: per vessel, of all tags of simulators.tags.
            context: per vessel, its words of context.
            effects: of the faults at work; None: there are none.
        """
        shown = np.asarray(values, float)[:, self._columns]
        due = np.broadcast_to(self._due(time), shown.shape)
        statuses = np.zeros(self._nodes.shape, np.uint32)
        sent = np.zeros(self._nodes.shape, bool)
        silent = self._silence(effects, statuses, sent)
        if effects is not None:
            status = effects.status[:, self._columns].astype(np.uint32)
            statuses[:, : self._tags] |= np.where(silent[:, None], 0, status)
        sent[:, : self._tags] |= self._worth(shown, due, statuses, silent)
        texts = self._changed_words(context, silent)
        for vessel, place in texts:
            sent[vessel, self._tags + place] = True
        skews = np.zeros(self._count, np.int64)
        if effects is not None:
            skews = effects.skew_us
        return [
            self._instant(time + skew, shown, statuses, sent & of[:, None], texts)
            for skew, of in _clocks(skews)
        ]

    def _due(self, time: int) -> Mask:
        """Return which tags' instruments have a new value."""
        last, self._last = self._last, time
        if last is None:
            return np.ones(self._tags, bool)
        often = np.maximum(self._periods, 1)
        due: Mask = (self._periods == 0) | (time // often != last // often)
        return due

    def _silence(
        self, effects: Effects | None, statuses: NDArray[np.uint32], sent: Mask
    ) -> Mask:
        """Return which vessels are silent; tell it once of those that announce it."""
        if effects is None:
            self._told[:] = False
            return np.zeros(self._count, bool)
        silent: Mask = np.asarray(effects.silent, bool)
        last_word = silent & effects.announced & ~self._told
        if last_word.any():
            statuses[last_word] = BAD_NO_COMMUNICATION
            sent[last_word] = True
            self._numbers[last_word] = np.nan
            for vessel in np.flatnonzero(last_word).tolist():
                self._words[vessel] = None
        self._told = silent.copy()
        return silent

    def _worth(
        self,
        shown: NDArray[np.float64],
        due: Mask,
        statuses: NDArray[np.uint32],
        silent: Mask,
    ) -> Mask:
        """Return which numbers are to be sent; they then count as sent."""
        wrong = statuses[:, : self._tags] != 0
        changed = shown != self._numbers
        worth: Mask = due & ~silent[:, None] & (self._each | changed | wrong)
        self._numbers[worth] = shown[worth]
        self._numbers[worth & wrong] = np.nan
        return worth

    def _changed_words(
        self, context: Sequence[Sequence[str]], silent: Mask
    ) -> dict[tuple[int, int], str]:
        """Return words by vessel and place that differ from those sent last."""
        changed: dict[tuple[int, int], str] = {}
        for vessel, words in enumerate(context):
            known = self._words[vessel]
            if words is known or words == known or silent[vessel]:
                continue
            for place, word in enumerate(words):
                if known is None or known[place] != word:
                    changed[vessel, place] = word
            self._words[vessel] = words
        return changed

    def _instant(
        self,
        time: int,
        shown: NDArray[np.float64],
        statuses: NDArray[np.uint32],
        sent: Mask,
        texts: dict[tuple[int, int], str],
    ) -> Instant:
        numbers = np.full(sent.shape, np.nan)
        numbers[:, : self._tags] = shown
        told = statuses[sent]
        rows = np.cumsum(sent).reshape(sent.shape) - 1 if texts else sent
        words = {
            int(rows[vessel, self._tags + place]): word
            for (vessel, place), word in texts.items()
            if sent[vessel, self._tags + place]
        }
        some = told if told.any() else None
        return Instant(time, self._nodes[sent], numbers[sent], some, words)


def _clocks(skews: NDArray[np.int64]) -> list[tuple[int, Mask]]:
    """Return each clock's skew, us, and its vessels; the right clock first."""
    right = skews == 0
    wrong = [
        (int(skews[vessel]), np.arange(len(skews)) == vessel)
        for vessel in np.flatnonzero(~right).tolist()
    ]
    return [(0, right), *wrong]
