from __future__ import annotations

import numpy as np
import pytest

from shared.domain import US_PER_S
from shared.retrieval import status as codes
from shared.retrieval.missing import Span, as_known, completeness
from shared.retrieval.recorded import Boundary, ends
from shared.retrieval.series import Series, Treatment, TreatmentInvalid
from shared.retrieval.summary import (
    MAX_INTERVALS,
    Grid,
    IntervalsInvalid,
    Summary,
    grid,
    summarise,
)

G, U, B = codes.GOOD, codes.UNCERTAIN, codes.BAD
S = US_PER_S


def series(*rows: tuple[float, float, int], stepped: bool = False) -> Series:
    time, value, status = zip(*rows, strict=True)
    at = np.array([round(t * S) for t in time], np.int64)
    return Series(at, np.array(value, float), np.array(status, np.uint32), stepped)


def words(series: Series, kind: Summary, over: Grid) -> list[str]:
    return [codes.name(s) for s in summarise(series, over, [kind])[kind].status]


RAMP = series(*((t, t, G) for t in range(0, 101, 10)))


def test_a_last_interval_that_is_short_is_partial() -> None:
    over = grid(0, 25 * S, 10 * S)
    found = summarise(RAMP, over, [Summary.AVERAGE])[Summary.AVERAGE]
    assert found.value.tolist() == [5, 15, 22.5]
    assert words(RAMP, Summary.AVERAGE, over) == [
        "Good, Calculated",
        "Good, Calculated",
        "Good, Calculated, Partial",
    ]


def test_the_start_belongs_to_an_interval_and_the_end_does_not() -> None:
    over = grid(0, 20 * S, 10 * S)
    found = summarise(RAMP, over, [Summary.COUNT, Summary.MAX])
    assert found[Summary.COUNT].value.tolist() == [1, 1]
    assert found[Summary.MAX].value.tolist() == [0, 10]


def test_of_several_equal_minima_the_oldest_is_given_and_flagged() -> None:
    data = series((0, 5, G), (1, 3, G), (2, 3, G), (3, 4, G))
    column = summarise(data, grid(0, 10 * S, None), [Summary.MIN])[Summary.MIN]
    assert column.time is not None
    assert (column.value[0], column.time[0]) == (3, S)
    assert codes.name(column.status[0]) == "Good, Calculated, MultipleValues"


def test_an_uncertain_reading_beyond_the_minimum_makes_it_uncertain() -> None:
    data = series((0, 5, G), (1, 1, U), (2, 4, G))
    over = grid(0, 10 * S, None)
    half = Treatment(percent_good=50, percent_bad=100)
    found = summarise(data, over, [Summary.MIN, Summary.MAX], half)
    assert found[Summary.MIN].value[0] == 4
    assert codes.name(found[Summary.MIN].status[0]) == (
        "UncertainDataSubNormal, Calculated"
    )
    assert codes.name(found[Summary.MAX].status[0]) == "Good, Calculated"


def test_total_is_value_times_seconds_and_scales_over_unknown_time() -> None:
    data = series((0, 2, G), (10, 2, G), (20, float("nan"), B), (30, 2, G), (40, 2, G))
    kinds = [Summary.TOTAL, Summary.TOTAL_SCALED, Summary.RANGE]
    found = summarise(data, grid(0, 40 * S, None), kinds)
    assert found[Summary.TOTAL].value[0] == pytest.approx(60)
    assert found[Summary.TOTAL_SCALED].value[0] == pytest.approx(80)
    assert found[Summary.PERCENT_GOOD].value[0] == 75


def test_an_interval_without_data_is_bad_no_data_and_null() -> None:
    over = grid(200 * S, 300 * S, None)
    found = summarise(RAMP, over, list(Summary))
    for kind in set(Summary) - {
        Summary.COUNT,
        Summary.PERCENT_GOOD,
        Summary.AVERAGE_INTERPOLATED,
    }:
        assert np.isnan(found[kind].value[0]), kind
        assert codes.name(found[kind].status[0]) == "BadNoData, Calculated"
    assert found[Summary.COUNT].value[0] == 0
    assert found[Summary.PERCENT_GOOD].value[0] == 0


def test_a_stepped_value_is_held() -> None:
    data = series((0, 0, G), (5, 10, G), (10, 10, G), stepped=True)
    found = summarise(data, grid(0, 10 * S, None), [Summary.AVERAGE])
    assert found[Summary.AVERAGE].value[0] == 5


def test_no_reading_at_all_answers_without_inventing() -> None:
    nothing = RAMP.take(np.zeros(len(RAMP), np.bool_))
    found = summarise(nothing, grid(0, 10 * S, 5 * S), list(Summary))
    assert np.isnan(found[Summary.AVERAGE].value).all()
    assert np.isnan(found[Summary.AVERAGE_INTERPOLATED].value).all()
    assert found[Summary.PERCENT_GOOD].value.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("start", "end", "interval", "said"),
    [
        (10, 10, None, "expected the end after it"),
        (10, 5, 1, "expected the end after it"),
        (0, 10, 0, "expected more than 0"),
        (0, 10 * MAX_INTERVALS, 1, "expected at most"),
    ],
)
def test_a_grid_that_cannot_be_is_refused(
    start: int, end: int, interval: int | None, said: str
) -> None:
    with pytest.raises(IntervalsInvalid, match=said):
        grid(start, end, interval)


