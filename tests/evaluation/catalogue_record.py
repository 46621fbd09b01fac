"""What became of each batch as lines of JSON, so that a run that stops loses little."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tests.evaluation.catalogue_score import Alarms, Outcome, Said
from tests.evaluation.plain_alarms import Plain
from tests.evaluation.simulated_batches import Truth

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

PATTERN = "outcomes-*.jsonl"


def begun(folder: Path, name: str) -> None:
    """Forget what an earlier run of that name noted."""
    _file(folder, name).unlink(missing_ok=True)


def noted(outcome: Outcome, folder: Path, name: str) -> None:
    """Append one outcome to the file of its run."""
    folder.mkdir(parents=True, exist_ok=True)
    with _file(folder, name).open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(outcome)) + "\n")


def read(folders: Iterable[Path]) -> list[Outcome]:
    """Return the outcomes that were noted in folders, by seed."""
    lines = [
        line
        for folder in folders
        for file in sorted(folder.glob(PATTERN))
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
    return sorted((_outcome(json.loads(line)) for line in lines), key=lambda o: o.seed)


def _file(folder: Path, name: str) -> Path:
    return folder / f"outcomes-{name}.jsonl"


def _outcome(body: Mapping[str, Any]) -> Outcome:
    truth = body["truth"]
    said = [
        Said(**(one | {name: tuple(one[name]) for name in ("ranked", "of_check")}))
        for one in body["said"]
    ]
    without = {
        name: tuple((time, check) for time, check in pairs)
        for name, pairs in body["without"].items()
    }
    return Outcome(
        seed=body["seed"],
        truth=None
        if truth is None
        else Truth(**(truth | {"signature": tuple(truth["signature"])})),
        said=tuple(said),
        others=body["others"],
        plain=tuple(
            Plain(time, name, tuple(tags), *until)
            for time, name, tags, *until in body["plain"]
        ),
        cpu_s=body["cpu_s"],
        readings=body["readings"],
        without=Alarms(**without),
    )
