"""The range of a question: two times, or a batch by its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Query

from services.api.moments import moment_us, now_us
from services.api.problems import Problem, hint, nearest
from shared.batches import Batch, Context, batches
from shared.store import queries_readings

if TYPE_CHECKING:
    from services.api.directory import Names
    from shared.store.queries import Connection, StoredVessel


@dataclass(frozen=True, slots=True)
class Range:
    """[start, end] in us UTC, and the wall clock it was resolved at."""

    start: int
    end: int
    now: int


@dataclass(frozen=True, slots=True)
class AskedRange:
    """A range as it was asked for."""

    start: str | None
    end: str | None
    batch: str | None

    async def resolve(
        self, connection: Connection, names: Names, vessel: str | None
    ) -> Range:
        """Return the range in us UTC.

        Args:
            connection: of a `Database.read` block.
            names: what is known by name.
            vessel: whose batches `batch` names; None where there is none.

        Raises:
            Problem: a time is wrong, the range reversed, or the batch unknown.
        """
        now = now_us()
        if self.batch is not None:
            if self.start is not None or self.end is not None:
                said = "batch and start or end: expected either the batch or the times"
                raise Problem(400, "range", "Two ranges", said)
            return await self._batch(connection, names, vessel, now)
        if self.start is None:
            said = "start is missing: expected start (and end), or batch"
            raise Problem(400, "range", "No range", said)
        start = moment_us(self.start, "start", now)
        end = moment_us("*" if self.end is None else self.end, "end", now)
        if end <= start:
            said = (
                f"start {self.start}, end {self.end or '*'}: expected start before end"
            )
            raise Problem(400, "reversed-range", "The range is reversed or empty", said)
        return Range(start, end, now)

    async def _batch(
        self, connection: Connection, names: Names, vessel: str | None, now: int
    ) -> Range:
        if vessel is None:
            said = f"batch {self.batch!r}: expected a vessel, or a tag of a vessel"
            raise Problem(400, "range", "A batch of no vessel", said)
        found = await batches_of(connection, names.vessel(vessel))
        runs = [batch for batch in found if batch.batch == self.batch]
        if not runs:
            known = hint(nearest(self.batch or "", {batch.batch for batch in found}))
            said = f"batch {self.batch!r} is not known in vessel {vessel}{known}"
            raise Problem(404, "unknown-batch", "No such batch", said)
        end = runs[-1].end
        return Range(runs[0].start, now if end is None else end, now)


def asked_range(
    start: Annotated[
        str | None,
        Query(
            description="First instant: ISO 8601 with an offset, `*` (now) or `*-1d`.",
            examples=["*-1h", "2026-11-23T10:00:00Z"],
        ),
    ] = None,
    end: Annotated[
        str | None, Query(description="Last instant, as `start`; default `*`.")
    ] = None,
    batch: Annotated[
        str | None, Query(description="A batch's name, instead of start and end.")
    ] = None,
) -> AskedRange:
    """Return the range as asked."""
    return AskedRange(start, end, batch)


Asked = Annotated[AskedRange, Depends(asked_range)]


async def batches_of(connection: Connection, vessel: StoredVessel) -> list[Batch]:
    """Return the vessel's batches from what its context tags said, oldest first."""
    said = {
        role: await queries_readings.said(connection, tag)
        for role, tag in queries_readings.context_tags(vessel).items()
    }
    return batches(vessel.name, Context(**{"batch": (), **said}))
