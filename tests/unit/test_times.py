"""The time of a run, shared out by kind of test."""

from __future__ import annotations

import pytest

from tests.times import shares


def test_what_runs_alone_has_its_time_to_itself() -> None:
    assert shares([("unit", 1.0, 3.0), ("unit", 3.0, 4.5)]) == {"unit": 3.5}


def test_what_runs_at_the_same_time_shares_it() -> None:
    found = shares([("unit", 0.0, 4.0), ("system", 2.0, 10.0)])
    assert found == pytest.approx({"unit": 3.0, "system": 7.0})


def test_the_kinds_add_up_to_the_time_anything_ran() -> None:
    spans = [("a", 0.0, 1.0), ("b", 0.5, 2.0), ("a", 1.0, 1.0), ("c", 5.0, 6.0)]
    assert sum(shares(spans).values()) == pytest.approx(3.0)
