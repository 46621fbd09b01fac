"""The whole way at a set rate: what is lost, how late, and what each process costs.

    python -m tests.benchmarks way                          about a minute
    python -m tests.benchmarks way --seconds 600 --real     Kafka and TimescaleDB
    python -m tests.benchmarks way --rate-hz 1 4 8 12       the highest that holds

1 000 vessels of 30 tags at 1 Hz are 30 000 readings a second. The OPC UA servers are
tests/benchmarks/load; they share the machine, and their cost is printed apart.
"""

from __future__ import annotations

import argparse
import json
import signal
import tempfile
import uuid
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.embedded.postgres import EmbeddedPostgres
from tests.benchmarks.machine import described
from tests.benchmarks.processes import Speaker
from tests.benchmarks.way.measured import Way, Window, measure
from tests.benchmarks.way.site_plan import SitePlan, plant_yaml
from tests.benchmarks.way.stored import compare, settled
from tests.neighbours.kafka import KafkaBroker
from tests.neighbours.timescale import TimescaleServer
from tests.system.site import Site, Variant, free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RESULTS = Path("build/bench")
"""Where results go; git ignores it."""
PROBES = 100
PROBE_EVERY_S = 0.05
SERVICES = ("archiver", "api", "monitor", "collector")


@dataclass(frozen=True, slots=True)
class Ground:
    """What a plant stands on."""

    variant: Variant
    database: int
    """Process id of the server."""
    broker: int | None


@contextmanager
def ground(*, real: bool) -> Iterator[Ground]:
    """Start a log and a database of their own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        name = f"b{uuid.uuid4().hex[:8]}"
        if real:
            broker = stack.enter_context(KafkaBroker(folder / "kafka"))
            server = stack.enter_context(TimescaleServer(folder / "timescale"))
            bus = f"kafka://{broker.bootstrap}"
            variant = Variant("plant", bus, server.dsn, name, f"{name}.")
            yield Ground(variant, server.pid or 0, broker.pid)
            return
        postgres = EmbeddedPostgres(folder / "postgres")
        postgres.start()
        stack.callback(postgres.stop)
        variant = Variant("embedded", f"local:{folder}/log", postgres.dsn, name, "")
        yield Ground(variant, postgres.pid or 0, None)


def run(on: Ground, plan: SitePlan, seconds: float, folder: Path) -> Way:
    """Run one rate and return what was seen."""
    ports = [free_port() for _ in range(plan.servers)]
    loads = [
        {
            "port": port,
            "first": plan.items_of(number).start,
            "items": len(plan.items_of(number)),
            "period_us": plan.period_us,
        }
        for number, port in enumerate(ports)
    ]
    with ExitStack() as stack:
        load = stack.enter_context(
            Speaker("tests.benchmarks.load", [json.dumps(loads)])
        )
        load.hear()
        site = stack.enter_context(Site(folder, on.variant, source=""))
        site.command("migrate")
        site.plant_yaml.write_text(plant_yaml(plan, ports))
        site.apply()
        site.start(*SERVICES)
        until(
            "all is sampled", lambda: all(s["last"] for s in load.ask()), timeout_s=600
        )
        tags = ",".join(str(tag) for tag in plan.probe_tags(PROBES))
        probe = stack.enter_context(
            Speaker(
                "tests.benchmarks.way.probe",
                [on.variant.dsn, on.variant.namespace, tags, str(PROBE_EVERY_S)],
            )
        )
        session = probe.hear()
        pids = {name: process.pid for name, process in site.processes.items()}
        pids |= {"database": on.database}
        pids |= {} if on.broker is None else {"broker": on.broker}
        window = measure(Window(pids, session, load.pid, seconds))
        load.signal(signal.SIGUSR1)
        until("sampling ended", lambda: all(s["stopped"] for s in load.ask()))
        sent = load.ask()
        ages = probe.ask()
        settled_s = settled(on.variant, plan, sent)
        found = compare(on.variant, plan, sent)
    return Way.of(plan, window, sent, ages=ages, found=found, settled_s=settled_s)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the rates asked for; the results go to a folder as JSON, too."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--vessels", type=int, default=1_000)
    parser.add_argument("--servers", type=int, default=4)
    parser.add_argument("--rate-hz", type=float, nargs="*", default=[1.0])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--publishing-ms", type=int, default=250)
    parser.add_argument("--real", action="store_true", help="Kafka and TimescaleDB")
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args(arguments)
    asked.results.mkdir(parents=True, exist_ok=True)
    print(described(), flush=True)
    for rate in asked.rate_hz:
        plan = SitePlan(asked.vessels, asked.servers, rate, asked.publishing_ms)
        with ground(real=asked.real) as on, tempfile.TemporaryDirectory() as folder:
            way = run(on, plan, asked.seconds, Path(folder) / "site")
        print(f"\n{on.variant.name}: {way.table()}", flush=True)
        name = f"way-{on.variant.name}-{rate:g}hz-{asked.seconds:.0f}s.json"
        (asked.results / name).write_text(json.dumps(asdict(way), indent=1))
        if not way.holds:
            print("this rate does not hold")
            break


if __name__ == "__main__":
    main()
