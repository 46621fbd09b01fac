"""Laws that hold for every series, found or broken by hypothesis."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain import US_PER_S
from shared.retrieval import status as codes
from shared.retrieval.bounds import Side, simple_bounds
from shared.retrieval.series import Series, in_order
from shared.retrieval.summary import Summary, grid, summarise

END = 100 * US_PER_S
CODES = st.sampled_from(
    [codes.GOOD] * 6 + [codes.UNCERTAIN, codes.BAD, codes.UNCERTAIN_DATA_SUB_NORMAL]
)
ROW = st.tuples(
    st.integers(-10 * US_PER_S, 110 * US_PER_S),
    st.floats(-1e6, 1e6),
    CODES,
    st.integers(-(2**31), 2**31 - 1),
)


def built(rows: list[tuple[int, float, int, int]], *, stepped: bool) -> Series:
    """Return rows in order, as the store would give them."""
    time, value, status, tie = zip(*rows, strict=True)
    status_column = np.array(status, np.uint32)
    values = np.where(status_column >= codes.BAD, np.nan, value)
    raw = Series(np.array(time, np.int64), values, status_column, stepped)
    return in_order(raw, np.array(tie, np.int32))[0]


@st.composite
def any_series(draw: st.DrawFn) -> Series:
    rows = draw(
        st.lists(ROW, min_size=1, max_size=30, unique_by=lambda row: (row[0], row[3]))
    )
    return built(rows, stepped=draw(st.booleans()))


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-3)


@given(any_series(), st.integers(1, END - 1))
def test_integrals_of_two_halves_add_up_to_the_whole(data: Series, cut: int) -> None:
    total = Summary.TOTAL
    whole = summarise(data, grid(0, END, None), [total])[total].value
    first = summarise(data, grid(0, cut, None), [total])[total].value
    second = summarise(data, grid(cut, END, None), [total])[total].value
    if np.isnan(whole[0]):
        assert np.isnan([first[0], second[0]]).all()
    else:
        close(np.nansum([first[0], second[0]]), whole[0])


@given(any_series(), st.lists(st.integers(0, END), max_size=10))
def test_putting_interpolated_readings_in_changes_no_average(
    data: Series, at: list[int]
) -> None:
    asked = np.setdiff1d(np.array(at, np.int64), data.time)
    bounds = simple_bounds(data, asked)
    keep = bounds.status == np.uint32(codes.GOOD | 0x402)
    time = np.concatenate([data.time, asked[keep]])
    value = np.concatenate([data.value, bounds.value[keep]])
    status = np.concatenate([data.status, bounds.status[keep]])
    order = np.argsort(time, kind="stable")
    more = Series(time[order], value[order], status[order], data.stepped)
    over = grid(0, END, 7 * US_PER_S)
    before = summarise(data, over, [Summary.AVERAGE])[Summary.AVERAGE]
    after = summarise(more, over, [Summary.AVERAGE])[Summary.AVERAGE]
    close(after.value, before.value)
    assert after.status.tolist() == before.status.tolist()


@given(
    rows=st.lists(ROW, min_size=1, max_size=20, unique_by=lambda row: (row[0], row[3])),
    random=st.randoms(use_true_random=False),
    stepped=st.booleans(),
)
def test_readings_in_any_order_of_arrival_give_the_same_answers(
    rows: list[tuple[int, float, int, int]], random: Any, *, stepped: bool
) -> None:
    shuffled = [*rows, rows[0]]
    random.shuffle(shuffled)
    over = grid(0, END, 9 * US_PER_S)
    one = summarise(built(rows, stepped=stepped), over, list(Summary))
    other = summarise(built(shuffled, stepped=stepped), over, list(Summary))
    for kind in Summary:
        assert one[kind].value.tobytes() == other[kind].value.tobytes()
        assert one[kind].status.tolist() == other[kind].status.tolist()


@given(any_series())
@settings(max_examples=60)
def test_the_vectorised_average_equals_one_written_as_a_loop(data: Series) -> None:
    over = grid(0, END, 13 * US_PER_S)
    found = summarise(data, over, [Summary.AVERAGE])[Summary.AVERAGE].value
    for i, value in enumerate(found):
        expected = _by_hand(data, int(over.edges[i]), int(over.edges[i + 1]))
        assert value == pytest.approx(expected, rel=1e-9, abs=1e-6, nan_ok=True)


def _by_hand(data: Series, start: int, end: int) -> float:
    """Return TimeAverage2 of [start, end) from Simple bounds, region by region."""
    inner = data.time[(data.time > start) & (data.time < end)]
    points = np.unique(np.concatenate([[start], inner, [end]])).astype(np.int64)
    begins = simple_bounds(data, points[:-1], side=Side.START)
    ends = simple_bounds(data, points[1:], side=Side.END)
    area = known = 0.0
    for i, duration in enumerate(np.diff(points)):
        low, high = begins.value[i], ends.value[i]
        beyond = points[i] >= data.time[-1]
        held = begins.status[i] == codes.UNCERTAIN_DATA_SUB_NORMAL | 0x402
        unknown = begins.status[i] >> 30 and not held
        if np.isnan(low) or unknown or beyond:
            continue
        if data.stepped or np.isnan(high) or ends.status[i] >> 30:
            high = low
        area += (low + high) / 2 * duration
        known += duration
    return area / known if known else float("nan")


@given(any_series(), st.integers(1, 20))
def test_extremes_are_readings_of_their_interval(data: Series, parts: int) -> None:
    over = grid(0, END, END // parts)
    found = summarise(data, over, [Summary.MIN, Summary.MAX, Summary.COUNT])
    for i in range(len(over)):
        low, high = over.edges[i], over.edges[i + 1]
        inside = (data.time >= low) & (data.time < high) & (data.status == 0)
        assert found[Summary.COUNT].value[i] == inside.sum()
        if not inside.any():
            assert np.isnan(found[Summary.MIN].value[i])
            continue
        values, times = data.value[inside], data.time[inside]
        for kind, extreme in ((Summary.MIN, values.min()), (Summary.MAX, values.max())):
            column = found[kind]
            assert column.time is not None
            if not np.isnan(column.value[i]):
                assert column.value[i] == extreme
                assert column.time[i] == times[values == extreme][0]
