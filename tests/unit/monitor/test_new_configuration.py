"""A new plant.yaml changes what it changes; everything else goes on as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from services.monitor.changes import BEGINS_ANEW
from services.monitor.checkpoint import Checkpoint, decode, encode
from services.monitor.partition import PartitionWatch
from shared.bus import Position
from shared.events import AlarmState, AlarmTransition, Cause, Change
from shared.wire_events import encode_event
from tests.neighbours.story import (
    NOON_US,
    S_US,
    YAML,
    configuration,
    readings,
    records,
    rows,
    told,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.bus import Record
    from shared.wire_events import Event

SECONDS = 60
T, P = "BR101/T/limit-h", "BR101/P/limit-h"
STORY = records(told(0, SECONDS))


def changed(change: Callable[[dict[str, Any]], object], number: int = 2) -> Record:
    """Return the record of plant.yaml after a change of its body."""
    body = yaml.safe_load(YAML)
    change(body)
    return records([configuration(yaml.safe_dump(body, sort_keys=False), number)])[0]


def limit(body: dict[str, Any], tag: int = 0) -> dict[str, Any]:
    """Return the first limit of a tag of BR101."""
    found: dict[str, Any] = body["vessels"][0]["tags"][tag]["checks"]["limits"][0]
    return found


def run(watch: PartitionWatch, part: list[Record]) -> list[Event]:
    return [event for record in part for event in watch.see(record)]


def alarms(events: list[Event], check: str) -> list[AlarmTransition]:
    return [e for e in events if isinstance(e, AlarmTransition) and e.check == check]


def until_standing(check: str) -> tuple[PartitionWatch, int, AlarmTransition]:
    """Return a watch just after an alarm was raised, and the next record."""
    watch = PartitionWatch(0)
    for number, record in enumerate(STORY):
        raised = alarms(watch.see(record), check)
        if raised and raised[-1].cause is Cause.RAISED:
            return watch, number + 1, raised[-1]
    raise AssertionError(check)


def test_checks_that_stay_tell_what_they_would_have_told() -> None:
    def other(body: dict[str, Any]) -> None:
        tags = body["vessels"][0]["tags"]
        tags.insert(0, {"id": 5, "name": "NEW", "node": "ns=2;s=new"})
        tags[3]["checks"] = {"rate": {"per_min": 9999.0}}
        limit(body, 2)["advice"] = "another one"

    def others(events: list[Event]) -> list[bytes]:
        return [encode_event(e)[1] for e in events if getattr(e, "check", "") != P]

    plain = run(PartitionWatch(0), STORY)
    for at in range(8, len(STORY), 17):
        watch = PartitionWatch(0)
        found = run(watch, STORY[:at])
        assert [type(e) for e in watch.see(changed(other))] == [Change]
        found += run(watch, STORY[at:])
        assert others(found) == others(plain)
        assert len(found) == len(plain)


def test_a_standing_alarm_goes_on_with_its_new_priority() -> None:
    watch, at, raised = until_standing(T)
    watch.see(changed(lambda body: limit(body).update(priority=1, value=37.4)))
    (returned,) = alarms(run(watch, STORY[at : at + 60]), T)[:1]
    assert (returned.cause, returned.alarm) == (Cause.RETURNED, raised.alarm)
    assert (raised.priority, returned.priority) == (3, 1)


def test_the_alarm_of_a_removed_check_ends_in_the_journal() -> None:
    watch, at, raised = until_standing(T)
    events = watch.see(
        changed(lambda body: body["vessels"][0]["tags"][0].pop("checks"))
    )
    (ended,) = alarms(events, T)
    assert (ended.cause, ended.before, ended.after) == (
        Cause.WITHDRAWN,
        AlarmState.UNACKNOWLEDGED,
        AlarmState.NORMAL,
    )
    assert (ended.alarm, ended.actor) == (raised.alarm, "engineer")
    assert ended.comment == "no such check in version 2 of plant.yaml"
    assert not alarms(run(watch, STORY[at:]), T)


def test_the_alarms_of_a_removed_vessel_end_in_the_journal() -> None:
    watch, _, raised = until_standing(T)
    events = watch.see(changed(lambda body: body["vessels"].pop(0)))
    ended = [e for e in events if isinstance(e, AlarmTransition)]
    assert [(e.alarm, e.cause) for e in ended if e.check == T] == [
        (raised.alarm, Cause.WITHDRAWN)
    ]


def test_a_value_that_holds_is_held_against_the_new_limit_at_once() -> None:
    watch = PartitionWatch(0)
    held = readings(rows([14], [NOON_US], [45.0]))
    beats = [m for m in told(0, 30) if m.headers["kind"] in {"clock", "liveness"}]
    run(watch, records([configuration(), held, *beats[:16]]))
    tight = changed(lambda body: limit(body, 3).update(value=40))
    later = beats[16:]
    raised = alarms(run(watch, [tight, *records(later)]), "BR101/SP/limit-hh")
    assert [each.cause for each in raised] == [Cause.RAISED]
    assert raised[0].explanation.value == 45.0


@pytest.mark.parametrize(("delay", "raised_at"), [(1, 15.011), (20, 35.0)])
def test_a_running_timer_follows_its_new_delay(delay: float, raised_at: float) -> None:
    watch = PartitionWatch(0)
    # two seconds into the excursion that begins at second 15
    run(watch, [r for r in STORY if r.position.offset <= 1 + 3 * 19])
    events = watch.see(changed(lambda body: limit(body).update(on_delay_s=delay)))
    events += run(watch, STORY[1 + 3 * 19 + 1 :])
    found = [e for e in alarms(events, T) if e.cause is Cause.RAISED]
    first = (found[0].time - NOON_US) / S_US if found else None
    if delay == 1:
        assert first is not None
        assert raised_at + 1.0 <= first <= raised_at + 4.0
    else:  # the excursion lasts ten seconds
        assert first is None


def learned(body: dict[str, Any], **more: Any) -> None:
    """Give BR101 a residual that is soon out of its band."""
    residual = {
        "name": "balance", "terms": {"L": 1.0}, "every_s": 30, "settle_s": 0,
        "on_delay_s": 0, "sensitivity": 1,
    }  # fmt: skip
    body["vessels"][0]["residuals"] = [residual | more]


def test_a_model_goes_on_under_a_new_width_and_learns_anew_on_other_terms() -> None:
    long = records(told(0, 420))
    watch = PartitionWatch(0)
    watch.see(changed(learned, 1))
    run(watch, long[1:])
    residual = "BR101/residual/balance"
    model = watch.vessels["BR101"].watch.snapshot("balance")
    wider = watch.see(changed(lambda body: learned(body, band=5.0), 2))
    assert not [e for e in wider if getattr(e, "what", "") == BEGINS_ANEW]
    then = watch.vessels["BR101"].watch.snapshot("balance")
    assert model != then  # the width is in it
    watch.see(changed(learned, 3))
    assert watch.vessels["BR101"].watch.snapshot("balance") == model
    other = watch.see(changed(lambda body: learned(body, terms={"L": 2.0}), 4))
    ended = alarms(other, residual)
    assert [e.cause for e in ended] == [Cause.WITHDRAWN]
    (anew,) = [e for e in other if isinstance(e, Change) and e.what == BEGINS_ANEW]
    assert (anew.details["vessel"], anew.details["checks"]) == ("BR101", residual)


def test_a_checkpoint_taken_after_a_change_goes_on_exactly() -> None:
    change = changed(lambda body: limit(body).update(priority=2, on_delay_s=4))
    story = [*STORY[:50], change, *STORY[50:]]
    undisturbed = PartitionWatch(0)
    whole = [undisturbed.see(record) for record in story]
    watch = PartitionWatch(0)
    for number, record in enumerate(story):
        assert watch.see(record) == whole[number]
        if number % 7 == 1:
            here = Position("epoch", number)
            watch = decode(b"".join(encode(Checkpoint(watch, here, here)))).watch
