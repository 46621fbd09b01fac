"""The alarms of one vessel: what the machine decides becomes transitions with words."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from services.monitor import alarms
from services.monitor.alarms import Alarm, Step
from shared.events import (
    AlarmState,
    AlarmTransition,
    Cause,
    Command,
    Explanation,
    Moved,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from services.monitor.catalogue import Check

COMMANDS_KEPT = 1_000
"""Ids of commands by which a repeat is recognised, per vessel."""
CONTEXTS_KEPT = 8


@dataclass(frozen=True, slots=True)
class Doing:
    """What the vessel does from a time on, us UTC."""

    since: int
    batch: str | None
    phase: str | None


@dataclass(frozen=True, slots=True)
class Applied:
    """A plant.yaml that takes effect, as far as it changes alarms."""

    time: int
    """When it was applied, us UTC."""
    actor: str
    comment: str


class Board:
    """Alarms by number of their check.

    Bounded by: one alarm per check, the last COMMANDS_KEPT command ids.
    When full: the oldest command ids are forgotten; so old a repeat counts anew.
    Order: that of the calls. Duplicates: a command id counts once.
    On cancel: nothing waits here.
    """

    def __init__(self, vessel: str, checks: Sequence[Check]) -> None:
        self._vessel = vessel
        self._checks = checks
        self._alarms = [
            Alarm(c.name, c.settings.priority, c.settings.latch) for c in checks
        ]
        self._done: deque[str] = deque(maxlen=COMMANDS_KEPT)
        self._doing: deque[Doing] = deque(maxlen=CONTEXTS_KEPT)
        self.known = 0
        """Time of the last clock record, us UTC."""

    def does(self, doing: Doing) -> list[AlarmTransition]:
        """Take what the vessel does from a time on, and what that suppresses."""
        self._doing.append(doing)
        return self.suppress(doing.since)

    def suppress(self, time: int) -> list[AlarmTransition]:
        """Suppress at `time`, us UTC, what the design says, and nothing else."""
        phase = self._doing[-1].phase if self._doing else None
        found: list[AlarmTransition] = []
        for check, alarm in enumerate(self._alarms):
            named = phase in self._checks[check].settings.suppressed_phases
            why = f"phase {phase}" if named else ""
            if why == alarm.design:
                continue
            step = alarms.suppressed(alarm, why) if why else alarms.unsuppressed(alarm)
            found += self._told(check, step, time, comment=why)
        return found

    def doing(self, time: int) -> Doing:
        """Return what the vessel did at a time, us UTC."""
        found = [d for d in self._doing if d.since <= time]
        return found[-1] if found else Doing(0, None, None)

    def shows(self, check: int, rising: bool) -> bool:  # noqa: FBT001
        """Whether people see an alarm that stands, or will when its delay is over.

        Args:
            check: its number.
            rising: whether its condition is there.
        """
        alarm = self._alarms[check]
        return alarm.hidden is None and (alarm.standing or rising)

    def raised(
        self, check: int, time: int, explanation: Explanation
    ) -> list[AlarmTransition]:
        """Raise an alarm; one that is suppressed says why it is."""
        step = alarms.raised(self._alarms[check], time, explanation)
        return self._told(check, step, time, comment=step.alarm.design)

    def returned(self, check: int, time: int) -> list[AlarmTransition]:
        """Let an alarm's condition be gone."""
        return self._told(check, alarms.returned(self._alarms[check]), time)

    def clock(self, now: int) -> list[AlarmTransition]:
        """End the shelves that are over at `now`, us UTC."""
        self.known = now
        return [
            transition
            for check, alarm in enumerate(self._alarms)
            if alarm.until is not None
            for transition in self._told(check, alarms.passed(alarm, now), now)
        ]

    def command(self, command: Command) -> list[AlarmTransition]:
        """Obey a command; a repeat and what does not apply give nothing."""
        if command.id in self._done:
            return []
        self._done.append(command.id)
        return [
            transition
            for check, alarm in enumerate(self._alarms)
            if alarm.occurrence == command.alarm
            for transition in self._told(
                check, alarms.commanded(alarm, command), command.time, command
            )
        ]

    def revised(
        self, check: int, since: int, occurrence: str, explanation: Explanation
    ) -> AlarmTransition:
        """Return what late readings showed: silent unless the alarm stands now."""
        alarm = self._alarms[check]
        priority = alarm.priority if alarm.standing else alarms.RECORD_ONLY
        step = Step(alarm, Cause.REVISED)
        return self._transition(
            check, step, since,
            alarm=occurrence, explanation=explanation, priority=priority,
            detected_late=True,
        )  # fmt: skip

    def withdrawn(self, checks: Sequence[int], by: Applied) -> list[AlarmTransition]:
        """End the alarms of checks that are no more, so that none stays for ever."""
        return [
            transition
            for check in checks
            for transition in self._told(
                check, alarms.withdrawn(self._alarms[check]), by.time, by
            )
        ]

    def _told(
        self,
        check: int,
        step: Step,
        time: int,
        by: Command | Applied | None = None,
        *,
        comment: str = "",
    ) -> list[AlarmTransition]:
        before = self._alarms[check].state
        self._alarms[check] = step.alarm
        if step.cause is None:
            return []
        said = {"comment": comment} if by is None else _by(by)
        return [self._transition(check, step, time, before=before, **said)]

    def _transition(
        self,
        check: int,
        step: Step,
        time: int,
        **parts: Any,  # noqa: ANN401
    ) -> AlarmTransition:
        doing = self.doing(time)
        alarm = step.alarm
        body = {
            "alarm": alarm.occurrence,
            "priority": alarm.priority,
            "before": alarm.state,
            "explanation": alarm.explanation,
        }
        return AlarmTransition(
            check=alarm.check,
            vessel=self._vessel,
            cause=step.cause or Cause.REVISED,
            after=alarm.state,
            time=time,
            known=self.known or time,
            batch=doing.batch,
            phase=doing.phase,
            simulated=self._checks[check].simulated,
            **(body | parts),
        )

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, JSON."""
        return {
            "alarms": [asdict(alarm) for alarm in self._alarms],
            "done": list(self._done),
            "doing": [asdict(doing) for doing in self._doing],
            "known": self.known,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self._alarms = [_alarm(body) for body in state["alarms"]]
        self._done = deque(state["done"], maxlen=COMMANDS_KEPT)
        self._doing = deque((Doing(**d) for d in state["doing"]), maxlen=CONTEXTS_KEPT)
        self.known = state["known"]


def _by(said: Command | Applied) -> dict[str, Any]:
    until = said.until if isinstance(said, Command) else None
    return {"actor": said.actor, "comment": said.comment, "until": until}


def _verdict(body: Mapping[str, Any] | None) -> Verdict | None:
    if body is None:
        return None
    lists = {name: tuple(body[name]) for name in ("evidence", "ranked")}
    return Verdict(**(dict(body) | lists))


def _alarm(body: Mapping[str, Any]) -> Alarm:
    said = body["explanation"]
    explanation = None
    if said is not None:
        moved = tuple(Moved(**tag) for tag in said["moved"])
        explanation = Explanation(
            **(said | {"moved": moved, "verdict": _verdict(said.get("verdict"))})
        )
    state = AlarmState(body["state"])
    return Alarm(**(dict(body) | {"state": state, "explanation": explanation}))
