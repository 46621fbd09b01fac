"""The truth about faults: `truth-faults.jsonl`, one JSON object a line, appended.

A line holds all that is known about one fault; it is written again when more is known,
so the last line of an identifier counts. Runs of one plant share the file. Nothing of a
fault is published before its line.

Bounded by: the disk. When full: the write fails and the simulator stops. Order: of
time. Duplicates: lines may repeat after a restart, and say the same. On cancel: a line
is whole, or cut short and left out by `read`.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from simulators.faults.twins import LARGEST

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from simulators.faults.injections import Injection, Injections

FILE = "truth-faults.jsonl"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def described(injections: Injections, one: Injection, seed: int) -> dict[str, Any]:
    """Return one fault's line: times ISO 8601 UTC and us, spans in seconds."""
    fault = injections.fault(one)
    return {
        "id": one.id,
        "fault": one.fault,
        "name": fault.name,
        "class": fault.kind,
        "vessel": injections.vessels[one.vessel],
        "target": fault.target,
        "onset": _iso(one.onset),
        "onset_us": one.onset,
        "end": _iso(one.end),
        "end_us": one.end,
        "ramp_s": one.ramp / 1e6,
        "magnitude": one.magnitude,
        "unit": fault.magnitude.unit,
        "meaning": fault.magnitude.meaning,
        "signature": list(fault.signature),
        "how": dict(fault.signature),
        "what": fault.what,
        "expected": "silent" if fault.alarm_within is None else "alarm",
        "alarm_within_s": None if one.alarm_within is None else one.alarm_within / 1e6,
        "first_detectable": _iso(one.first_detectable),
        "first_detectable_us": one.first_detectable,
        "not_detectable_because": _why_not(injections, one),
        "state": state(one),
        "source": one.source,
        "seed": seed,
    }


def state(one: Injection) -> str:
    """Return `planned`, `at work` or `over`."""
    if one.over:
        return "over" if one.begun else "cancelled"
    return "at work" if one.begun else "planned"


def _why_not(injections: Injections, one: Injection) -> str | None:
    if one.first_detectable is not None:
        return None
    fault = injections.fault(one)
    if fault.unseen is not None:
        return fault.unseen
    if len(injections.vessels) > LARGEST:
        return f"not computed for plants of more than {LARGEST} vessels"
    if not one.begun:
        return "it has not begun"
    return "no tag of its signature is 3 sigma from the plant's fault-free twin"


def _iso(time: int | None) -> str | None:
    if time is None:
        return None
    return (_EPOCH + timedelta(microseconds=time)).isoformat().replace("+00:00", "Z")


class FaultRecord:
    """Appends to the file; makes it with the first line."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def write(
        self, injections: Injections, seed: int, changed: Iterable[Injection]
    ) -> None:
        """Put faults of a plant on record; the kernel has them on return."""
        lines = [json.dumps(described(injections, one, seed)) + "\n" for one in changed]
        if not lines:
            return
        body = self._after_a_cut() + "".join(lines)
        with self.path.open("ab", buffering=0) as file:
            file.write(body.encode())

    def _after_a_cut(self) -> str:
        """Return what ends a line that a kill has cut short."""
        if not self.path.exists() or self.path.stat().st_size == 0:
            return ""
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return "" if file.read() == b"\n" else "\n"


def read(path: Path) -> dict[str, dict[str, Any]]:
    """Return what is known about each fault, by identifier, in order of appearance."""
    found: dict[str, dict[str, Any]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            body = json.loads(line)
        except ValueError:
            continue
        found[body["id"]] = body
    return found
