"""The commands of `fedbatch simulate`: a running simulated plant, and data sets."""
# ruff: noqa: PLC0415  `fedbatch --help` answers at once because nothing is loaded here

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

simulate = typer.Typer(help="Simulated batches.", no_args_is_help=True)
fault = typer.Typer(help="Faults of a running simulated plant.", no_args_is_help=True)
simulate.add_typer(fault, name="fault")
batch = typer.Typer(help="Batches of a running simulated plant.", no_args_is_help=True)
simulate.add_typer(batch, name="batch")

Simulated = Annotated[
    str,
    typer.Option(
        "--url",
        metavar="OPC.TCP://HOST:PORT",
        help="Of the simulated plant; its status.json names the endpoint.",
    ),
]
PlantUser = Annotated[
    str | None,
    typer.Option(
        "--user", help="User name; its password is FEDBATCH_COMMAND_PASSWORD."
    ),
]
LOCAL = "opc.tcp://127.0.0.1:4840"


@fault.command(
    name="list",
    epilog="Examples: fedbatch simulate fault list; fedbatch simulate fault list S04",
)
def list_faults(
    kind: Annotated[str | None, typer.Argument(help="Only this one, in full.")] = None,
) -> None:
    """List the kinds of faults, or say all about one."""
    from deploy.command.faulting import catalogued, explained

    typer.echo(catalogued() if kind is None else explained(kind))


@fault.command(
    name="inject",
    epilog="Example: fedbatch simulate fault inject BR102 A06 --for 4m",
)
def inject_fault(
    vessel: Annotated[str, typer.Argument(help="For example BR101.")],
    kind: Annotated[str, typer.Argument(help="For example A06.")],
    size: Annotated[
        float | None, typer.Option(help="Magnitude; default: the catalogue's.")
    ] = None,
    lasting: Annotated[
        str | None, typer.Option("--for", help="Such as 10m; default: the catalogue's.")
    ] = None,
    url: Simulated = LOCAL,
    user: PlantUser = None,
) -> None:
    """Let a fault begin now."""
    from deploy.command.faulting import Plant, injected

    plant = Plant(url, user)
    typer.echo(asyncio.run(injected(plant, vessel, kind, size, lasting)))


@fault.command(
    name="clear",
    epilog="Example: fedbatch simulate fault clear BR102 A06",
)
def clear_fault(
    vessel: Annotated[str, typer.Argument(help="For example BR101.")],
    kind: Annotated[str, typer.Argument(help="For example A06.")],
    url: Simulated = LOCAL,
    user: PlantUser = None,
) -> None:
    """End a fault that is at work, and forget one that is planned."""
    from deploy.command.faulting import Plant, cleared

    typer.echo(asyncio.run(cleared(Plant(url, user), vessel, kind)))


@fault.command(
    name="active",
    epilog="Example: fedbatch simulate fault active --url opc.tcp://127.0.0.1:4840",
)
def active_faults(url: Simulated = LOCAL, user: PlantUser = None) -> None:
    """List the faults that are planned or at work."""
    from deploy.command.faulting import Plant, listed

    typer.echo(asyncio.run(listed(Plant(url, user))))


OfVessel = Annotated[str, typer.Argument(help="For example BR101.")]


@batch.command(
    epilog="Examples: fedbatch simulate batch start BR102; "
    "fedbatch simulate batch start BR102 --name MAB-26-017"
)
def start(
    vessel: OfVessel,
    name: Annotated[
        str, typer.Option(help="Of the batch. Default: by its number.")
    ] = "",
    url: Simulated = LOCAL,
    user: PlantUser = None,
) -> None:
    """Start the next batch of an idle vessel now, without waiting for the recipe."""
    from deploy.command.faulting import Plant, started

    typer.echo(asyncio.run(started(Plant(url, user), vessel, name)))


@batch.command(epilog="Example: fedbatch simulate batch hold BR102")
def hold(vessel: OfVessel, url: Simulated = LOCAL, user: PlantUser = None) -> None:
    """Hold a batch: its feeds and its recipe stand, the control loops go on."""
    _command("Hold", vessel, url, user)


@batch.command(epilog="Example: fedbatch simulate batch restart BR102")
def restart(vessel: OfVessel, url: Simulated = LOCAL, user: PlantUser = None) -> None:
    """Let a held batch go on; phases that have become due begin now."""
    _command("Restart", vessel, url, user)


