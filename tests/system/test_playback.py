"""(d): a recorded run that is played over OPC UA comes back as recorded, cell by cell.

The run has the shape of a real fed-batch: a wide CSV with a row every five minutes, 44
columns of numbers, and cells that are missing. Where the folder of evaluation data is
there (FEDBATCH_TEST_DATA), a real run is played in its place.
"""

from __future__ import annotations

import csv
import math
import os
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from tests.system.balance import Balance, Row, balance, row
from tests.system.site import ROOT, Site, status_of, until

if TYPE_CHECKING:
    from tests.system.site import Variant

FOLDER = Path(os.environ.get("FEDBATCH_TEST_DATA") or ROOT.parent / "shared" / "data")
REAL = FOLDER / "real_runs" / "yeast_fedbatch" / "online" / "online_1.CSV"
ZONE = ZoneInfo("Europe/Berlin")
START = datetime(2020, 11, 2, 10, 10, 30, tzinfo=ZONE)
STEP = timedelta(minutes=5)
ROWS = 313
COLUMNS = 44
VESSEL = "R1"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
US = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Run:
    """A recorded run: rows in ascending time, the cells as written in the file."""

    names: list[str]
    times: list[datetime]
    cells: list[list[str]]
    """Per row, one per name; empty where the run has none."""

    def write(self, path: Path) -> None:
        """Write a CSV that simulators.playback reads; dates name no zone."""
        with path.open("w", newline="") as file:
            writer = csv.writer(file, delimiter=";")
            writer.writerow(["PDatTime", *self.names])
            for time, cells in zip(self.times, self.cells, strict=True):
                writer.writerow([time.replace(tzinfo=None).isoformat(), *cells])

    def expected(self) -> dict[str, list[Row]]:
        """Return the readings that must be stored, by full tag name."""
        moments = [(time - EPOCH) // US for time in self.times]
        return {
            f"{VESSEL}/{name}.PV": [
                row(moment, float(cells[column]), 0)
                for moment, cells in zip(moments, self.cells, strict=True)
                if cells[column]
            ]
            for column, name in enumerate(self.names)
        }


def generated() -> Run:
    """Return a made-up run: set points, smooth curves, noise, counters, holes."""
    random.seed(20)
    names = ["Age", *(f"T{column:02d}" for column in range(1, COLUMNS))]
    cells = [
        [repr(index / 12), *(made(column, index) for column in range(1, COLUMNS))]
        for index in range(ROWS)
    ]
    cells[-1][1:] = [""] * (COLUMNS - 1)  # a run may end in the middle of a row
    return Run(names, [START + index * STEP for index in range(ROWS)], cells)


def made(column: int, index: int) -> str:
    """Return one cell."""
    if random.random() < 0.02:
        return ""
    kinds = (
        lambda: str(30 + column),
        lambda: repr(37 + math.sin(index / 9 + column) / 3),
        lambda: repr(random.gauss(0, 1e-9)),
        lambda: str(index // 25 * 800),
        lambda: f"{-2.00000000000422e-04 * column:.14E}",
        lambda: "0" if index % 50 else "-0.0",
    )
    return kinds[column % len(kinds)]()


def real() -> Run:
    """Return the real run: German dates, decimal commas, two rows below the header."""
    with REAL.open(encoding="latin-1", newline="") as file:
        names, _, _, *lines = csv.reader(file, delimiter=";")
    return Run(
        names[1:],
        [
            datetime.strptime(line[0], "%d.%m.%Y %H:%M:%S").replace(tzinfo=ZONE)
            for line in lines
        ],
        [[cell.replace(",", ".") for cell in line[1:]] for line in lines],
    )


def played(run: Run, folder: Path, variant: Variant) -> Balance:
    """Play the run, and return what the HTTP API answers against the file."""
    folder.mkdir()
    run.write(folder / "run.csv")
    settings = {
        "FILE": str(folder / "run.csv"),
        "TIME_COLUMN": "PDatTime",
        "ZONE": ZONE.key,
        "DELIMITER": ";",
        "COLUMNS": ";".join(f"{name}={VESSEL}.{name}.PV" for name in run.names),
        "SPEED": "0",
        "SHIFT": "false",
    }
    due = run.expected()
    start, end = ((moment - EPOCH) // US for moment in (run.times[0], run.times[-1]))
    with Site(folder, variant, simulator=settings, source="playback") as site:
        site.begin()
        until(
            "the run was played",
            lambda: status_of(folder / "simulator").get("state") == "done",
        )
        assert set(site.tags()) == set(due)
        until("the archiver has met the tags", lambda: set(due) <= known(site))
        found: list[Balance] = []

        def stored() -> bool:
            found.append(balance(due, site.stored(start, end), site.gaps(start, end)))
            return found[-1].stored >= found[-1].generated

        until("every cell is stored", stored, every_s=1)
    print(found[-1])
    return found[-1]


def known(site: Site) -> set[str]:
    """Return the tags that the API knows by name."""
    answer = site.get("/tags")
    return (
        {tag["name"] for tag in answer.json()["tags"]} if answer.is_success else set()
    )


def holds(found: Balance, run: Run) -> None:
    """Hold: all cells, none twice, none invented, none excused by a gap."""
    cells = sum(1 for line in run.cells for cell in line if cell)
    assert found.balanced, found
    assert found.generated == found.stored == cells
    assert found.declared == 0


@pytest.mark.timeout(120)
def test_a_played_run_comes_back_cell_by_cell(tmp_path: Path, variant: Variant) -> None:
    run = real() if REAL.exists() else generated()
    holds(played(run, tmp_path / "site", variant), run)
