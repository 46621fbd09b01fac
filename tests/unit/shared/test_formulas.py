"""Formulas of plant.yaml: what they can say, and what they refuse."""

from __future__ import annotations

import math

import pytest

from shared.formula import Formula, FormulaInvalid


def test_a_formula_names_its_tags_once_in_the_order_in_which_they_come() -> None:
    assert Formula("[B.PV] + [A-1.PV] * [B.PV]").tags == ("B.PV", "A-1.PV")


def test_lines_name_what_the_lines_after_them_use() -> None:
    found = Formula("air = [A] + 10\nshare = air / [B]; ln(share)")
    assert found.value([10.0, 2.0]) == pytest.approx(math.log(10.0))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-[A] ** 2", -9.0),
        ("max([A], 4, 1)", 4.0),
        ("exp(0 * [A])", 1.0),
        ("abs(1 - [A])", 2.0),
    ],
)
def test_what_can_be_said(text: str, value: float) -> None:
    assert Formula(text).value([3.0]) == pytest.approx(value)


@pytest.mark.parametrize(
    "text", ["1 / [A]", "ln([A])", "ln([A] - 1)", "exp(1e6 + [A])", "(-1 - [A]) ** 0.5"]
)
def test_what_has_no_value_is_none_and_no_error(text: str) -> None:
    assert Formula(text).value([0.0]) is None


@pytest.mark.parametrize(
    "text",
    [
        "1 + 1",
        "[A] +",
        "__import__('os') + [A]",
        "[A].real",
        "a = [A]",
        "[A]; [A]",
        "b + [A]",
        "ln([A], 2)",
        "max([A])",
        "[A] if [A] else 1",
        "[A] @ [A]",
        "'x' * [A]",
    ],
)
def test_anything_else_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(FormulaInvalid, match="formula"):
        Formula(text)


def test_what_is_fresh_of_a_total_fades_with_its_time_constant() -> None:
    found = Formula("fresh([A], 2)")
    memory = found.memory(1.0)
    values = [found.value([total], memory=memory) for total in (5.0, 7.0, 7.0, 7.0)]
    kept = math.exp(-0.5)
    assert values == pytest.approx([0.0, 2.0 * kept, 2.0 * kept**2, 2.0 * kept**3])


def test_a_total_that_begins_anew_is_not_fresh() -> None:
    found = Formula("fresh([A], 2) + hours")
    memory = found.memory(1.0)
    values = [found.value([total], 1.0, memory) for total in (5.0, 0.0, 1.0)]
    assert values == pytest.approx([1.0, 1.0, 1.0 + math.exp(-0.5)])
