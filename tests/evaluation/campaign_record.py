"""What was said of each batch of a campaign, as lines of JSON that outlive a stop."""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

from shared.alarm_kpis import Turn
from shared.events import AlarmState, Cause

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Told:
    """One batch; times are us from its begin."""

    number: int
    """Of its family in the campaign."""
    fault: str | None
    length: int
    ours: tuple[Turn, ...]
    """Turns of our alarms, each alarm's in their order."""
    plain: tuple[Turn, ...]
    """Turns of the plain alarm set's."""

    @property
    def key(self) -> tuple[int, str | None]:
        """Return what tells it from the others of its campaign."""
        return self.number, self.fault


class Record:
    """A file of batches, a line each.

    Bounded by: the campaign. When full (the disk): OSError; whole lines stay. Order:
    that of noting. Duplicates: the last line of a batch counts. On cancel: a line that
    is not whole is dropped when the file is opened again.
    """

    def __init__(self, path: Path) -> None:
        """Go on with a file, or begin one."""
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = path.read_text("utf-8").rpartition("\n")[0] if path.exists() else ""
        lines = whole.splitlines()
        self._known = {one.key: one for one in map(_told, map(json.loads, lines))}
        path.write_text("".join(f"{line}\n" for line in lines), "utf-8")

    def note(self, told: Told) -> None:
        """Append a batch."""
        self._known[told.key] = told
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(_body(told), separators=(",", ":")) + "\n")

    def __contains__(self, key: tuple[int, str | None]) -> bool:
        return key in self._known

    def of(self, keys: Sequence[tuple[int, str | None]]) -> list[Told]:
        """Return those batches that are noted, in the order asked for."""
        return [self._known[key] for key in keys if key in self._known]


def _body(told: Told) -> dict[str, Any]:
    return {
        "number": told.number,
        "fault": told.fault,
        "length": told.length,
        "ours": [astuple(turn) for turn in told.ours],
        "plain": [astuple(turn) for turn in told.plain],
    }


def _told(body: Mapping[str, Any]) -> Told:
    return Told(
        number=body["number"],
        fault=body["fault"],
        length=body["length"],
        ours=tuple(map(_turn, body["ours"])),
        plain=tuple(map(_turn, body["plain"])),
    )


def _turn(row: Sequence[Any]) -> Turn:
    alarm, check, priority, cause, before, after, time, known = row
    states = AlarmState(before), AlarmState(after)
    return Turn(alarm, check, priority, Cause(cause), *states, time, known)
