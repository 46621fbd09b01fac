"""The commands, their options and examples. What they do is loaded when they run."""
# ruff: noqa: PLC0415  `fedbatch --help` answers at once because nothing is loaded here

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from deploy.command.evaluate_options import EXAMPLE, evaluate
from deploy.command.simulating import simulate

app = typer.Typer(
    name="fedbatch",
    help="Watches bioreactors: OPC UA, a log, a database, and answers over HTTP.",
    epilog="Begin with `fedbatch demo`; Ctrl-C stops it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
ledger = typer.Typer(help="Counts of readings at each hop.", no_args_is_help=True)
app.add_typer(ledger, name="ledger")
letters = typer.Typer(
    help="What could not be stored as it came, kept with its reason.",
    no_args_is_help=True,
)
app.add_typer(letters, name="dead-letter")
app.add_typer(simulate, name="simulate")

PlantFile = Annotated[Path, typer.Argument(metavar="PLANT.YAML", help="What to watch.")]
Bus = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="The log: local:/folder or kafka://host:port,... "
        "Default: FEDBATCH_COMMAND_BUS__URL.",
    ),
]
Database = Annotated[
    str | None,
    typer.Option(
        metavar="DSN",
        help="postgresql://user@host:port/database. A password is seen by others on a "
        "command line; put the DSN into FEDBATCH_COMMAND_DATABASE__DSN instead.",
    ),
]


@app.command(
    epilog="Example: fedbatch check plant.yaml",
)
def check(plant: PlantFile) -> None:
    """Check plant.yaml and say what it holds, or every fault with its line."""
    from deploy.command.plant import described, read_plant

    typer.echo(described(read_plant(plant)[1], str(plant)))


@app.command(
    epilog="Example: fedbatch apply plant.yaml --bus kafka://broker:9092",
)
def apply(
    plant: PlantFile,
    bus: Bus = None,
    actor: Annotated[
        str | None,
        typer.Option(help="Who applies it, for the record. Default: the user."),
    ] = None,
) -> None:
    """Publish plant.yaml on the log; every service switches to it at that place."""
    from deploy.command.plant import applied

    typer.echo(asyncio.run(applied(plant, bus, actor)))


@app.command(
    epilog="Example: fedbatch discover opc.tcp://plc:4840 > plant.yaml. "
    "Later: fedbatch discover opc.tcp://plc:4840 --known plant.yaml > new.yaml",
)
def discover(
    url: Annotated[str, typer.Argument(metavar="OPC.TCP://HOST:PORT")],
    known: Annotated[
        Path | None,
        typer.Option(help="An earlier plant.yaml; tags in it keep their ids."),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(help="User name; its password is FEDBATCH_COMMAND_PASSWORD."),
    ] = None,
    certificates: Annotated[
        Path | None,
        typer.Option(
            help="Folder with our certificate (own/) and the servers' (trusted/, "
            "rejected/); the collector's, so that a server has to trust one only."
        ),
    ] = None,
    *,
    secure: Annotated[
        bool,
        typer.Option("--secure", help="Basic256Sha256, sign and encrypt."),
    ] = False,
) -> None:
    """Browse an OPC UA server and write plant.yaml to standard output."""
    from deploy.command.discovery import Access, discovered

    access = Access(url, user, secure, certificates)
    sys.stdout.write(asyncio.run(discovered(access, known, _to_stderr)))


@app.command(
    epilog="Examples: fedbatch doctor opc.tcp://plc:4840; "
    "fedbatch doctor opc.tcp://plc:4840 --secure --user reader --certificates certs",
)
def doctor(
    url: Annotated[str, typer.Argument(metavar="OPC.TCP://HOST:PORT")],
    user: Annotated[
        str | None,
        typer.Option(help="User name; its password is FEDBATCH_COMMAND_PASSWORD."),
    ] = None,
    certificates: Annotated[
        Path | None,
        typer.Option(help="Folder with our certificate and those we trust."),
    ] = None,
    *,
    secure: Annotated[
        bool, typer.Option("--secure", help="Basic256Sha256, sign and encrypt.")
    ] = False,
) -> None:
    """Look at an OPC UA server, name what is wrong and what helps; 1 for a fault.

    Host, port, endpoints, certificate, user, clock, limits, variables, timestamps and
    history, in the order of connecting. Nothing is written to the server.
    """
    from deploy.command.discovery import Access, examined

    report, healthy = asyncio.run(examined(Access(url, user, secure, certificates)))
    typer.echo(report)
    if not healthy:
        raise typer.Exit(1)


