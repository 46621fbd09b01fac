"""What plant.yaml asks about tags of a vessel that belong together. Pure: settings."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from shared.checks import WEEK_S, Mode, Seconds, _Check

ROWS = (500, 2_000)
"""Rows that a vector check may learn from: fewer say too little, more are not kept."""
ROW_RATES = (1e-4, 1e-2)
"""False alarms a row that can be promised."""
ADVISORY = 3
"""Highest priority of what a model that still learns decides."""


class VectorCheck(_Check):
    """Tags of a vessel that belong together: how they move with each other, learned.

    For example a controller's value, its output and the flows it drives. The alarm
    names the tags that gave most to it.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\- ]{0,63}$")]
    tags: Annotated[tuple[str, ...], Field(min_length=2, max_length=64)]
    """The one it is named by first."""
    mode: Mode = Mode.LEARNING
    snapshot: str | None = None
    """SHA-256 of the approved snapshot; needed when frozen."""
    every_s: Annotated[float, Field(ge=30)] = 300.0
    """Tags are averaged over this long: a row."""
    learn_s: Annotated[float, Field(gt=0)] = 172_800.0
    """So much of its phases is learned from before it judges: 500 to 2 000 rows."""
    false_alarms_per_week: Annotated[float, Field(gt=0)] = 1.0
    """Of normal operation as it was learned; decides the limit."""
    on_delay_s: Seconds = 0.0

    @model_validator(mode="after")
    def _frozen_names_a_snapshot(self) -> VectorCheck:
        if (self.mode is Mode.FROZEN) != (self.snapshot is not None):
            raise ValueError("frozen needs a snapshot, and learning has none")
        if self.mode is Mode.LEARNING and self.priority < ADVISORY:
            raise ValueError(
                f"vector {self.name!r}: expected priority {ADVISORY} or {ADVISORY + 1} "
                "while it learns; a frozen one may have any"
            )
        return self

    @model_validator(mode="after")
    def _rows_are_enough(self) -> VectorCheck:
        what = f"vector {self.name!r}"
        if not ROWS[0] <= self.rows <= ROWS[1]:
            raise ValueError(
                f"{what}: expected learn_s of {ROWS[0]} to {ROWS[1]} rows of every_s, "
                f"found {self.rows}"
            )
        if not ROW_RATES[0] <= self.per_row <= ROW_RATES[1]:
            raise ValueError(
                f"{what} false_alarms_per_week: expected {ROW_RATES[0]:g} to "
                f"{ROW_RATES[1]:g} a row of every_s, found {self.per_row:.3g}"
            )
        if len(set(self.tags)) != len(self.tags):
            raise ValueError(f"{what} tags: expected each once")
        return self

    @property
    def rows(self) -> int:
        """Rows that are learned from before it judges."""
        return round(self.learn_s / self.every_s)

    @property
    def per_row(self) -> float:
        """False alarms a row that are allowed."""
        return self.false_alarms_per_week * self.every_s / WEEK_S
