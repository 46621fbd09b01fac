"""Reading recorded runs, and the times they are played with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from simulators.faults.located import FileInvalid
from simulators.playback.mapping import Long, Mapping, Place, Time, read_mapping
from simulators.playback.player import published, source_times, variables
from simulators.playback.recording import Recording, RecordingInvalid, read
from simulators.tags import Kind

SECOND = 1_000_000
NOW = 1_795_000_000 * SECOND
FIRST = 1_767_225_600 * SECOND
BAD_SENSOR = 0x808C0000
RUN = """time,R1.pH,R1.Phase
2026-01-01T00:00:00Z,7.01,Growth
2026-01-01T00:00:01.5+00:00,,Growth
2026-01-01T01:00:02+01:00,6.99,Feed
"""


def written(folder: Path, text: str, name: str = "run.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_wide_file_becomes_columns_with_empty_cells_left_out(tmp_path: Path) -> None:
    run = read(written(tmp_path, RUN), Mapping())
    assert list(run.times) == [FIRST, FIRST + 1_500_000, FIRST + 2 * SECOND]
    assert run.nodes == ("R1.pH", "R1.Phase")
    assert run.kinds == (Kind.DOUBLE, Kind.STRING)
    assert run.columns == ([7.01, None, 6.99], ["Growth", "Growth", "Feed"])


def test_a_mapping_chooses_and_names_the_columns(tmp_path: Path) -> None:
    text = ",Time (min),pH\n0,0.0,7\n1,30.0,6.5\n"
    layout = Mapping(time=Time(column="Time (min)", unit="min"), tags={"R1.pH": "pH"})
    run = read(written(tmp_path, text), layout)
    assert run.nodes == ("R1.pH",)
    assert list(run.times) == [0, 1800 * SECOND]
    assert run.columns == ([7.0, 6.5],)


GERMAN = """exported by hand
When;TEMP;Q
;Value;
;(°C);
02.11.2020 10:10:30;32,5;ok
02.11.2020 10:15:30;;failed
02.11.2020 10:20:30;33;192
"""
MAPPING = """
time: {column: When, pattern: "%d.%m.%Y %H:%M:%S", zone: Europe/Berlin}
delimiter: ";"
decimal: ","
encoding: latin-1
skip_above_header: 1
skip_below_header: 2
tags:
  R1.TIC-101.PV: {column: TEMP, status: Q, unit: Cel, low: 0, high: 60}
