"""The whole way under load: CPU and memory of each process, and what was lost.

    python -m tests.benchmarks.whole_way                     3, then 100 vessels
    python -m tests.benchmarks.whole_way --vessels 300 --seconds 60
    python -m tests.benchmarks.whole_way --real              Kafka and TimescaleDB

Each vessel has 34 variables of which about 25 are sent each second. The simulator is
the source and shares the machine; its cost is printed apart.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.embedded.postgres import EmbeddedPostgres
from tests.neighbours.kafka import KafkaBroker
from tests.neighbours.timescale import TimescaleServer
from tests.system.balance import Balance, balance
from tests.system.site import Site, Variant, status_of, until

US = 1_000_000


@dataclass(frozen=True, slots=True)
class Spent:
    """What one process used over the window."""

    name: str
    cores: float
    megabytes: float


def tree(pid: int) -> list[psutil.Process]:
    """Return a process and its children."""
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def cpu_s(pid: int) -> float:
    """Return CPU seconds of a process tree, ended children of it included."""
    times = [process.cpu_times() for process in tree(pid)]
    ended = times[0].children_user + times[0].children_system
    return ended + sum(each.user + each.system for each in times)


def megabytes(pid: int) -> float:
    """Return the private memory of a process tree."""
    return sum(process.memory_full_info().uss for process in tree(pid)) / 2**20


def watch(pids: dict[str, int], seconds: float) -> list[Spent]:
    """Return what each process tree used while `seconds` went by."""
    before = {name: cpu_s(pid) for name, pid in pids.items()}
    began = time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    return [
        Spent(name, (cpu_s(pid) - before[name]) / took, megabytes(pid))
        for name, pid in pids.items()
    ]


def settle(site: Site, start: int) -> Balance:
    """Stop the source and return the loss equation of all that was generated."""
    site.stop("simulator")
    end = time.time_ns() // 1000
    generated, changes = site.generated(), site.only_changes()
    found = [Balance()]

    def holds() -> bool:
        stored, gaps = site.stored(start, end), site.gaps(start, end)
        found[0] = balance(generated, stored, gaps, changes)
        return found[0].balanced

    until("balanced", holds, timeout_s=60, every_s=3)
    return found[0]


def late_s(site: Site) -> float:
    """Return the age of the newest stored reading, in seconds."""
    answer = site.get("/current", tag="BR101/TIC-101.PV").json()
    return float(answer["age_s"][0])


def run(
    variant: Variant, database: int, more: dict[str, int], options: Options
) -> None:
    """Run one load and print its table."""
    with tempfile.TemporaryDirectory() as folder:
        simulator = {
            "HISTORY": "PT10S",
            "VESSELS": str(options.vessels),
            "RATE_HZ": str(options.rate_hz),
        }
        site = Site(Path(folder) / "site", variant, simulator=simulator)
        start = time.time_ns() // 1000 - 600 * US
        with site:
            site.begin()
            until(
                "live",
                lambda: status_of(site.folder / "simulator").get("state") == "live",
            )
            time.sleep(5)
            pids = {name: process.pid for name, process in site.processes.items()}
            window = time.time_ns() // 1000
            spent = watch({**pids, "database": database, **more}, options.seconds)
            took = time.time_ns() // 1000 - window
            age = late_s(site)
            found = settle(site, start)
            sent = sum(
                window <= entry.time < window + took
                for rows in site.generated().values()
                for entry in rows
            )
    print(f"\n{variant.name}: {options.vessels} vessels at {options.rate_hz} Hz")
    print(f"{'process':<12}{'cores':>8}{'MB':>8}")
    for each in spent:
        print(f"{each.name:<12}{each.cores:>8.3f}{each.megabytes:>8.0f}")
    rate = sent / (took / US)
    print(f"{rate:.0f} values/s written by the source, newest stored {age:.1f} s old")
    print(found, flush=True)


@dataclass(frozen=True, slots=True)
class Options:
    """One load."""

    vessels: int
    rate_hz: float
    seconds: float


def main() -> None:
    """Run the loads asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--vessels", type=int, nargs="*", default=[3, 100])
    parser.add_argument("--rate-hz", type=float, default=1.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--real", action="store_true", help="Kafka and TimescaleDB")
    asked = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        more: dict[str, int] = {}
        if asked.real:
            broker = stack.enter_context(KafkaBroker(folder / "kafka"))
            timescale = stack.enter_context(TimescaleServer(folder / "timescale"))
            bus, dsn, pid = f"kafka://{broker.bootstrap}", timescale.dsn, timescale.pid
            more["broker"] = broker.pid or 0
        else:
            server = EmbeddedPostgres(folder / "postgres")
            server.start()
            stack.callback(server.stop)
            bus, dsn, pid = f"local:{folder}/log", server.dsn, server.pid
        for vessels in asked.vessels:
            name = f"b{uuid.uuid4().hex[:8]}"
            log = bus if asked.real else f"{bus}-{name}"
            kind = "plant" if asked.real else "embedded"
            variant = Variant(kind, log, dsn, name, f"{name}." if asked.real else "")
            run(variant, pid or 0, more, Options(vessels, asked.rate_hz, asked.seconds))


if __name__ == "__main__":
    main()
