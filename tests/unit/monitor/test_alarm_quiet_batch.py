"""The default alarm set keeps silent over whole fault-free batches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml

from services.monitor.vessel import VesselWatch
from shared.events import Cause
from shared.plant import Heartbeat, Plant, Server, Tag, Vessel
from shared.readings import Block
from simulators import plant as simulated
from simulators.tags import TAGS
from tests.neighbours.watched import NOON, S, told

if TYPE_CHECKING:
    from shared.events import AlarmTransition
    from shared.wire_events import Event

CHECKS = Path(__file__).parents[3] / "deploy" / "embedded" / "cho_checks.yaml"
STEP_S = 120
IDS = np.arange(1, len(TAGS) + 1, dtype=np.int32)


def vessel_of_the_demo() -> Plant:
    body = yaml.safe_load(CHECKS.read_text(encoding="utf-8"))
    tags = tuple(
        Tag.model_validate(
            {
                "id": number,
                "name": tag.name,
                "node": f"ns=2;s={tag.name}",
                "report": "each" if tag.each else "change",
                "checks": body["tags"].get(tag.name),
            }
        )
        for number, tag in enumerate(TAGS, 1)
    )
    vessel = Vessel(
        name="BR101", server="sim", partition=0, tags=tags, residuals=body["residuals"]
    )
    server = Server(name="sim", url="opc.tcp://h:1/", heartbeat=Heartbeat(id=999))
    return Plant(site="s", servers=(server,), vessels=(vessel,))


def instant(time: int, values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Block:
    zeros = np.zeros(len(IDS), np.int32)
    times = np.full(len(IDS), time)
    return Block(IDS, times, values, zeros.astype(np.uint32), zeros, times, zeros)


def alarms_of_a_batch(seed: int) -> list[AlarmTransition]:
    """Return what a vessel without faults raises from preparation to cleaning."""
    made = vessel_of_the_demo()
    watch = VesselWatch(made, made.vessels[0], servers=made.servers)
    plant = simulated.Plant(simulated.Layout(("BR101",), seed), NOON)
    end = plant.now + round(plant.layout.recipe.cycle_h * 3600 * S)
    events: list[Event] = []
    before = ""
    while plant.now < end:
        plant.advance(plant.now + STEP_S * S)
        batch, phase, _, _ = plant.context(0)
        if phase != before:
            watch.context(plant.now, batch, phase)
            before = phase
        events += watch.readings(instant(plant.now, plant.values[0].copy()))
    return told(events, Cause.RAISED)


@pytest.mark.parametrize("seed", [11, 12])
def test_a_fault_free_batch_raises_nothing_urgent_and_little_else(seed: int) -> None:
    raised = alarms_of_a_batch(seed)
    assert not [alarm.check for alarm in raised if alarm.priority <= 2]
    assert len(raised) <= 3
