"""A phase in which a check means nothing: on record, shown to nobody, then shown."""

from __future__ import annotations

from services.monitor.board import Applied
from shared.checks import Limit, TagChecks
from shared.events import AlarmState, Cause
from tests.neighbours.watched import NOON, S, block, told, watching

HIGH = Limit(side="h", value=21.0, on_delay_s=10, suppressed_phases=("Sterilise",))
CHECKS = {"A": TagChecks(limits=(HIGH,))}


def test_an_alarm_of_a_suppressing_phase_is_on_record_and_shown_when_it_ends() -> None:
    watch = watching(CHECKS)
    assert watch.context(NOON, "B1", "Sterilise") == []
    hot = watch.readings(block(1, range(60), 25.0))
    (raised,) = told(hot)
    assert (raised.cause, raised.before) == (Cause.RAISED, AlarmState.NORMAL)
    assert (raised.after, raised.comment) == (AlarmState.SUPPRESSED, "phase Sterilise")
    assert raised.explanation.value == 25.0
    (shown,) = told(watch.context(NOON + 60 * S, "B1", "Growth"))
    assert (shown.alarm, shown.cause) == (raised.alarm, Cause.UNSUPPRESSED)
    assert (shown.after, shown.phase) == (AlarmState.UNACKNOWLEDGED, "Growth")
    (again,) = told(watch.context(NOON + 90 * S, "B1", "Sterilise"))
    assert (again.cause, again.after) == (Cause.SUPPRESSED, AlarmState.SUPPRESSED)


def test_a_phase_that_plant_yaml_names_no_more_suppresses_nothing() -> None:
    old = watching(CHECKS)
    old.context(NOON, "B1", "Sterilise")
    old.readings(block(1, range(60), 25.0))
    plain = HIGH.model_copy(update={"suppressed_phases": ()})
    new = watching({"A": TagChecks(limits=(plain,))})
    events, _ = new.follow(old, Applied(NOON + 70 * S, "anna", "version 2"))
    (shown,) = told(events)
    assert (shown.cause, shown.after) == (Cause.UNSUPPRESSED, AlarmState.UNACKNOWLEDGED)
