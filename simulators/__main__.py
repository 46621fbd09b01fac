"""`python -m simulators`: a simulated plant behind an OPC UA server."""

from __future__ import annotations

import contextlib
import logging
import sys
import time

from shared import process
from shared.settings import ServiceSettings
from simulators.loop import Loop
from simulators.outlet import Outlet
from simulators.servers.batch_desk import BatchDesk
from simulators.servers.fault_desk import FaultDesk
from simulators.servers.flat import FlatServer
from simulators.servers.lads import LadsProfile
from simulators.servers.variables import of_site
from simulators.settings import SimulatorSettings
from simulators.start import endpoint, pace, start
from simulators.truth import Truth

_log = logging.getLogger("simulators")


def clock() -> int:
    """Return wall time, us UTC."""
    return time.time_ns() // 1000


async def main(settings: ServiceSettings) -> None:
    """Run the plant until cancelled."""
    assert isinstance(settings, SimulatorSettings)  # noqa: S101  given by `load` below
    settings.data.mkdir(parents=True, exist_ok=True)
    begun = start(settings, clock())
    site = begun.site
    variables = of_site(settings.site, settings.area, site.suites)
    server = FlatServer(
        endpoint(settings),
        variables,
        keep=settings.keep,
        history_in=settings.data / "history" if settings.keep_on_disk else None,
    )
    await server.build()
    desk, batches = FaultDesk(site), BatchDesk(site)
    await server.offer(desk, batches)
    if settings.lads:
        await server.show_lads(LadsProfile(batches, site.operate))
    server.accept(site.operate)
    with contextlib.ExitStack() as stack:
        truth = None
        if settings.truth:
            nodes = [variable.node for variable in variables]
            truth = stack.enter_context(Truth(settings.data, clock(), nodes))
        loop = Loop(
            site,
            server,
            Outlet(server, truth),
            pace=pace(settings),
            folder=settings.data,
            clock=clock,
            mode=begun.mode,
            desk=desk,
        )
        await loop.publish_first()
        async with server:
            _log.info("ready at %s: %d variables", server.url, len(variables))
            await loop.run()


if __name__ == "__main__":
    sys.exit(process.run(SimulatorSettings.load, main, "simulator"))
