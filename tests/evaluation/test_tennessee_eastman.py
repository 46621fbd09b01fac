"""Tennessee Eastman: limits from fault-free recordings only, one configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from services.monitor.evaluation.table import Line

OURS = ("fedbatch MEWMA, frozen", "fedbatch MEWMA, learning")


@pytest.mark.parametrize("name", OURS)
def test_faults_are_found_soon_and_normal_rows_are_quiet(
    lines: dict[str, Line], name: str
) -> None:
    found = lines[name].merit
    assert found.fdr >= 96.0
    assert found.rows.far <= 0.5
    assert (found.detected, found.faulty) == (18, 18)
    assert found.delay <= 6.0


def test_the_published_methods_reach_what_was_published(
    lines: dict[str, Line],
) -> None:
    rates = {name: line.merit.fdr for name, line in lines.items()}
    assert rates["PCA T2"] == pytest.approx(61.0, abs=2.0)
    assert rates["PCA SPE"] == pytest.approx(73.5, abs=2.0)
    assert rates["DPCA SPE"] == pytest.approx(77.2, abs=2.0)
    assert rates["CVA T2r"] == pytest.approx(92.0, abs=2.5)


def test_nothing_that_sees_values_does_better_at_so_few_false_alarms(
    lines: dict[str, Line],
) -> None:
    ours = lines[OURS[0]].merit
    others = [
        line.merit
        for line in lines.values()
        if not line.ours and line.method != "timer" and line.merit.rows.far <= 1.0
    ]
    assert len(others) >= 7
    assert ours.fdr > max(other.fdr for other in others) + 1.0
    assert ours.delay <= min(other.delay for other in others)
