"""Historian1..3 of OPC 10000-13 Annex A: bounds and averages as published."""

from __future__ import annotations

import numpy as np
import pytest

from shared.domain import US_PER_S
from shared.retrieval import status as codes
from shared.retrieval.bounds import Side, interpolated_bounds, simple_bounds
from shared.retrieval.series import Series, Treatment
from shared.retrieval.status import severity
from shared.retrieval.summary import Column, Summary, grid, summarise

G, U, B = codes.GOOD, codes.UNCERTAIN, codes.BAD
NONE = float("nan")


def series(*rows: tuple[float, float, int], stepped: bool = False) -> Series:
    """Return readings given as (seconds after 12:00:00, value, status)."""
    return Series(
        time=np.array([round(at * US_PER_S) for at, _, _ in rows], np.int64),
        value=np.array([value for _, value, _ in rows], np.float64),
        status=np.array([status for _, _, status in rows], np.uint32),
        stepped=stepped,
    )


H1 = series(
    (0, NONE, codes.BAD_NO_DATA),
    *((at, at, G) for at in (10, 20, 30)),
    (40, NONE, B),
    *((at, at, G) for at in (50, 60)),
    (70, 70, U),
    *((at, at, G) for at in (80, 90)),
)
KEPT = Treatment(uncertain_is_bad=False)
_H2 = (
    (0, NONE, codes.BAD_NO_DATA),
    (2, 10, G),
    (25, 20, G),
    (28, 25, G),
    (39, 30, G),
    (42, NONE, B),
    (48, 40, G),
    (52, 50, G),
    (72, 60, G),
    (77, 70, U),
    (83, 70, G),
    (86, 80, G),
    (90, 90, G),
)
H2 = series(*_H2)
STRICT = Treatment()
H3 = series(*_H2, stepped=True)
HALF = Treatment(percent_good=50, percent_bad=50)


def us(*seconds: float) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array([round(at * US_PER_S) for at in seconds], np.int64)


@pytest.mark.parametrize(
    ("data", "treatment", "at", "value", "level"),
    [
        (H1, KEPT, 0, NONE, 2),
        (H1, KEPT, 5, NONE, 2),
        (H1, KEPT, 35, 35, 1),
        (H1, KEPT, 40, 40, 1),
        (H1, KEPT, 45, 45, 1),
        (H1, KEPT, 65, 65, 1),
        (H1, KEPT, 75, 75, 1),
        (H1, KEPT, 85, 85, 0),
        (H1, KEPT, 95, 90, 1),
        (H2, STRICT, 5, 11.304, 0),
        (H2, STRICT, 30, 25.909, 0),
        (H2, STRICT, 40, 31.111, 1),
        (H2, STRICT, 45, 36.667, 1),
        (H2, STRICT, 50, 45.0, 0),
        (H2, STRICT, 75, 62.727, 1),
        (H2, STRICT, 80, 67.273, 1),
        (H2, STRICT, 85, 76.667, 0),
        (H2, STRICT, 95, 90, 1),
        (H3, HALF, 5, 10, 0),
        (H3, HALF, 40, 30, 0),
        (H3, HALF, 45, 30, 1),
        (H3, HALF, 80, 60, 1),
        (H3, HALF, 95, 90, 1),
    ],
)
def test_interpolated_bounds_agree_with_the_oracle(
    data: Series, treatment: Treatment, at: float, value: float, level: int
) -> None:
    found = interpolated_bounds(data, us(at), treatment)
    assert found.value[0] == pytest.approx(value, abs=5e-4, nan_ok=True)
    assert severity(found.status)[0] == level


@pytest.mark.parametrize(
    ("data", "treatment", "at", "value", "status"),
    [
        (H1, KEPT, 20, 20, G),
        (H1, KEPT, 25, 25, G | 0x402),
        (H1, KEPT, 35, 30, codes.UNCERTAIN_DATA_SUB_NORMAL | 0x402),
        (H1, KEPT, 40, NONE, B),
        (H1, KEPT, 45, NONE, codes.BAD_NO_DATA),
        (H1, KEPT, 65, 65, codes.UNCERTAIN_DATA_SUB_NORMAL | 0x402),
        (H1, KEPT, 95, NONE, codes.BAD_NO_DATA),
        (H2, STRICT, 75, 60, codes.UNCERTAIN_DATA_SUB_NORMAL | 0x402),
        (H2, STRICT, 77, 70, U),
        (H2, STRICT, 80, NONE, codes.BAD_NO_DATA),
        (H3, HALF, 40, 30, G | 0x402),
        (H3, HALF, 45, NONE, codes.BAD_NO_DATA),
    ],
)
def test_simple_bounds_never_look_through_bad(
    data: Series, treatment: Treatment, at: float, value: float, status: int
) -> None:
    found = simple_bounds(data, us(at), treatment)
    assert found.value[0] == pytest.approx(value, nan_ok=True)
    assert found.status[0] == status


