"""Server silent, session dead, network cut: one alarm for ninety tags, not ninety."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from services.monitor.partition import PartitionWatch
from shared.events import AlarmTransition
from tests.neighbours.story import (
    NOON_US,
    S_US,
    clock,
    configuration,
    liveness,
    readings,
    records,
    rows,
)

if TYPE_CHECKING:
    from shared.bus import Message

VESSELS, TAGS = 3, 30
SILENT_AT = 60
IDS = [100 * v + t for v in range(1, VESSELS + 1) for t in range(TAGS)]
LIMIT = {"side": "h", "value": 50.0}
CHECKS: dict[str, Any] = {"limits": [LIMIT], "frozen": {"after_s": 60.0}}


def tag(number: int) -> dict[str, Any]:
    """Return a tag that a limit and a frozen value are watched on."""
    node = f"ns=2;s={number}"
    return {"id": number, "name": f"T{number}", "node": node, "checks": CHECKS}


def vessel(number: int) -> dict[str, Any]:
    """Return a vessel of thirty tags."""
    tags = [tag(i) for i in IDS if i // 100 == number]
    return {"name": f"BR10{number}", "server": "dcs", "partition": 0, "tags": tags}


PLANT = {
    "site": "Basel",
    "servers": [
        {"name": "dcs", "url": "opc.tcp://127.0.0.1:4840", "heartbeat": {"id": 999}}
    ],
    "vessels": [vessel(number) for number in range(1, VESSELS + 1)],
}


def second(s: int) -> Message:
    """Return all readings of a second; each differs from the last."""
    time = NOON_US + s * S_US
    return readings(rows(IDS, [time] * len(IDS), [20.0 + 0.01 * (s % 7)] * len(IDS)))


def after_silence(what: str, s: int) -> list[Message]:
    """Return what a collector still writes in a second of the silence."""
    if what == "server silent":
        return [clock(s + 0.3)]
    if what == "session dead":
        return [liveness(SILENT_AT), clock(s + 0.3)]
    return [] if s < SILENT_AT + 30 else [clock(s + 0.3)]


@pytest.mark.parametrize("what", ["server silent", "session dead", "network cut"])
def test_whatever_makes_a_server_silent_is_one_alarm(what: str) -> None:
    messages = [configuration(yaml.safe_dump(PLANT))]
    for s in range(SILENT_AT):
        messages += [second(s), liveness(s + 0.2), clock(s + 0.3)]
    for s in range(SILENT_AT, SILENT_AT + 300):
        messages += after_silence(what, s)
    watch = PartitionWatch(0)
    events = [event for record in records(messages) for event in watch.see(record)]
    (raised,) = (event for event in events if isinstance(event, AlarmTransition))
    assert raised.check == "dcs/no-data"
    assert raised.time <= NOON_US + (SILENT_AT + 60) * S_US
