"""Which faults befall a plant, drawn from a seed. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What is done to a part of the plant."""

    KILL = "kill -9"
    FREEZE = "SIGSTOP"
    CUT = "connections reset and refused"
    BLACK_HOLE = "bytes lost, connections open"
    RESTART = "stopped and started"
    CLOCK = "clock set on and back"
    FULL = "disk or quota used up"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, and how long it lasts."""

    number: int
    seed: int
    """Draws this fault alone: `make chaos ARGS="--seed SEED --faults 1"` repeats it."""
    kind: Kind
    target: str
    seconds: float
    jump_s: int = 0
    """How far a clock is set on (or, negative, back) while the fault lasts."""

    def __str__(self) -> str:
        jump = f" by {self.jump_s} s" if self.jump_s else ""
        return f"{self.kind}{jump} of {self.target} for {self.seconds:.1f} s"


_PROCESSES = ("collector", "archiver", "simulator", "api")
_EVERYWHERE = (
    *((Kind.KILL, name) for name in _PROCESSES),
    *((Kind.FREEZE, name) for name in ("collector", "archiver", "simulator", "load")),
    *((kind, "opcua") for kind in (Kind.CUT, Kind.BLACK_HOLE)),
    *((kind, "load") for kind in (Kind.CUT, Kind.BLACK_HOLE)),
    *((kind, "database") for kind in (Kind.CUT, Kind.KILL, Kind.RESTART)),
    *((Kind.CLOCK, name) for name in ("simulator", "collector")),
)
CHOICES = {
    "embedded": (*_EVERYWHERE, (Kind.FULL, "log")),
    "plant": (
        *_EVERYWHERE,
        (Kind.KILL, "broker"),
        (Kind.RESTART, "broker"),
        (Kind.FULL, "spool"),
    ),
}
"""What may be hurt, by variant."""

SHORTEST_S, LONGEST_S = 0.3, 4.0
FULL_S = 12.0
"""A quota takes this long to be used up at 3 000 readings/s."""
LONG_S = 300.0
"""Of the one long black hole of a whole run."""
_JUMPS_S = (-30, -7, -3, 3, 4, 20)


def draw(seed: int, number: int, variant: str) -> Fault:
    """Return the fault that a seed means for a variant."""
    dice = random.Random(f"{seed} {variant}")
    kind, target = dice.choice(CHOICES[variant])
    seconds = dice.uniform(SHORTEST_S, LONGEST_S)
    if (kind, target) == (Kind.FULL, "spool"):
        seconds += FULL_S
    jump = dice.choice(_JUMPS_S) if kind is Kind.CLOCK else 0
    return Fault(number, seed, kind, target, seconds, jump)


def long_black_hole(seed: int) -> Fault:
    """Return the fault that outlives every time-out, sessions of servers included."""
    return Fault(0, seed, Kind.BLACK_HOLE, "opcua", LONG_S)


def faults(seed: int, count: int, variant: str) -> list[Fault]:
    """Return `count` faults of a variant, from consecutive seeds.

    >>> [fault.seed for fault in faults(7, 3, "plant")]
    [7, 8, 9]
    """
    return [draw(seed + number, number, variant) for number in range(count)]
