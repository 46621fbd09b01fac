"""docs/plant-yaml.md names every field, and its example is a plant."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from shared import checks, plant, vector_checks

_PAGE = (Path(__file__).parents[3] / "docs" / "plant-yaml.md").read_text()
_HEADINGS = {
    "## Top level": plant.Plant,
    "## A server": plant.Server,
    "`security`:": plant.Security,
    "`heartbeat`:": plant.Heartbeat,
    "## A vessel": plant.Vessel,
    "`context`,": plant.Context,
    "## A tag": plant.Tag,
    "## What the monitor": checks.TagChecks,
    "`limits`, each": checks.Limit,
    "`rate`:": checks.Rate,
    "`frozen`:": checks.Frozen,
    "`noise`:": checks.Noise,
    "`state`, also": checks.State,
    "`quality`:": checks.Quality,
    "`no_data` of": checks.NoData,
    "`skew` of": checks.Skew,
    "`residuals` of": checks.Residual,
    "`samples` of": checks.SampleCheck,
    "`vectors` of": vector_checks.VectorCheck,
    "`causes` of": checks.PossibleCause,
}


@pytest.mark.parametrize(("heading", "part"), _HEADINGS.items())
def test_a_table_has_one_row_for_each_field(
    heading: str, part: type[BaseModel]
) -> None:
    after = _PAGE[_PAGE.index(f"\n{heading}") :]
    table = after[after.index("|---") :].split("\n\n")[0]
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == list(part.model_fields)


def test_the_example_is_a_valid_plant() -> None:
    example = re.search(r"```yaml\n(.*?)```", _PAGE, re.DOTALL)
    assert example is not None
    parsed = plant.parse_plant(example[1])
    assert parsed.tag_names()[2] == "BR-101/TIC-101.PV"
