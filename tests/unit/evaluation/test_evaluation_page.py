"""docs/evaluation.md says what the program takes."""

from __future__ import annotations

import re
from pathlib import Path

from services.monitor.evaluation.manifest import Manifest, parse_manifest

PAGE = Path(__file__).parents[3] / "docs" / "evaluation.md"
SHIPPED = Path(__file__).parents[2] / "evaluation" / "datasets"


def test_the_example_of_the_page_is_accepted() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert parse_manifest(example, "page").training.rows == 400


def test_every_field_is_on_the_page() -> None:
    page = PAGE.read_text()
    assert [name for name in Manifest.model_fields if f"`{name}" not in page] == []


def test_the_shipped_manifests_are_accepted() -> None:
    names = [parse_manifest(p.read_text(), p.name).name for p in SHIPPED.glob("*.yaml")]
    assert sorted(names) == [
        "IndPenSim",
        "IndPenSim, loops",
        "SKAB",
        "Tennessee Eastman",
    ]
