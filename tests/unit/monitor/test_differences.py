"""Where two journals disagree is said in words that name the part."""

from __future__ import annotations

from dataclasses import replace

from services.monitor.differences import diff, in_words, lines
from services.monitor.partition import PartitionWatch
from shared.events import AlarmTransition
from tests.neighbours.story import records, told


def journal() -> list[AlarmTransition]:
    watch = PartitionWatch(0)
    made = [event for record in records(told(0, 40)) for event in watch.see(record)]
    return [event for event in made if isinstance(event, AlarmTransition)]


def test_equal_journals_have_no_difference() -> None:
    assert diff(journal(), journal()) == []


def test_an_event_of_one_side_is_named_with_its_side() -> None:
    both = journal()
    assert list(lines(diff(both, both[1:]))) == [f"- {in_words(both[0])}"]
    assert list(lines(diff(both[:-1], both))) == [f"+ {in_words(both[-1])}"]
    assert in_words(both[0]).startswith("2026-01-01T12:00:")
    assert "alarm BR101/P/limit-h raised BR101" in in_words(both[0])


def test_a_part_that_differs_is_named_with_both_values() -> None:
    live = journal()
    other = replace(live[0].explanation, value=7.5)
    changed = [replace(live[0], explanation=other), *live[1:]]
    first, part = lines(diff(live, changed))
    assert first == f"~ {in_words(live[0])}"
    value = live[0].explanation.value
    assert part == f"    explanation.value: live {value}, replayed 7.5"
