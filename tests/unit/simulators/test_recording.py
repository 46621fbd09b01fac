"""Reading recorded runs, and the times they are played with."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from simulators.playback.player import source_times, variables
from simulators.playback.recording import Format, Recording, RecordingInvalid, read
from simulators.tags import Kind

SECOND = 1_000_000
NOW = 1_795_000_000 * SECOND
RUN = """time,R1.pH,R1.Phase
2026-01-01T00:00:00Z,7.01,Growth
2026-01-01T00:00:01.5+00:00,,Growth
2026-01-01T01:00:02+01:00,6.99,Feed
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "run.csv"
    path.write_text(text)
    return path


def test_a_wide_file_becomes_columns_with_empty_cells_left_out(tmp_path: Path) -> None:
    run = read(written(tmp_path, RUN), Format())
    first = 1_767_225_600 * SECOND
    assert list(run.times) == [first, first + 1_500_000, first + 2 * SECOND]
    assert run.nodes == ("R1.pH", "R1.Phase")
    assert run.kinds == (Kind.DOUBLE, Kind.STRING)
    assert run.columns == ([7.01, None, 6.99], ["Growth", "Growth", "Feed"])


def test_a_mapping_chooses_and_names_the_columns(tmp_path: Path) -> None:
    text = ",Time (min),pH\n0,0.0,7\n1,30.0,6.5\n"
    layout = Format(time_column="Time (min)", time_unit="min", columns={"pH": "R1.pH"})
    run = read(written(tmp_path, text), layout)
    assert run.nodes == ("R1.pH",)
    assert list(run.times) == [0, 1800 * SECOND]
    assert run.columns == ([7.0, 6.5],)


def test_parquet_is_read_as_well(tmp_path: Path) -> None:
    path = tmp_path / "run.parquet"
    times = pa.array([0, 1_000_000], pa.timestamp("us", "UTC"))
    parquet.write_table(pa.table({"time": times, "A": [1, 2], "B": [True, None]}), path)
    run = read(path, Format())
    assert list(run.times) == [0, SECOND]
    assert run.columns == ([1.0, 2.0], [1.0, None])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,A\n2026-01-01T00:00:00,1\n", r"row 1, column 'time'.*with a zone"),
        ("time,A\nyesterday,1\n", "row 1, column 'time'"),
        ("t,A\n2026-01-01T00:00:00Z,1\n", r"no column 'time'; expected one of"),
        ("time,A\n", "expected at least one row"),
        (
            "time,A\n2026-01-02T00:00:00Z,1\n2026-01-01T00:00:00Z,1\n",
            "row 2.*earlier than the row before",
        ),
        ("time,A\n2026-01-01T00:00:00Z\n", "expected CSV with a header"),
        ("", "expected CSV with a header"),
    ],
)
def test_a_file_that_cannot_be_played_says_where_and_why(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(RecordingInvalid, match=message):
        read(written(tmp_path, text), Format())


def test_a_zone_makes_naive_dates_definite(tmp_path: Path) -> None:
    path = written(tmp_path, "time,A\n2026-07-01 12:00:00,1\n")
    run = read(path, Format(zone="Europe/Berlin"))
    assert run.times[0] == 1_782_900_000 * SECOND


def recording(*times: int, dated: bool = True) -> Recording:
    return Recording(times, dated, ("A",), (Kind.DOUBLE,), ([1.0] * len(times),))


def test_shifted_times_begin_now_and_follow_at_speed() -> None:
    run = recording(10, 10 + 4 * SECOND)
    assert source_times(run, NOW, speed=2.0, shift=True) == [NOW, NOW + 2 * SECOND]


def test_at_full_speed_shifted_times_end_now() -> None:
    run = recording(10, 10 + 4 * SECOND)
    assert source_times(run, NOW, speed=0.0, shift=True) == [NOW - 4 * SECOND, NOW]


def test_kept_times_must_be_dates_of_the_past() -> None:
    assert source_times(recording(5, 9), NOW, speed=1.0, shift=False) == [5, 9]
    for run in (recording(5, NOW + 1), recording(5, dated=False)):
        with pytest.raises(RecordingInvalid, match="shift=false: expected dates"):
            source_times(run, NOW, speed=1.0, shift=False)


def test_columns_stand_below_their_vessel() -> None:
    run = Recording([0], True, ("R1.pH",), (Kind.DOUBLE,), ([7.0],))
    _, tag = variables(run, "site", "area")
    assert tag.path == ("site", "area", "R1", "pH")
