"""What a vessel goes on with when plant.yaml changes: state by name of check. Pure.

The state of a check moves to the check of the same name, that of a tag to the tag of
the same id, wherever the new configuration numbers them. A new limit, delay or priority
is a new setting of the same check. What else is new begins with nothing known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.monitor.detectors.seen import NEVER
from shared.checks import NoData, Noise, Residual, SampleCheck, Skew
from shared.vector_checks import VectorCheck

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from services.monitor.catalogue import Check

    State = dict[str, Any]

_SET_ANEW = {
    *("name", "priority", "on_delay_s", "off_delay_s", "latch", "advice", "phases"),
    *("suppressed_phases", "covered_by", "sensitivity", "side", "band"),
}
"""Settings of a learned check that its model does not depend on."""
_DETECTORS = (
    "limits",
    "rates",
    "frozen",
    "scatters",
    "states",
    "qualities",
    "silences",
    "skews",
)


@dataclass(frozen=True, slots=True)
class Numbered:
    """The checks and tag ids of a vessel in the order of their numbers."""

    checks: Sequence[Check]
    tags: Sequence[int]


def is_same(old: Check, new: Check) -> bool:
    """Whether what is known of the check `old` says something about `new`."""
    if type(old.settings) is not type(new.settings):
        return False
    of_vessel = isinstance(new.settings, NoData | Skew)  # its tag stands for the others
    return (of_vessel or old.tag_id == new.tag_id) and _model(old) == _model(new)


def _model(check: Check) -> dict[str, Any]:
    """Return the settings with which a learned model stands and falls."""
    if not isinstance(check.settings, Residual | SampleCheck | VectorCheck):
        return {}
    return check.settings.model_dump(exclude=_SET_ANEW)


def places(old: Sequence[Check], new: Sequence[Check]) -> dict[int, int]:
    """Return, by number in `new`, the number in `old` of the same check."""
    number = {check.name: place for place, check in enumerate(old)}
    return {
        place: number[check.name]
        for place, check in enumerate(new)
        if check.name in number and is_same(old[number[check.name]], check)
    }


def carried(fresh: State, state: State, new: Numbered, old: Numbered) -> State:
    """Return the state to go on with.

    Args:
        fresh: what the new watch's `state` returns before anything is known; owned.
        state: what the old watch's `state` returned; owned.
        new: of the new watch.
        old: of the old one.
    """
    by_check = places(old.checks, new.checks)
    of_tag = {tag: number for number, tag in enumerate(old.tags)}
    by_tag = {n: of_tag[tag] for n, tag in enumerate(new.tags) if tag in of_tag}
    found = fresh | {"phase": state["phase"], "gaps": state["gaps"]}
    found["came"] = _moved(fresh["came"], state["came"], by_tag)
    _move(found["columns"], state["columns"], by_tag)
    _move(found["pace"], state["pace"], by_tag)
    found["history"] = _history(state["history"], len(new.tags), by_tag)
    found["raw"] = _moved(fresh["raw"], state["raw"], by_check)
    board = found["board"]
    board |= {name: state["board"][name] for name in ("done", "doing", "known")}
    board["alarms"] = [
        alarm | {"priority": settings.priority, "latch": settings.latch}
        for alarm, settings in zip(
            _moved(board["alarms"], state["board"]["alarms"], by_check),
            [check.settings for check in new.checks],
            strict=True,
        )
    ]
    _move_bench(found["bench"], state["bench"], by_check, new, old)
    _move_delays(found["delays"], state["delays"], by_check, new, old)
    _renumber(found)
    return found


def _moved(fresh: list[Any], old: list[Any], at: Mapping[int, int]) -> list[Any]:
    return [old[at[n]] if n in at else entry for n, entry in enumerate(fresh)]


def _move(fresh: State, old: State, at: Mapping[int, int]) -> None:
    """Move the entries of every column."""
    for name, column in fresh.items():
        fresh[name] = _moved(column, old[name], at)


def _history(old: State, tags: int, by_tag: Mapping[int, int]) -> State:
    def row(values: list[Any]) -> list[Any]:
        return [values[by_tag[n]] if n in by_tag else 0 for n in range(tags)]

    return {"steps": [[step, *map(row, rows)] for step, *rows in old["steps"]]}


def _move_bench(
    fresh: State,
    old: State,
    by_check: Mapping[int, int],
    new: Numbered,
    before: Numbered,
) -> None:
    def within(detector: str) -> dict[int, int]:
        mine = [n for n, c in enumerate(new.checks) if c.detector == detector]
        theirs = [n for n, c in enumerate(before.checks) if c.detector == detector]
        of = {number: place for place, number in enumerate(theirs)}
        return {place: of[by_check[n]] for place, n in enumerate(mine) if n in by_check}

    for detector in _DETECTORS:
        _move(fresh[detector], old[detector], within(detector))
    for detector in ("residuals", "samples", "vectors"):
        learned = _moved(fresh[detector], old[detector], within(detector))
        fresh[detector] = learned
    noisy = [n for n, c in enumerate(new.checks) if isinstance(c.settings, Noise)]
    for place, number in enumerate(noisy):
        if number in by_check and _window_differs(
            new.checks[number], before.checks[by_check[number]]
        ):
            part = fresh["scatters"]
            part["window"][place], part["count"][place] = -1, 0
            part["squares"][place] = 0.0


def _window_differs(new: Check, old: Check) -> bool:
    one, other = new.settings, old.settings
    return (
        isinstance(one, Noise)
        and isinstance(other, Noise)
        and one.over_s != other.over_s
    )


def _move_delays(
    fresh: State,
    old: State,
    by_check: Mapping[int, int],
    new: Numbered,
    before: Numbered,
) -> None:
    """Move the timers; one that runs gets as much longer as its delay did."""
    _move(fresh, old, by_check)
    for number, place in by_check.items():
        now, then = new.checks[number].settings, before.checks[place].settings
        left, on, standing, first = fresh["delays"][number]
        longer = _us(now.on_delay_s) - _us(then.on_delay_s)
        if not standing:
            left = max(left + longer, 0)
        fresh["delays"][number] = [left, on, standing, first]
        if not on:
            longer = _us(now.off_delay_s) - _us(then.off_delay_s)
        if fresh["due"][number] < NEVER:
            fresh["due"][number] += longer


def _us(seconds: float) -> int:
    return round(seconds * 1e6)


def _renumber(state: State) -> None:
    """Let edges name their check by its new number; they begin with it."""
    firsts = [delay[3] for delay in state["delays"]["delays"]]
    for edges in (state["raw"], firsts):
        for number, edge in enumerate(edges):
            if edge is not None:
                edge[0] = number
