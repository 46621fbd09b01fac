"""Builders for tests of the monitor's core: a small plant, blocks, edges of time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from services.monitor.vessel import VesselWatch
from shared.checks import TagChecks
from shared.events import AlarmTransition, Cause
from shared.plant import Heartbeat, Plant, Server, Tag, Vessel
from shared.readings import Block

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.checks import Residual
    from shared.vector_checks import VectorCheck
    from shared.wire_events import Event

S = 1_000_000
NOON = 1_780_000_020_000_000
"""A whole minute, us UTC."""
BAD = 0x80310000
OUT_OF_SERVICE = 0x808D0000


def plant(
    checks: Mapping[str, TagChecks | None],
    residuals: Sequence[Residual] = (),
    vectors: Sequence[VectorCheck] = (),
) -> Plant:
    """Return a plant of one vessel with tags 1, 2, ... in that order."""
    tags = tuple(
        Tag(id=i, name=name, node=f"ns=2;s={name}", unit="Cel", checks=check)
        for i, (name, check) in enumerate(checks.items(), 1)
    )
    vessel = Vessel(
        name="BR101",
        server="sim",
        partition=0,
        tags=tags,
        residuals=tuple(residuals),
        vectors=tuple(vectors),
    )
    beat = Heartbeat(id=999)
    server = Server(name="sim", url="opc.tcp://h:1/", heartbeat=beat, simulated=True)
    return Plant(site="s", servers=(server,), vessels=(vessel,))


def watching(
    checks: Mapping[str, TagChecks | None],
    residuals: Sequence[Residual] = (),
    vectors: Sequence[VectorCheck] = (),
) -> VesselWatch:
    """Return a watch of such a vessel, which also answers for its server."""
    made = plant(checks, residuals, vectors)
    return VesselWatch(made, made.vessels[0], servers=made.servers)


def block(
    tag: Sequence[int] | int,
    seconds: Sequence[float],
    value: Sequence[float] | float,
    status: int = 0,
) -> Block:
    """Return readings at `seconds` after noon."""
    n = len(seconds)
    time = np.array([NOON + round(s * S) for s in seconds], np.int64)
    return Block(
        tag=np.full(n, tag, np.int32) if isinstance(tag, int) else np.array(tag, "i4"),
        time=time,
        value=np.full(n, value, float) if isinstance(value, float) else np.array(value),
        status=np.full(n, status, np.uint32),
        tie=np.zeros(n, np.int32),
        received=time,
        server=np.zeros(n, np.int32),
    )


def told(events: Sequence[Event], cause: Cause | None = None) -> list[AlarmTransition]:
    """Return the alarm transitions, of one cause or of all."""
    return [
        event
        for event in events
        if isinstance(event, AlarmTransition) and cause in {None, event.cause}
    ]


def after(time: int) -> float:
    """Return seconds after noon."""
    return (time - NOON) / S
