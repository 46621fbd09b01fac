"""One group of short batches, simulated and written; then read as a user would."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simulators.campaign import mix
from simulators.campaign.plan import Campaign
from simulators.campaign.produce import FolderInUse, PlotsUnavailable, produce
from simulators.faults import catalogue
from simulators.organisms import organism
from simulators.recipes import Recipe
from simulators.tags import TAGS
from simulators.units import Unit

SHORT = Recipe(
    prepare_h=4.0,
    feed_from_h=8.0,
    shift_from_h=14.0,
    production_from_h=16.0,
    harvest_from_h=26.0,
    harvest_h=2.0,
    clean_h=2.0,
)
ROWS = 33 * 12 - 1


def campaign(batches: int = 10) -> Campaign:
    return Campaign(
        batches=batches,
        seed=3,
        mix=mix.load("default", catalogue.load()),
        faults="default",
        step=300_000_000,
        shortened=SHORT,
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("campaign") / "data"
    told: list[float] = []
    produce(campaign(), folder, processes=1, plots=False, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    return folder


def manifest(data: Path) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((data / "campaign.json").read_text())
    return body


def faults(data: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line) for line in (data / "faults.jsonl").read_text().splitlines()
    ]


def readings(data: Path, batch: str) -> pa.Table:
    return pq.read_table(data / "readings" / f"{batch}.parquet")


def test_every_batch_has_all_its_files(data: Path) -> None:
    batches = [one["batch"] for one in manifest(data)["batches"]]
    assert batches == [f"CHO-2026-{n:04d}" for n in range(1, 11)]
    for kind, suffix in (
        ("readings", "parquet"), ("statuses", "parquet"), ("truth", "parquet"),
        ("records", "json"),
    ):  # fmt: skip
        names = sorted(path.name for path in (data / kind).iterdir())
        assert names == [f"{batch}.{suffix}" for batch in batches]


def test_readings_are_rows_of_all_tags_at_the_step(data: Path) -> None:
    table = readings(data, "CHO-2026-0001")
    assert table.column_names == ["time", "Phase", *(tag.name for tag in TAGS)]
    assert table.num_rows == ROWS
    times = table["time"].cast(pa.int64()).to_numpy()
    assert set(np.diff(times)) == {300_000_000}
    assert table["Phase"].to_pylist()[0] == "Prepare"
    assert table["Phase"].to_pylist()[-1] == "Harvest"


def test_each_vessel_begins_at_its_own_time(data: Path) -> None:
    starts = [one["start"] for one in manifest(data)["batches"]]
    assert len(set(starts)) == 10
    assert starts[0] == "2026-01-05T06:00:00Z"


def test_every_fault_is_on_record_with_the_times_of_its_batch(data: Path) -> None:
    by_name = {one["batch"]: one for one in manifest(data)["batches"]}
    rows = faults(data)
    assert sorted(row["id"] for row in rows) == sorted(
        fault for one in by_name.values() for fault in one["faults"]
    )
    assert len(rows) >= 4
    for row in rows:
        batch = by_name[row["batch"]]
        onset = datetime.fromisoformat(row["onset"])
        assert datetime.fromisoformat(batch["inoculated"]) < onset
        assert onset < datetime.fromisoformat(batch["end"])
        seen = row["first_detectable_us"]
        assert seen is None or row["onset_us"] <= seen <= row["end_us"] + 60_000_000


def test_what_is_not_good_is_null_and_has_its_status(tmp_path: Path) -> None:
    silence = mix.load("none", catalogue.load()).model_copy(
        update={"share": 1.0, "kinds": ("C01", "H02")}
    )
    produce(
        Campaign(
            batches=2,
            seed=4,
            mix=silence,
            faults="mine",
            step=60_000_000,
            shortened=SHORT,
        ),
        tmp_path,
        processes=1,
        plots=False,
        progress=lambda _: None,
    )
    for fault in faults(tmp_path):
        table = readings(tmp_path, fault["batch"])
        statuses = pq.read_table(tmp_path / "statuses" / f"{fault['batch']}.parquet")
        times = table["time"].cast(pa.int64()).to_numpy()
        during = (times >= fault["onset_us"]) & (times < fault["end_us"])
        shown = table["AIC-101.PV"].to_numpy()
        assert np.array_equal(np.isnan(shown), during)
        expected = "AIC-101.PV" if fault["fault"] == "H02" else None
        for tag in statuses["tag"].to_pylist():
            assert expected in {None, tag}


def test_assays_are_late_and_belong_to_their_batches(data: Path) -> None:
    table = pq.read_table(data / "assays.parquet").to_pylist()
    assert len(table) == 10 * 2 * len(manifest(data)["assays"])
    for row in table:
        late = row["available_at"] - row["time"]
        assert timedelta(minutes=30) <= late <= timedelta(hours=4)
        assert row["sample"].startswith(row["batch"])


def test_the_record_tells_phases_and_interventions_in_order(data: Path) -> None:
    body = json.loads((data / "records" / "CHO-2026-0001.json").read_text())
    operations = body["procedure"]["operations"]
    names = [one["operation"] for one in operations]
    assert names[-1] == "Harvest"
    phases = [phase for one in operations for phase in one["phases"]]
    for before, after in itertools.pairwise(phases):
        assert before["end"] == after["start"]
    assert phases[-1]["end"] == body["end"]
    times = [event["time"] for event in body["events"]]
    assert times == sorted(times)
    kinds = {event["kind"] for event in body["events"]}
    assert {"Phase", "Setpoint", "Sample"} <= kinds
    assert body["simulated"] is True


def test_the_truth_lies_behind_the_readings(data: Path) -> None:
    truth = pq.read_table(data / "truth" / "CHO-2026-0002.parquet")
    shown = readings(data, "CHO-2026-0002")
    assert truth["time"].equals(shown["time"])
    warm = truth["temperature"].to_numpy()[100:350]
    assert np.abs(warm - shown["TIC-101.PV"].to_numpy()[100:350]).max() < 0.5
    units = {one["name"]: one["unit"] for one in manifest(data)["truth"]}
    assert units["glucose"] == "mmol/L"


def test_tags_in_the_table_of_contents_have_units(data: Path) -> None:
    tags = {one["name"]: one for one in manifest(data)["tags"]}
    unit = next(tag.unit for tag in TAGS if tag.name == "TIC-101.PV")
    assert isinstance(unit, Unit)
    assert tags["TIC-101.PV"]["unit"] == unit.ucum


@pytest.mark.parametrize(
    ("process", "tested", "absent"),
    [
        ("ecoli", "acetate", "FIC-113.PV"),
        ("penicillin", "dry_mass", "FIC-123.PV"),
        ("hek293", "full_capsids", None),
    ],
)
def test_every_process_has_its_own_tags_assays_and_truth(
    tmp_path: Path, process: str, tested: str, absent: str | None
) -> None:
    short = replace(
        organism(process).recipe,
        feed_from_h=4.0,
        production_from_h=8.0,
        harvest_from_h=10.0,
    )
    wanted = Campaign(
        batches=1,
        seed=2,
        mix=mix.NONE,
        faults="none",
        step=300_000_000,
        process=process,
        shortened=short,
    )
    body = produce(wanted, tmp_path, processes=1, plots=False, progress=lambda _: None)
    batch = body["batches"][0]["batch"]
    assert batch == f"{process.upper()}-2026-0001"
    columns = readings(tmp_path, batch).column_names
    assert absent not in columns
    assert {"TIC-101.PV", "AIC-102.PV", "AIT-105.PV"} <= set(columns)
    assays = pq.read_table(tmp_path / "assays.parquet")["assay"].to_pylist()
    assert tested in assays
    truth = pq.read_table(tmp_path / "truth" / f"{batch}.parquet")
    names = [quantity.name for quantity in organism(process).process.quantities]
    assert truth.column_names[1 : 1 + len(names)] == names
    shown = readings(tmp_path, batch)["TIC-101.PV"].to_numpy()
    row = round((short.before_culture_h + 6.0) * 12)
    assert abs(shown[row] - short.growth_degc) < 1.0


def test_a_longer_campaign_begins_with_the_shorter_one(
    data: Path, tmp_path: Path
) -> None:
    produce(campaign(2), tmp_path, processes=1, plots=False, progress=lambda _: None)
    for kind in ("readings", "truth", "statuses"):
        one = (data / kind / "CHO-2026-0002.parquet").read_bytes()
        assert one == (tmp_path / kind / "CHO-2026-0002.parquet").read_bytes()


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(FolderInUse, match="expected an empty folder"):
        produce(campaign(), tmp_path, processes=1, plots=False, progress=print)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_without_what_draws_the_fix_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(PlotsUnavailable, match="--no-plots"):
        produce(campaign(), tmp_path, processes=1, plots=True, progress=print)
    assert list(tmp_path.iterdir()) == []