@app.command(
    epilog="Example: FEDBATCH_COMMAND_DATABASE__DSN=postgresql://... fedbatch migrate",
)
def migrate(database: Database = None) -> None:
    """Bring the database to the schema of this release; forward only, repeatable."""
    from deploy.command.database import migrated

    typer.echo(asyncio.run(migrated(database)))


@ledger.command(
    epilog="Example: fedbatch ledger verify --database postgresql://me@host/plant",
)
def verify(
    database: Database = None,
    days: Annotated[int, typer.Option(min=1, help="How far back.")] = 30,
) -> None:
    """Hold the ledger against the readings: 1 when something does not add up.

    Counts what is stored again, and looks for readings that were seen or logged and are
    neither stored, repeated, quarantined nor inside a declared gap.
    """
    from deploy.command.database import verified

    report, agrees = asyncio.run(verified(database, days))
    typer.echo(report)
    if not agrees:
        raise typer.Exit(1)


@letters.command("list", epilog="Example: fedbatch dead-letter list --bus local:/log")
def list_letters(
    bus: Bus = None,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that were replayed.")
    ] = False,
) -> None:
    """List the letters, oldest first: number, time, where from, size, reason."""
    from deploy.command.dead_letters import listed

    typer.echo(asyncio.run(listed(bus, everything=everything)))


Number = Annotated[int, typer.Argument(metavar="NUMBER", help="As `list` says it.")]


@letters.command("show", epilog="Example: fedbatch dead-letter show 7")
def show_letter(number: Number, bus: Bus = None) -> None:
    """Show what is kept of one letter: reason, headers, readings or bytes."""
    from deploy.command.dead_letters import shown

    typer.echo(asyncio.run(shown(bus, number)))


@letters.command(
    "replay",
    epilog="Examples: fedbatch dead-letter replay 7 8; fedbatch dead-letter replay "
    "(all that were not replayed yet). Apply a corrected plant.yaml first.",
)
def replay_letters(
    numbers: Annotated[
        list[int] | None, typer.Argument(metavar="[NUMBER]...", help="Default: all.")
    ] = None,
    bus: Bus = None,
    actor: Annotated[
        str | None, typer.Option(help="Who, for the record. Default: the user.")
    ] = None,
) -> None:
    """Put letters on their way again; each reading is stored once however often.

    What still cannot be stored becomes a letter again. 1 when a letter is not whole.
    """
    from deploy.command.dead_letters import replayed

    report, whole = asyncio.run(replayed(bus, numbers or [], actor))
    typer.echo(report)
    if not whole:
        raise typer.Exit(1)


@app.command(
    epilog="Examples: fedbatch demo; fedbatch demo --vessels 8 --history 7d; "
    "fedbatch demo --bus kafka://127.0.0.1:9092 --database postgresql://...",
)
def demo(  # noqa: PLR0913, PLR0917  each is an option of the command
    vessels: Annotated[int, typer.Option(min=1, max=200, help="Bioreactors.")] = 3,
    history: Annotated[
        str, typer.Option(help="How far back the plant starts: 90m, 12h, 3d.")
    ] = "3d",
    port: Annotated[
        int, typer.Option(help="Of the API; when it is taken, the next free one.")
    ] = 8080,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder for everything. Default: ./data/demo, or beside it."),
    ] = None,
    bus: Bus = None,
    database: Database = None,
    seconds: Annotated[
        float | None, typer.Option("--for", help="End by itself after this time, s.")
    ] = None,
    *,
    json: Annotated[
        bool,
        typer.Option("--json", help="Only one line of JSON with timings, at the end."),
    ] = False,
) -> None:
    """Run a simulated plant: OPC UA servers, collector, log, database, HTTP API."""
    from deploy.command.options import duration
    from deploy.embedded.run import run_plant
    from deploy.embedded.wanted import Wanted

    run_plant(
        Wanted(
            vessels=vessels,
            history=duration(history, "--history"),
            port=port,
            data=data,
            bus=bus,
            database=database,
            seconds=seconds,
            json=json,
        )
    )


