"""Figures of a comparison: rounds of all contenders in turn, ratios paired by round."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OURS = "fedbatch"


@dataclass(frozen=True, slots=True)
class Goal:
    """What a ratio should be."""

    ratio: float
    at_most: bool = False
    """The ratio is our cost over theirs, else our speed over theirs."""

    def said(self) -> str:
        """Return it as people read it.

        >>> Goal(1.6, at_most=True).said()
        '<= 1.6x the cost'
        """
        return f"<= {self.ratio:g}x the cost" if self.at_most else f">= {self.ratio:g}x"

    def met(self, ratio: float) -> bool:
        """Whether a ratio is good enough."""
        return ratio <= self.ratio if self.at_most else ratio >= self.ratio


@dataclass(frozen=True, slots=True)
class Ratio:
    """Ours against one peer over all rounds."""

    median: float
    least: float
    most: float

    def said(self) -> str:
        """Return it with its range.

        >>> Ratio(41.2, 38.04, 45.0).said()
        '41.2x (38.0 to 45.0)'
        """
        return f"{self.median:.3g}x ({self.least:.1f} to {self.most:.1f})"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One stage with one kind of load; speeds in readings per CPU second."""

    stage: str
    case: str
    goals: Mapping[str, Goal]
    """By peer."""
    rounds: Sequence[Mapping[str, float]] = field(default_factory=list)
    """Speed by contender, one mapping for each round."""
    notes: Sequence[str] = ()

    def speed(self, name: str) -> float:
        """Return the median speed of a contender."""
        return statistics.median(each[name] for each in self.rounds)

    def ratio(self, peer: str) -> Ratio:
        """Return how we stand against a peer, paired by round."""
        cost = self.goals[peer].at_most
        ratios = [
            each[peer] / each[OURS] if cost else each[OURS] / each[peer]
            for each in self.rounds
        ]
        return Ratio(statistics.median(ratios), min(ratios), max(ratios))

    def rows(self) -> list[tuple[str, ...]]:
        """Return a table row for ours and for each peer."""
        speed = shown(self.speed(OURS))
        found: list[tuple[str, ...]] = [
            (self.stage, self.case, OURS, speed, "", "", "")
        ]
        for peer, goal in self.goals.items():
            ratio = self.ratio(peer)
            met = "met" if goal.met(ratio.median) else "missed"
            speed = shown(self.speed(peer))
            found.append(("", "", peer, speed, ratio.said(), goal.said(), met))
        return found


HEAD = ("stage", "load", "contender", "readings/CPU-s", "fedbatch to it", "goal", "")


def shown(speed: float) -> str:
    """Return a speed in thousands or millions.

    >>> shown(3_781_000), shown(49_200)
    ('3.78 M', '49.2 k')
    """
    million = speed >= 1e6
    return f"{speed / 1e6:.3g} M" if million else f"{speed / 1e3:.3g} k"


def table(comparisons: Sequence[Comparison]) -> str:
    """Return all comparisons as one Markdown table."""
    rows = [HEAD, *(row for each in comparisons for row in each.rows())]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    rule = "|" + "|".join("-" * (w + 2) for w in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])
