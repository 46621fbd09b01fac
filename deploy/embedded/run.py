"""`fedbatch demo` and `fedbatch run`: a plant on this machine, until asked to stop."""

from __future__ import annotations

import asyncio
import getpass
import signal
import time
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from deploy.embedded import services
from deploy.embedded.database import kept_database
from deploy.embedded.folder import DataFolder, own_folder
from deploy.embedded.ports import reserved_port
from deploy.embedded.processes import ServiceState, Supervisor
from deploy.embedded.reaching import api_answers, port_listens, reached
from deploy.embedded.screen import Screen
from deploy.embedded.services import Neighbours
from deploy.embedded.simulated import simulated_plant
from shared.bus.open import open_bus
from shared.configuration import apply_configuration, create_topics
from shared.settings import BusSettings, DatabaseSettings
from shared.store.migrations import migrate

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from deploy.embedded.wanted import Wanted
    from shared.wire import ConfigurationRecord

SIMULATOR_PORT = 4840
_PLACES = {True: "demo", False: "run"}


@dataclass(frozen=True, slots=True)
class Place:
    """What this plant owns on this machine."""

    folder: DataFolder
    api_port: int
    simulator_port: int | None
    """None without a simulated plant."""


def run_plant(wanted: Wanted) -> None:
    """Start everything, show it, and stop it when asked (Ctrl-C, SIGTERM, `--for`).

    Raises:
        FolderInUse, NoFreePort, PlantInvalid: before anything is started.
        ServiceDoesNotStart: a service refused three times; all are stopped again.
    """
    root = wanted.data or Path("data") / _PLACES[wanted.plant is None]
    screen = Screen(wanted)
    with ExitStack() as stack:
        folder = stack.enter_context(own_folder(root, or_beside=wanted.data is None))
        simulator_port = None
        if wanted.plant is None:
            simulator_port = stack.enter_context(reserved_port(SIMULATOR_PORT))
        api_port = stack.enter_context(reserved_port(wanted.port))
        place = Place(folder, api_port, simulator_port)
        asyncio.run(_until_asked(_run(wanted, place, screen), wanted.seconds, screen))


async def _until_asked(
    main: Coroutine[object, object, None], seconds: float | None, screen: Screen
) -> None:
    task = asyncio.ensure_future(main)
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()

    def stop() -> None:
        if not asked.is_set():
            asked.set()
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
    if seconds is not None:
        loop.call_later(seconds, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not asked.is_set():
            raise
    screen.ended()


async def _run(wanted: Wanted, place: Place, screen: Screen) -> None:
    folder = place.folder
    screen.steps.note(f"data in {folder.root}")
    async with AsyncExitStack() as stack:
        supervisor = Supervisor(folder.logs, inherit=(folder.children_lock,))
        await stack.enter_async_context(supervisor)
        screen.watch(supervisor)
        source = await _started_simulator(wanted, place, supervisor)
        dsn = await _database(wanted, place, stack, screen)
        stack.push_async_callback(supervisor.stop_all)
        stack.callback(screen.stopping)
        neighbours = Neighbours(wanted.bus or f"local:{folder.log}", dsn)
        if source is not None:
            await _discovered(place, source, supervisor, screen)
        with screen.steps.step("plant.yaml on the log") as add:
            record = await _apply(wanted.plant or folder.plant, neighbours.bus)
            add(f"version {record.version}")
        await _start_services(place, neighbours, supervisor, screen)
        await screen.show()


async def _started_simulator(
    wanted: Wanted, place: Place, supervisor: Supervisor
) -> ServiceState | None:
    """Start the simulated plant, if there is one; it gets ready meanwhile."""
    if place.simulator_port is None:
        return None
    service = services.simulator(
        place.folder,
        port=place.simulator_port,
        vessels=wanted.vessels,
        history=wanted.history,
    )
    return await supervisor.start(service)


async def _database(
    wanted: Wanted, place: Place, stack: AsyncExitStack, screen: Screen
) -> str:
    """Start PostgreSQL unless another one is wanted; return a migrated one's DSN."""
    dsn = wanted.database
    if dsn is None:
        with screen.steps.step("PostgreSQL"):
            database = kept_database(place.folder.postgres, ended=screen.database_said)
            dsn = (await stack.enter_async_context(database)).dsn
    with screen.steps.step("schema"):
        await migrate(DatabaseSettings(dsn=SecretStr(dsn)))
    return dsn


async def _discovered(
    place: Place, state: ServiceState, supervisor: Supervisor, screen: Screen
) -> None:
    port = place.simulator_port or SIMULATOR_PORT
    url = f"opc.tcp://127.0.0.1:{port}"
    with screen.steps.step("simulated plant") as add:
        add(url)
        await reached(lambda: port_listens(port), state, supervisor)
    with screen.steps.step("tags of the OPC UA server") as add:
        plant = await simulated_plant(
            place.folder.plant,
            url,
            certificates=place.folder.spool,
            progress=lambda nodes: add(f"{nodes} nodes"),
        )
        add(f"{len(plant.tag_names())} in {place.folder.plant}")


async def _apply(path: Path, bus: str) -> ConfigurationRecord:
    text = await asyncio.to_thread(path.read_text, "utf-8")
    settings = BusSettings(url=bus)
    async with open_bus(settings) as log:
        await create_topics(log, settings.partitions)
        return await apply_configuration(
            log,
            text,
            source=str(path),
            actor=getpass.getuser(),
            now=time.time_ns() // 1000,
        )


async def _start_services(
    place: Place, neighbours: Neighbours, supervisor: Supervisor, screen: Screen
) -> None:
    with screen.steps.step("collector, archiver and monitor"):
        await supervisor.start(services.collector(place.folder, neighbours))
        await supervisor.start(services.archiver(neighbours))
        await supervisor.start(services.monitor(place.folder, neighbours))
    notifier = services.notifier(neighbours, port=place.api_port)
    if notifier is not None:
        with screen.steps.step("notifier"):
            await supervisor.start(notifier)
    with screen.steps.step("HTTP API") as add:
        url = f"http://127.0.0.1:{place.api_port}"
        add(url)
        state = await supervisor.start(services.api(neighbours, port=place.api_port))
        await reached(lambda: api_answers(url), state, supervisor)
        screen.up(url)
