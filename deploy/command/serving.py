"""`fedbatch simulate serve`: a simulated site behind as many processes as it needs."""

from __future__ import annotations

import asyncio
import signal
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from deploy.command.options import OptionInvalid
from deploy.embedded.folder import own_folder
from deploy.embedded.ports import reserved_port
from deploy.embedded.processes import Supervisor
from deploy.embedded.reaching import port_listens, reached
from deploy.embedded.sharded import Shard, discovered, shards_for
from deploy.embedded.steps import Steps
from simulators.settings import SimulatorSettings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from deploy.embedded.folder import DataFolder

SERVES_S = 600.0
"""How long a shard may take to build its address space."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of the command."""

    processes: str
    """`cho=3,ecoli=2`: how many vessels cultivate what."""
    servers: int | None
    """Processes; None: as many as it needs."""
    port: int
    """Of the first; each following one takes the next that is free."""
    data: Path
    history: timedelta
    core: bool
    """Only 30 tags a vessel."""
    seconds: float | None
    """End by itself after this time; None: when asked."""

    @property
    def settings(self) -> Mapping[str, str]:
        """Return the settings of the site, without prefix."""
        return {
            "PROCESSES": self.processes,
            "HISTORY": f"PT{int(self.history.total_seconds())}S",
            "INSTRUMENTS": "core" if self.core else "all",
        }

    def vessels(self) -> Mapping[str, tuple[str, ...]]:
        """Return their names by what they cultivate.

        Raises:
            OptionInvalid: `processes` does not say it.
        """
        try:
            site = SimulatorSettings.model_validate(
                {"data": self.data, "processes": self.processes}
            )
        except ValueError as error:
            raise OptionInvalid(
                f"--processes {self.processes!r}: expected how many vessels cultivate "
                "what, such as cho=3,ecoli=2"
            ) from error
        return site.site_suites


def served(wanted: Wanted) -> None:
    """Serve until asked to stop (Ctrl-C, SIGTERM, `--for`); progress on stderr.

    Raises:
        OptionInvalid: more servers than vessels, or no vessels.
        FolderInUse, NoFreePort, PlantInvalid: before anything is started.
        ServiceDoesNotStart: a shard ended three times; all are stopped again.
    """
    vessels = sum(map(len, wanted.vessels().values()))
    count = wanted.servers or shards_for(vessels)
    if count > vessels:
        raise OptionInvalid(f"--servers {count}: expected at most {vessels} (vessels)")
    with ExitStack() as stack:
        folder = stack.enter_context(own_folder(wanted.data, or_beside=False))
        shards, port = [], wanted.port
        for number in range(1, count + 1):
            port = stack.enter_context(reserved_port(port))
            shards.append(Shard(number, count, port, folder.root))
            port += 1
        asyncio.run(_until_asked(wanted, folder, shards))


async def _until_asked(wanted: Wanted, folder: DataFolder, shards: list[Shard]) -> None:
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, asked.set)
    if wanted.seconds is not None:
        loop.call_later(wanted.seconds, asked.set)
    serving = asyncio.create_task(_serve(wanted, folder, shards))
    waiting = asyncio.create_task(asked.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not serving.done():
        serving.cancel()
    await asyncio.gather(serving, waiting, return_exceptions=True)
    if serving.done() and not serving.cancelled():
        serving.result()


async def _serve(wanted: Wanted, folder: DataFolder, shards: list[Shard]) -> None:
    steps = Steps(Console(stderr=True))
    steps.note(f"data in {folder.root}")
    supervisor = Supervisor(folder.logs, inherit=(folder.children_lock,))
    async with supervisor:
        states = [
            await supervisor.start(one.service(wanted.settings)) for one in shards
        ]
        for shard, state in zip(shards, states, strict=True):
            with steps.step(f"{shard.name} serves") as add:
                add(shard.url)
                port = shard.port
                await reached(lambda port=port: port_listens(port), state, supervisor)  # type: ignore[misc]
        with steps.step("plant.yaml of all servers") as add:
            plant = await discovered(
                folder.plant,
                shards,
                watched_vessels=wanted.vessels().get("cho", ()),
                certificates=folder.spool,
                progress=lambda shard, nodes: add(f"{shard.name}: {nodes} nodes"),
            )
            add(f"{len(plant.vessels)} vessels, {len(plant.tag_names())} tags")
        typer.echo(f"fedbatch run --plant {folder.plant}")
        steps.note("serving; Ctrl-C stops")
        await asyncio.Event().wait()