@app.command(
    epilog="Example: fedbatch run --plant plant.yaml --data /var/lib/fedbatch",
)
def run(  # noqa: PLR0913  each is an option of the command
    plant: Annotated[Path, typer.Option(help="What to watch: plant.yaml.")],
    port: Annotated[
        int, typer.Option(help="Of the API; when it is taken, the next free one.")
    ] = 8080,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder for everything. Default: ./data/run, or beside it."),
    ] = None,
    bus: Bus = None,
    database: Database = None,
    seconds: Annotated[
        float | None, typer.Option("--for", help="End by itself after this time, s.")
    ] = None,
    *,
    json: Annotated[
        bool,
        typer.Option("--json", help="Only one line of JSON with timings, at the end."),
    ] = False,
) -> None:
    """Watch the plant of plant.yaml with everything on this machine."""
    from deploy.embedded.run import run_plant
    from deploy.embedded.wanted import Wanted

    run_plant(
        Wanted(
            plant=plant,
            port=port,
            data=data,
            bus=bus,
            database=database,
            seconds=seconds,
            json=json,
        )
    )


@app.command(
    epilog="Example: fedbatch watch --url https://fedbatch.site.org:8443",
)
def watch(
    url: Annotated[
        str, typer.Option(metavar="URL", help="Where the API is.")
    ] = "http://127.0.0.1:8080",
    key: Annotated[
        str | None,
        typer.Option(
            help="API key. Others see a command line; FEDBATCH_COMMAND_KEY is safer."
        ),
    ] = None,
    actor: Annotated[
        str | None,
        typer.Option(help="Who acknowledges, without a key. Default: the user."),
    ] = None,
    ca_file: Annotated[
        Path | None,
        typer.Option(help="Certificates to trust. Default: the system's."),
    ] = None,
) -> None:
    """Show the alarms with their explanations; `a` acknowledges, `q` ends."""
    from deploy.command.watching_alarms import watch_alarms

    watch_alarms(url, key=key, actor=actor, ca_file=ca_file)


@app.command(
    epilog="Examples: fedbatch replay --from 2026-11-23T06:00Z --to 2026-11-23T14:00Z; "
    "fedbatch replay --from 8h --bus local:/var/lib/fedbatch/log; "
    "fedbatch replay --from 2d --to 1d --warm-up 14d --bus kafka://broker:9092",
)
def replay(
    start: Annotated[
        str,
        typer.Option(
            "--from", help="Begin of the comparison: a time with zone, or 8h: ago."
        ),
    ],
    end: Annotated[
        str, typer.Option("--to", help="End of the comparison, written alike.")
    ] = "1m",
    warm_up: Annotated[
        str | None,
        typer.Option(
            help="Read only what was recorded this long before the beginning; what was "
            "learned earlier is then not known. Default: all that the log keeps."
        ),
    ] = None,
    bus: Bus = None,
    snapshots: Annotated[
        Path | None,
        typer.Option(help="Folder of approved models: FEDBATCH_MONITOR_SNAPSHOTS."),
    ] = None,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Show every difference, not the first 40.")
    ] = False,
) -> None:
    """Run the monitor again over the log and compare with its journal; 1 if unequal."""
    from deploy.command.replaying import Asked, replayed

    asked = Asked(start, end, warm_up, bus, snapshots, everything)
    report, equal = asyncio.run(replayed(asked, _to_stderr))
    typer.echo(report)
    if not equal:
        raise typer.Exit(1)


app.command(epilog=EXAMPLE)(evaluate)


@app.command()
def version() -> None:
    """Say which fedbatch this is."""
    from importlib.metadata import version as installed

    typer.echo(f"fedbatch {installed('fedbatch')}")


def _to_stderr(line: str) -> None:
    typer.echo(line, err=True)