statuses: {ok: Good, failed: BadSensorFailure, "192": 0}
"""


def test_a_foreign_export_is_read_by_its_mapping_with_qualities(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    path.write_bytes(GERMAN.encode("latin-1"))
    run = read(path, read_mapping(written(tmp_path, MAPPING, "map.yaml")))
    assert run.times[1] - run.times[0] == 300 * SECOND
    assert run.columns == ([32.5, None, 33.0],)
    assert run.statuses == ([0, BAD_SENSOR, 0],)
    shown = [published(run, row) for row in range(3)]
    assert shown == [
        ([0], [32.5], [0]),
        ([0], [None], [BAD_SENSOR]),
        ([0], [33.0], [0]),
    ]
    _, tag = variables(run, "site", "area")
    assert tag.range == (0.0, 60.0)
    assert tag.unit is not None
    assert tag.unit.code == "CEL"


LONG = """time,name,value,quality
2026-01-01T00:00:00Z,pH,7.0,Good
2026-01-01T00:00:10Z,pH,7.1,Good
2026-01-01T00:00:10Z,pH,7.2,Uncertain
2026-01-01T00:00:00Z,DO,40,
2026-01-01T00:00:10Z,DO,41,Good
2026-01-01T00:00:05Z,other,1,Good
"""
AS_LONG = Mapping(
    long=Long(tag="name", value="value", status="quality"),
    tags={"R1.pH": "pH", "R1.DO": Place(column="DO", unit="%")},
)


def rows_of(run: Recording) -> list[tuple[int, Any]]:
    return [
        ((time - FIRST) // SECOND, published(run, row))
        for row, time in enumerate(run.times)
    ]


def test_a_long_file_is_ordered_by_time_and_loses_no_value(tmp_path: Path) -> None:
    run = read(written(tmp_path, LONG), AS_LONG)
    assert rows_of(run) == [
        (0, ([0, 1], [7.0, 40.0], [0, 0])),
        (5, ([], [], [])),
        (10, ([0, 1], [7.1, 41.0], [0, 0])),
        (10, ([0], [7.2], [0x40000000])),
    ]


def test_parquet_is_read_as_well_wide_and_long(tmp_path: Path) -> None:
    path = tmp_path / "run.parquet"
    times = pa.array([0, 1_000_000], pa.timestamp("us", "UTC"))
    parquet.write_table(pa.table({"time": times, "A": [1, 2], "B": [True, None]}), path)
    run = read(path, Mapping())
    assert list(run.times) == [0, SECOND]
    assert run.columns == ([1.0, 2.0], [1.0, None])
    table = {"time": times, "t": ["A", "B"], "v": [1.5, 2.5], "q": [0, BAD_SENSOR]}
    parquet.write_table(pa.table(table), path)
    run = read(path, Mapping(long=Long(tag="t", value="v", status="q")))
    assert run.columns == ([1.5, None], [None, 2.5])
    assert published(run, 1) == ([1], [None], [BAD_SENSOR])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,A\n2026-01-01T00:00:00,1\n", r"run.csv:2: column 'time'.*with a zone"),
        ("time,A\nyesterday,1\n", "run.csv:2: column 'time'"),
        ("t,A\n2026-01-01T00:00:00Z,1\n", r"no column 'time'; expected one of"),
        ("time,A\n", "expected at least one row"),
        (
            "time,A\n2026-01-02T00:00:00Z,1\n2026-01-01T00:00:00Z,1\n",
            "run.csv:3.*earlier than the row before",
        ),
        ("time,A\n2026-01-01T00:00:00Z\n", "expected CSV with a header"),
        ("", "expected CSV with a header"),
    ],
)
def test_a_file_that_cannot_be_played_says_where_and_why(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(RecordingInvalid, match=message):
        read(written(tmp_path, text), Mapping())


def test_an_unknown_quality_or_series_is_named_with_its_line(tmp_path: Path) -> None:
    wrong = LONG.replace("41,Good", "41,fine")
    with pytest.raises(RecordingInvalid, match=r"run.csv:6: column 'quality': fine"):
        read(written(tmp_path, wrong), AS_LONG)
    nobody = AS_LONG.model_copy(update={"tags": {"R1.X": "X"}})
    with pytest.raises(RecordingInvalid, match="no series 'X'; expected one of DO"):
        read(written(tmp_path, LONG), nobody)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time: {column: t, unit: days}\n", r"map.yaml:1: time.unit"),
        ("tags:\n  A: {column: a, low: 2, high: 1}\n", r"map.yaml:2: .*below high"),
        ("statuses:\n  ok: Goood\n", r"map.yaml:2: .*Goood: expected a number or"),
        ("delimeter: ';'\n", "map.yaml:1: delimeter"),
        (
            "long: {tag: t, value: v}\ntags:\n  A: {column: a, status: q}\n",
            "map.yaml:3: .*expected long.status",
        ),
    ],
)
def test_what_is_wrong_with_a_mapping_has_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(FileInvalid, match=message):
        read_mapping(written(tmp_path, text, "map.yaml"))
    with pytest.raises(FileInvalid, match="no such file"):
        read_mapping(tmp_path / "nobody.yaml")


def test_a_zone_makes_naive_dates_definite(tmp_path: Path) -> None:
    path = written(tmp_path, "time,A\n2026-07-01 12:00:00,1\n")
    run = read(path, Mapping(time=Time(zone="Europe/Berlin")))
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
