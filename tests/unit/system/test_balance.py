from __future__ import annotations

from tests.system.balance import DeclaredGap, balance, row

A, B, C = row(1, 1.0, 0), row(2, 2.0, 0), row(3, 2.0, 0)
NO_GAPS: list[DeclaredGap] = []


def test_everything_stored_once_is_balanced() -> None:
    found = balance({"t": [A, B, C]}, {"t": [A, B, C]}, NO_GAPS)
    assert found.balanced
    assert (found.generated, found.stored) == (3, 3)


def test_a_missing_row_is_lost_unless_a_gap_of_its_tag_covers_it() -> None:
    assert balance({"t": [A, B]}, {"t": [A]}, NO_GAPS).lost == 1
    other = [DeclaredGap(0, 9, frozenset({"u"}), "x")]
    assert balance({"t": [A, B]}, {"t": [A]}, other).lost == 1
    covering = [DeclaredGap(2, None, None, "x")]
    found = balance({"t": [A, B]}, {"t": [A]}, covering)
    assert (found.lost, found.declared) == (0, 1)


def test_a_row_with_another_bit_is_lost_and_invented() -> None:
    found = balance({"t": [row(1, 0.0, 0)]}, {"t": [row(1, -0.0, 0)]}, NO_GAPS)
    assert (found.lost, found.invented) == (1, 1)


def test_a_row_twice_is_a_duplicate() -> None:
    assert balance({"t": [A]}, {"t": [A, A]}, NO_GAPS).duplicate == 1


def test_of_a_change_tag_only_changes_are_due() -> None:
    made = {"t": [A, B, C]}
    assert balance(made, {"t": [A, B]}, NO_GAPS, frozenset({"t"})).balanced
    assert balance(made, {"t": [A, B, C]}, NO_GAPS, frozenset({"t"})).balanced
    assert balance(made, {"t": [A]}, NO_GAPS, frozenset({"t"})).lost == 1


def test_null_is_null_whatever_it_was_made_of() -> None:
    assert row(1, float("nan"), 5) == row(1, None, 5)