@batch.command(epilog="Example: fedbatch simulate batch abort BR102")
def abort(vessel: OfVessel, url: Simulated = LOCAL, user: PlantUser = None) -> None:
    """End a batch: the vessel is emptied and cleaned, then the next batch begins."""
    _command("Abort", vessel, url, user)


def _command(command: str, vessel: str, url: str, user: str | None) -> None:
    from deploy.command.faulting import Plant, commanded

    typer.echo(asyncio.run(commanded(Plant(url, user), command, vessel)))


@simulate.command(
    name="write",
    epilog="Examples: fedbatch simulate write BR101.TIC-101.SP 36.5; "
    "fedbatch simulate write BR101.AIC-102.MODE 0 (manual), then ....OUT 70",
)
def write_setpoint(
    node: Annotated[str, typer.Argument(help="Setpoint, mode or output.")],
    value: Annotated[float, typer.Argument()],
    url: Simulated = LOCAL,
    user: PlantUser = None,
) -> None:
    """Write as an operator: a setpoint, a mode, or an output in manual."""
    from deploy.command.faulting import Plant, written

    typer.echo(asyncio.run(written(Plant(url, user), node, value)))


@simulate.command(
    epilog="Examples: fedbatch simulate campaign --batches 20 --out data; "
    "fedbatch simulate campaign --batches 100 --faults default --step 30s --out data "
    "(some minutes, 400 MB).",
)
def campaign(  # noqa: PLR0913, PLR0917  each is an option of the command
    out: Annotated[Path, typer.Option(help="Folder of the data set; empty or new.")],
    process: Annotated[
        str, typer.Option(help="cho, hek293, penicillin or ecoli.")
    ] = "cho",
    batches: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 10,
    faults: Annotated[
        str,
        typer.Option(help="none, default (three of five batches have one), or a YAML."),
    ] = "default",
    step: Annotated[str, typer.Option(help="Between two rows: 1s to 5m.")] = "30s",
    seed: Annotated[
        int, typer.Option(min=0, help="The same seed gives the same data set.")
    ] = 1,
    processes: Annotated[
        int | None, typer.Option(min=1, help="At a time. Default: one per core.")
    ] = None,
    *,
    plots: Annotated[
        bool, typer.Option(help="Draw an overview of each batch (needs matplotlib).")
    ] = True,
) -> None:
    """Simulate batches as fast as possible: readings, truth, records, pictures."""
    from deploy.command.campaign import Wanted, simulated

    wanted = Wanted(process, batches, faults, out, step, seed, processes, plots)
    typer.echo(simulated(wanted))


@simulate.command(
    epilog="Examples: fedbatch simulate serve --processes cho=3,ecoli=1; "
    "fedbatch simulate serve --processes cho=3000 --core --history 1h (two servers); "
    "then fedbatch run --plant data/simulated/plant.yaml",
)
def serve(  # noqa: PLR0913  each is an option of the command
    processes: Annotated[
        str,
        typer.Option(
            help="Vessels by what they cultivate: cho, hek293, penicillin, ecoli."
        ),
    ] = "cho=3",
    servers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=64,
            help="OPC UA servers, a process each. Default: one per 1500 vessels.",
        ),
    ] = None,
    port: Annotated[
        int, typer.Option(help="Of the first server; the others take the next ones.")
    ] = 4840,
    data: Annotated[
        Path, typer.Option(help="Folder of plant.yaml, states, logs and truth.")
    ] = Path("data/simulated"),
    history: Annotated[
        str, typer.Option(help="How far back a new plant starts: 90m, 12h, 3d.")
    ] = "3d",
    seconds: Annotated[
        float | None, typer.Option("--for", help="End by itself after this time, s.")
    ] = None,
    *,
    core: Annotated[
        bool, typer.Option("--core", help="30 tags a vessel instead of 52.")
    ] = False,
) -> None:
    """Serve a simulated site over OPC UA, and write one plant.yaml for all of it."""
    from deploy.command.options import duration
    from deploy.command.serving import Wanted, served

    length = duration(history, "--history")
    served(Wanted(processes, servers, port, data, length, core, seconds))
