"""The check tables of the simulated processes, reproduced: the error of each entry.

    python -m tests.evaluation.check_tables

Integrates each process as its table says and prints every entry beside what came out.
Ends with 1 when an entry is off by more than its table's tolerance.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.bioprocess import capsids, ecoli, penicillin
from tests.unit.bioprocess import (
    cho_reference,
    ecoli_reference,
    hek_reference,
    penicillin_reference,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = "process           at quantity               table      found     error"


@dataclass(frozen=True, slots=True)
class Entry:
    """One number of a check table."""

    process: str
    at: str
    quantity: str
    table: str
    """As it is printed there: its digits say how exact it is."""
    found: float
    tolerance: float
    """Relative."""

    @property
    def error(self) -> float:
        """Return the relative error."""
        return self.found / float(self.table) - 1.0

    @property
    def within(self) -> bool:
        """Whether it is right within the tolerance, or within half a printed digit."""
        digits = self.table.partition("e")[0].partition(".")[2]
        exponent = int(self.table.partition("e")[2] or 0)
        half = 0.5 * 10.0 ** (exponent - len(digits))
        allowed = max(self.tolerance * float(self.table), half) * (1 + 1e-9)
        return abs(self.found - float(self.table)) <= allowed

    @property
    def row(self) -> str:
        """Return it as a line of the table."""
        error = f"{100.0 * self.error:+.2f} %" if float(self.table) else "-"
        mark = "" if self.within else "  off"
        return (
            f"{self.process:<11} {self.at:>8} {self.quantity:<18} {self.table:>9} "
            f"{self.found:>10.4g} {error:>9}{mark}"
        )


def entries() -> Iterator[Entry]:
    """Yield the entries of all tables; some seconds of CPU."""
    yield from _cho()
    yield from _hek()
    yield from _ecoli()
    yield from _penicillin()


def _cho() -> Iterator[Entry]:
    batch = cho_reference.reference_batch()
    for day, row in cho_reference.TABLE.items():
        columns = zip(cho_reference.COLUMNS, row, batch[day], strict=True)
        for quantity, text, found in columns:
            yield Entry("CHO-REF", f"day {day}", quantity, text, found, 0.01)


def _hek() -> Iterator[Entry]:
    cells = hek_reference.transfected_cells()
    for hour, row in hek_reference.TABLE.items():
        cell, per_ml = cells[hour], hek_reference.cells_per_ml(hour)
        full, every = float(capsids.full(cell)[0]), float(capsids.capsids(cell)[0])
        dna = float(capsids.vector_dna(cell)[0])
        found = (full * per_ml, every * per_ml, dna * per_ml, 100.0 * full / every)
        for quantity, text, value in zip(
            hek_reference.COLUMNS, row, found, strict=True
        ):
            yield Entry("HEK293", f"{hour} h", quantity, text, value, 1.5e-3)


def _ecoli() -> Iterator[Entry]:
    batch, state = ecoli_reference.run(9.5), ecoli.State
    for hour, (amounts, oxygen) in ecoli_reference.TABLE.items():
        found, dissolved = batch.rows[hour]
        rows = (state.BIOMASS, state.SUGAR, state.ACETATE)
        for row, text in zip(rows, amounts, strict=True):
            value = float(found[row])
            yield Entry(
                "E. coli", f"{hour} h", f"{row.name.lower()}, g/L", text, value, 5e-3
            )
        yield Entry("E. coli", f"{hour} h", "oxygen, %", oxygen, dissolved, 5e-3)
    yield Entry("E. coli", "", "sugar used up, h", "9.139", batch.used_up, 3e-3)


def _penicillin() -> Iterator[Entry]:
    batch, units = penicillin_reference.run(), {penicillin.State.VOLUME: "L"}
    for hour, row in penicillin_reference.TABLE.items():
        for state, text in row.items():
            quantity = f"{state.name.lower()}, {units.get(state, 'g/L')}"
            value = float(batch.states[hour][state])
            yield Entry("PenSim", f"{hour} h", quantity, text, value, 2e-3)
    yield Entry("PenSim", "", "feed begins, h", "43.98", batch.fed_from, 2e-3)


def main() -> int:
    """Print every entry; return 1 when one is off."""
    found = list(entries())
    print(_HEAD, *(one.row for one in found), sep="\n")
    off = [one for one in found if not one.within]
    print(f"{len(found)} entries, {len(found) - len(off)} within their tolerance")
    return 1 if off else 0


if __name__ == "__main__":
    sys.exit(main())
