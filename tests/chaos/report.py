"""What the faults of a run did: how far it is, and a table at the end. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.schedule import Fault

S = 1_000_000


@dataclass(frozen=True, slots=True)
class Struck:
    """One fault that is over."""

    variant: str
    fault: Fault
    outage_us: int
    flows_us: int
    """From the healing until readings of every tag flowed again."""


@dataclass(frozen=True, slots=True)
class Round:
    """One plant's faults, held against the equation of loss."""

    variant: str
    seed: int
    faults: int
    sums: str
    gaps: int
    held: bool
    failed: str = ""
    """Why it broke off, or what did not hold."""


@dataclass(slots=True)
class Report:
    """All faults of a run."""

    wanted: int
    struck: list[Struck] = field(default_factory=list)
    rounds: list[Round] = field(default_factory=list)

    @property
    def held(self) -> bool:
        """Whether every round held."""
        return all(each.held for each in self.rounds)

    def progress(self, passed_s: float) -> str:
        """Return how far the run is.

        >>> Report(200).progress(30.0)
        '[0/200, 0.5 min]'
        """
        done = len(self.struck)
        left = f", {passed_s / done * (self.wanted - done) / 60:.0f} left" * (done > 4)
        return f"[{done}/{self.wanted}, {passed_s / 60:.1f} min{left}]"

    def table(self) -> str:
        """Return a line per kind of fault and variant, and one per round."""
        head = (
            f"{'fault':<44} {'variant':<9} {'times':>5} {'longest outage':>15}"
            f" {'slowest recovery':>17}"
        )
        rounds = f"{'round':<26} {'held':<5} {'gaps':>5}  readings"
        return "\n".join(["", head, *self._kinds(), "", rounds, *self._rounds()])

    def _kinds(self) -> Iterator[str]:
        groups: dict[tuple[str, str], list[Struck]] = {}
        for each in self.struck:
            name = f"{each.fault.kind} of {each.fault.target}"
            groups.setdefault((name, each.variant), []).append(each)
        for (name, variant), those in sorted(groups.items()):
            longest = max(each.outage_us for each in those) / S
            slowest = max(each.flows_us for each in those) / S
            yield (
                f"{name:<44} {variant:<9} {len(those):>5} {longest:>13.1f} s"
                f" {slowest:>15.1f} s"
            )

    def _rounds(self) -> Iterator[str]:
        for each in self.rounds:
            last = each.seed + each.faults - 1
            name = f"{each.variant} {each.seed} to {last}"
            held = "yes" if each.held else "NO"
            yield f"{name:<26} {held:<5} {each.gaps:>5}  {each.sums}"
            if each.failed:
                yield f"    {each.failed}"
