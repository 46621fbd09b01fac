"""Recordings that CI can have, and the lines of their table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from services.monitor.evaluation.reading import read_dataset
from services.monitor.evaluation.table import scored
from tests.conftest import absent
from tests.neighbours.missing import NeighbourMissing
from tests.neighbours.tennessee import recordings

if TYPE_CHECKING:
    from services.monitor.evaluation.reading import Dataset
    from services.monitor.evaluation.table import Line

DATASETS = Path(__file__).parent / "datasets"


@pytest.fixture(scope="session")
def tennessee_eastman() -> Path:
    """Return the folder of the Tennessee Eastman recordings."""
    try:
        return recordings()
    except NeighbourMissing as missing:
        absent(missing)


@pytest.fixture(scope="session")
def plant(tennessee_eastman: Path) -> Dataset:
    """Return the Tennessee Eastman recordings."""
    return read_dataset(tennessee_eastman, DATASETS / "tennessee_eastman.yaml")


@pytest.fixture(scope="session")
def lines(plant: Dataset) -> dict[str, Line]:
    """Return every method's line on Tennessee Eastman, by its name."""
    return {line.method: line for line in scored(plant, lambda _: None)}