def test_the_bounds_of_the_historian_documentation() -> None:
    minute = 60
    rows = ((-60, 22.7), (480, 12.5), (840, 7.0), (1320, 4.8))
    data = series(*((at, value, G) for at, value in rows))
    found = simple_bounds(data, us(9 * minute, 19 * minute))
    assert found.value.tolist() == pytest.approx([11.583, 5.625], abs=5e-4)


def test_a_linear_value_goes_on_along_the_last_two_readings_when_asked() -> None:
    sloped = Treatment(uncertain_is_bad=False, sloped_extrapolation=True)
    found = interpolated_bounds(H1, us(95), sloped)
    assert found.value[0] == 95
    assert found.status[0] == codes.UNCERTAIN_DATA_SUB_NORMAL | 0x402


def test_of_two_readings_at_one_time_the_first_ends_and_the_last_begins() -> None:
    data = series((0, 0, G), (10, 1, G), (10, 5, G), (20, 5, G))
    assert simple_bounds(data, us(10), side=Side.END).value[0] == 1
    assert simple_bounds(data, us(10), side=Side.START).value[0] == 5


def averages(data: Series, treatment: Treatment, kind: Summary) -> Column:
    """Return the summary of 5 s intervals from 12:00:00 to 12:01:40."""
    over = grid(0, 100 * US_PER_S, 5 * US_PER_S)
    return summarise(data, over, [kind], treatment)[kind]


@pytest.mark.parametrize(
    ("data", "treatment", "at", "value"),
    [
        (H2, STRICT, 45, 40.0),
        (H2, STRICT, 0, 10.652),
        (H2, STRICT, 35, 29.384),
        (H2, STRICT, 40, 33.889),
        (H1, KEPT, 35, 37.5),
    ],
)
def test_time_average_over_interpolated_bounds_agrees_with_the_oracle(
    data: Series, treatment: Treatment, at: int, value: float
) -> None:
    found = averages(data, treatment, Summary.AVERAGE_INTERPOLATED)
    assert found.value[at // 5] == pytest.approx(value, abs=5e-4)
    assert found.status[at // 5] == codes.UNCERTAIN_DATA_SUB_NORMAL | 0x401


def test_event_and_time_average_of_the_same_data_differ_as_published() -> None:
    over = grid(2 * US_PER_S, 90 * US_PER_S, None)
    kinds = [Summary.AVERAGE_EVENT, Summary.AVERAGE_INTERPOLATED]
    found = summarise(H2, over, kinds)
    time_average = found[Summary.AVERAGE_INTERPOLATED].value[0]
    assert time_average == pytest.approx(40.795, abs=5e-4)
    good = [10, 20, 25, 30, 40, 50, 60, 70, 80]
    assert found[Summary.AVERAGE_EVENT].value[0] == pytest.approx(np.mean(good))
    whole = summarise(H2, grid(2 * US_PER_S, 90 * US_PER_S + 1, None), kinds)
    assert whole[Summary.AVERAGE_EVENT].value[0] == 47.5


@pytest.mark.parametrize(
    ("data", "treatment", "at", "value", "status"),
    [
        (H1, KEPT, 10, 12.5, codes.GOOD | 0x401),
        (H1, KEPT, 35, 30.0, codes.UNCERTAIN_DATA_SUB_NORMAL | 0x401),
        (H1, KEPT, 40, NONE, codes.BAD_NO_DATA | 0x401),
        (H1, KEPT, 45, NONE, codes.BAD_NO_DATA | 0x401),
        (H2, STRICT, 0, 10.652, codes.UNCERTAIN_DATA_SUB_NORMAL | 0x401),
        # towards the Bad reading at 42 the one before (39: 30) is held
        (H2, STRICT, 40, 30.0, codes.UNCERTAIN_DATA_SUB_NORMAL | 0x401),
        (H3, HALF, 40, NONE, codes.BAD | 0x401),
        (H3, HALF, 85, 78.0, codes.GOOD | 0x401),
    ],
)
def test_the_default_average_leaves_unknown_time_out(
    data: Series, treatment: Treatment, at: int, value: float, status: int
) -> None:
    found = averages(data, treatment, Summary.AVERAGE)
    assert found.value[at // 5] == pytest.approx(value, abs=5e-4, nan_ok=True)
    assert found.status[at // 5] == status


def test_percent_good_counts_the_time_of_the_reading_in_force() -> None:
    found = averages(H2, STRICT, Summary.PERCENT_GOOD).value
    # 40..42 Good, Bad until 48; Uncertain (as Bad) 77..83
    assert found[[0, 8, 9, 15, 16, 17, 18]].tolist() == [60, 40, 40, 40, 40, 100, 0]
