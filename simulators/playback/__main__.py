"""`python -m simulators.playback`: a recorded run behind an OPC UA server."""

from __future__ import annotations

import contextlib
import logging
import sys
import time

from shared import process
from shared.settings import ServiceSettings
from simulators.audience import Audience
from simulators.outlet import Outlet
from simulators.playback.player import Player, variables
from simulators.playback.recording import read
from simulators.servers.flat import FlatServer
from simulators.settings import PlaybackSettings
from simulators.start import endpoint, pace
from simulators.truth import Truth

_log = logging.getLogger("simulators.playback")


def clock() -> int:
    """Return wall time, us UTC."""
    return time.time_ns() // 1000


async def main(settings: ServiceSettings) -> None:
    """Play the recording, then serve its last values until cancelled."""
    assert isinstance(settings, PlaybackSettings)  # noqa: S101  given by `load` below
    settings.data.mkdir(parents=True, exist_ok=True)
    recording = read(settings.file, settings.layout)
    served = variables(recording, settings.site, settings.area)
    server = FlatServer(endpoint(settings), served, keep=settings.keep)
    await server.build()
    with contextlib.ExitStack() as stack:
        truth = None
        if settings.truth:
            nodes = [variable.node for variable in served]
            truth = stack.enter_context(Truth(settings.data, clock(), nodes))
        async with server:
            _log.info("ready at %s: %d variables", server.url, len(served))
            player = Player(
                recording,
                server,
                Outlet(server, truth),
                audience=Audience(server, clock, pace(settings).wait),
                folder=settings.data,
                clock=clock,
            )
            await player.run(speed=settings.speed, shift=settings.shift)


if __name__ == "__main__":
    sys.exit(process.run(PlaybackSettings.load, main, "playback"))
