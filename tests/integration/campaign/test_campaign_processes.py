"""The command with two processes makes what one process makes, pictures included."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from simulators.campaign import mix
from simulators.campaign.plan import Campaign
from simulators.campaign.produce import produce
from simulators.recipes import Recipe

SHORT = Recipe(
    prepare_h=4.0,
    feed_from_h=6.0,
    shift_from_h=12.0,
    production_from_h=14.0,
    harvest_from_h=25.0,
    harvest_h=2.0,
    clean_h=2.0,
)


def content(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_data_set_does_not_depend_on_the_number_of_processes(
    tmp_path: Path,
) -> None:
    wanted = Campaign(
        batches=12,
        seed=5,
        mix=mix.NONE,
        faults="none",
        step=300_000_000,
        shortened=SHORT,
    )
    for processes in (1, 2):
        told: list[float] = []
        produce(
            wanted,
            tmp_path / str(processes),
            processes=processes,
            plots=False,
            progress=told.append,
        )
        assert told == sorted(told)
        assert told[-1] == 1.0
    assert content(tmp_path / "1") == content(tmp_path / "2")


@pytest.mark.timeout(240)
def test_the_command_makes_a_data_set_with_pictures_and_shows_its_progress(
    tmp_path: Path,
) -> None:
    out = tmp_path / "data"
    done = subprocess.run(
        [
            sys.executable, "-m", "deploy.command", "simulate", "campaign",
            "--process", "ecoli", "--batches", "1", "--step", "5m",
            "--out", str(out), "--processes", "1",
        ],
        capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "1 batches of ecoli" in done.stdout
    assert "%" in done.stderr
    body = json.loads((out / "campaign.json").read_text())
    picture = out / "plots" / f"{body['batches'][0]['batch']}.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 50_000
