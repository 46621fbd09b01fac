"""What a new plant.yaml changes for the monitor, in words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.events import Change

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic import BaseModel

    from shared.checks import TagChecks
    from shared.plant import Plant
    from shared.wire import ConfigurationRecord

CONFIGURATION = "configuration"
BEGINS_ANEW = "checks-begin-anew"
"""A new configuration changed what learned checks of a vessel learn from: these start
from nothing."""
STARTED = "monitor-started"
RELEARNS = "monitor-relearns"
"""The monitor lost what it knew of a partition and reads its past again."""

MOST_DETAILS = 1_000
"""Changed settings that an event names; the rest is counted."""

OF_THE_PROCESS = frozenset({STARTED, RELEARNS})
"""Changes that no record of the log made: a replay does not have them."""


def configuration_change(
    before: ConfigurationRecord | None,
    old: Plant | None,
    record: ConfigurationRecord,
    new: Plant,
) -> Change:
    """Return the event of an applied plant.yaml; details name what is watched anew."""
    return Change(
        what=CONFIGURATION,
        time=record.applied_at,
        actor=record.actor,
        old="" if before is None else before.sha256,
        new=record.sha256,
        details={"version": str(record.version)} | _changed(old, new),
    )


def begins_anew(
    record: ConfigurationRecord, vessel: str, checks: Sequence[str]
) -> Change:
    """Return which learned checks of a vessel start from nothing, so that it is said.

    Others go on: a new limit, delay or priority is a new setting of the same check.
    """
    return Change(
        what=BEGINS_ANEW,
        time=record.applied_at,
        actor=record.actor,
        old="",
        new=record.sha256,
        details={
            "vessel": vessel,
            "checks": ", ".join(checks),
            "why": "what was learned belongs to other settings or another tag",
            "state": "warming",
        },
    )


def _changed(old: Plant | None, new: Plant) -> dict[str, str]:
    """Return the changed settings; those of the first plant.yaml are all in it."""
    if old is None:
        return {}
    changed = changed_settings(settings(old), settings(new))
    more = len(changed) - MOST_DETAILS
    kept = dict(list(changed.items())[:MOST_DETAILS])
    return kept if more <= 0 else kept | {"and more": str(more)}


def changed_settings(old: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    """Return `old -> new` of each setting that differs; `-` where there is none."""
    return {
        name: f"{old.get(name, '-')} -> {new.get(name, '-')}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    }


def settings(plant: Plant) -> dict[str, str]:
    """Return every setting of every check by name, `vessel/tag limit h value`."""
    found: dict[str, str] = {}
    for name, part in _checks(plant):
        for field, value in part.model_dump(mode="json").items():
            found[f"{name} {field}"] = str(value)
    return found


def _checks(plant: Plant) -> Iterator[tuple[str, BaseModel]]:
    for server in plant.servers:
        yield f"{server.name} no-data", server.no_data
    for vessel in plant.vessels:
        for tag in vessel.tags:
            if tag.checks is not None:
                yield from _of_tag(f"{vessel.name}/{tag.name}", tag.checks)
        for residual in vessel.residuals:
            yield f"{vessel.name} residual {residual.name}", residual
        for sample in vessel.samples:
            yield f"{vessel.name} sample {sample.name}", sample


def _of_tag(place: str, checks: TagChecks) -> Iterator[tuple[str, BaseModel]]:
    for name, check in checks.named().items():
        yield f"{place} {name.replace('-', ' ')}", check