def test_percentages_that_part_13_forbids_are_refused() -> None:
    with pytest.raises(TreatmentInvalid, match="good >= 100 - bad"):
        Treatment(percent_good=40, percent_bad=50)


def test_nothing_is_known_inside_a_declared_gap() -> None:
    known = as_known(RAMP, [Span(41 * S, 50 * S)])
    kinds = [Summary.AVERAGE, Summary.COUNT, Summary.MIN]
    found = summarise(known, grid(40 * S, 60 * S, 10 * S), kinds)
    assert found[Summary.PERCENT_GOOD].value.tolist() == [10, 100]
    assert found[Summary.AVERAGE].value.tolist() == [40, 55]
    assert severity_words(found[Summary.AVERAGE].status) == ["Uncertain", "Good"]
    assert severity_words(found[Summary.MIN].status) == ["Uncertain", "Good"]
    assert found[Summary.COUNT].value.tolist() == [1, 1]


def severity_words(status: np.ndarray[tuple[int], np.dtype[np.uint32]]) -> list[str]:
    return [("Good", "Uncertain", "Bad")[level] for level in codes.severity(status)]


def test_a_value_reported_on_change_holds_while_its_source_lives() -> None:
    data = series((0, 1, G), stepped=True)
    gap = Span(20 * S, 40 * S)
    known = as_known(data, [gap], holds_until=80 * S)
    over = grid(0, 100 * S, 20 * S)
    found = summarise(known, over, [Summary.AVERAGE, Summary.COUNT])
    assert found[Summary.PERCENT_GOOD].value.tolist() == [100, 0, 100, 100, 0]
    assert found[Summary.AVERAGE].value[[0, 2, 3]].tolist() == [1, 1, 1]
    assert np.isnan(found[Summary.AVERAGE].value[[1, 4]]).all()
    assert found[Summary.COUNT].value.tolist() == [1, 0, 0, 0, 0]


def test_an_open_gap_ends_what_is_known() -> None:
    data = series((0, 1, G), stepped=True)
    known = as_known(data, [Span(20 * S, None)], holds_until=80 * S)
    percent = summarise(known, grid(0, 100 * S, 20 * S), [])[Summary.PERCENT_GOOD]
    assert percent.value.tolist() == [100, 0, 0, 0, 0]


def test_completeness_counts_overlapping_gaps_once() -> None:
    gaps = [Span(0, 30), Span(20, 40), Span(90, None), Span(35, 35)]
    assert completeness(10, 110, gaps) == pytest.approx(0.5)
    assert completeness(0, 10, []) == 1.0


def rows(of: Series) -> list[tuple[float, float]]:
    return [(t / S, v) for t, v in zip(of.time, of.value, strict=True)]


def test_boundaries_of_recorded_readings() -> None:
    at = 15 * S, 35 * S
    outside = ends(RAMP, *at, Boundary.OUTSIDE)
    assert (rows(outside.before), rows(outside.after)) == ([(10, 10)], [(40, 40)])
    made = ends(RAMP, *at, Boundary.INTERPOLATED)
    assert (rows(made.before), rows(made.after)) == ([(15, 15)], [(35, 35)])
    assert codes.name(made.before.status[0]) == "Good, Interpolated"
    inside = ends(RAMP, *at, Boundary.INSIDE)
    assert (len(inside.before), len(inside.after)) == (0, 0)


def test_no_value_is_made_where_a_reading_is() -> None:
    made = ends(RAMP, 20 * S, 30 * S, Boundary.INTERPOLATED)
    assert (len(made.before), len(made.after)) == (0, 0)


def test_a_value_made_through_a_gap_is_uncertain() -> None:
    known = as_known(RAMP, [Span(12 * S, 18 * S)])
    made = ends(known, 15 * S, 30 * S, Boundary.INTERPOLATED)
    assert rows(made.before) == [(15, 15)]
    assert codes.name(made.before.status[0]) == "UncertainDataSubNormal, Interpolated"


def test_text_is_held_at_the_ends_and_never_made_up() -> None:
    text = np.array(["a", "b"], object)
    nan = np.full(2, np.nan)
    time = np.array([10 * S, 20 * S], np.int64)
    data = Series(time, nan, np.zeros(2, np.uint32), stepped=True, text=text)
    made = ends(data, 15 * S, 25 * S, Boundary.INTERPOLATED)
    assert made.before.text is not None
    assert made.after.text is not None
    assert (made.before.text[0], made.after.text[0]) == ("a", "b")
    early = ends(data, 5 * S, 25 * S, Boundary.INTERPOLATED).before
    assert early.text is not None
    assert early.text[0] is None
    assert codes.name(early.status[0]) == "BadNoData"
