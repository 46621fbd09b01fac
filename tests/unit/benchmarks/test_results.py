"""Ratios, goals, and the table and picture of a comparison."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks import charts, profile
from tests.benchmarks.results import OURS, Comparison, Goal, table

ROUNDS = (
    {OURS: 4e6, "peer": 1e5, "floor": 6e6},
    {OURS: 2e6, "peer": 4e4, "floor": 2.4e6},
    {OURS: 3e6, "peer": 1e5, "floor": 3.3e6},
)
FOUND = Comparison(
    "stage", "load", {"peer": Goal(35), "floor": Goal(1.1, at_most=True)}, ROUNDS
)


def test_ratios_are_paired_by_round_and_medians_have_their_range() -> None:
    ratio = FOUND.ratio("peer")

    assert (ratio.median, ratio.least, ratio.most) == (40, 30, 50)
    assert FOUND.ratio("floor").median == pytest.approx(1.2)


def test_the_table_says_which_goals_are_met() -> None:
    rows = table([FOUND]).splitlines()

    assert len(rows) == 5
    assert rows[3].split("|")[-2].strip() == "met"
    assert "40x (30.0 to 50.0)" in rows[3]
    assert rows[4].split("|")[-2].strip() == "missed"
    assert "<= 1.1x the cost" in rows[4]


def test_picture_and_page_are_made_and_the_page_holds_the_picture(
    tmp_path: Path,
) -> None:
    picture, page = tmp_path / "r.png", tmp_path / "r.html"
    charts.draw([FOUND], "a machine", picture)
    charts.page([FOUND], "a <machine>", picture, page)

    assert picture.read_bytes().startswith(b"\x89PNG")
    text = page.read_text()
    assert "data:image/png;base64," in text
    assert "a &lt;machine&gt;" in text


def test_a_profile_names_the_most_expensive_functions_first() -> None:
    own = {"shared/a.py:f": 30, "numpy/b.py:g": 70}
    whole = {"shared/a.py:f": 100, "numpy/b.py:g": 70}

    lines = profile.table(own, whole, rows=1).splitlines()

    assert lines[1] == "  70.0   70.0  numpy/b.py:g"
    assert lines[3] == "  30.0  100.0  shared/a.py:f"
