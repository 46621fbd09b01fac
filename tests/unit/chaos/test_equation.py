"""The loss equation in columns says what the one row by row says."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chaos.equation import Declared, Sums, columns, equation
from tests.chaos.schedule import CHOICES, draw, faults
from tests.system.balance import Balance, DeclaredGap, Row, balance, row

Reading = tuple[int, int, float | None, int, str | None]
READING = st.tuples(
    st.integers(1, 3),
    st.integers(0, 5),
    st.sampled_from([None, 0.0, -0.0, 1.5, float("nan")]),
    st.sampled_from([0, 0x80000000]),
    st.sampled_from([None, "", "a"]),
)
READINGS = st.lists(READING, max_size=12)
GAPS = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.one_of(st.none(), st.integers(1, 6)),
        st.one_of(st.none(), st.lists(st.integers(1, 3), unique=True, max_size=2)),
    ),
    max_size=2,
)


def in_columns(
    readings: list[Reading],
) -> pa.Table:
    kinds = (pa.int32(), pa.int64(), pa.float64(), pa.int64(), pa.string())
    return columns(
        *(pa.array([r[i] for r in readings], kind) for i, kind in enumerate(kinds))
    )


def by_tag(
    readings: list[Reading],
) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for tag, time, value, status, text in readings:
        found.setdefault(str(tag), []).append(row(time, value, status, text))
    return found


def counts(found: Balance | Sums) -> tuple[int, ...]:
    return (
        found.generated,
        found.stored,
        found.declared,
        found.lost,
        found.duplicate,
        found.invented,
    )


@settings(deadline=None)
@given(READINGS, READINGS, GAPS)
def test_both_equations_agree(
    made: list[Reading],
    stored: list[Reading],
    gaps: list[tuple[int, int | None, list[int] | None]],
) -> None:
    wide = [
        Declared("A", "c", start, end, None if tags is None else tuple(tags))
        for start, end, tags in gaps
    ]
    rows = [
        DeclaredGap(
            start,
            None if end is None else max(end - 1, start),
            None if tags is None else frozenset(map(str, tags)),
            "c",
        )
        for start, end, tags in gaps
    ]
    expected = balance(by_tag(made), by_tag(stored), rows, frozenset({"2"}))
    found = equation(in_columns(made), in_columns(stored), wide, {2})
    assert counts(found) == counts(expected)
    assert found.balanced == expected.balanced


def test_a_seed_means_one_fault_of_a_variant() -> None:
    for variant, choices in CHOICES.items():
        drawn = {(f.kind, f.target) for f in faults(0, 400, variant)}
        assert drawn == set(choices)
        assert draw(7, 0, variant) == draw(7, 0, variant)
