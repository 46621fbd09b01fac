"""Catching up after the broker or the database was away: how fast, and in what order.

    python -m tests.benchmarks catchup                          both, 30 s each
    python -m tests.benchmarks catchup --outage broker --seconds 1800 --vessels 1000

Kafka and TimescaleDB are real. The rate is source time stored per second from when the
neighbour answers again until what is stored is less than 2 s old. Order is strict when
no tag's reading was stored after a later one. Meanwhile the API is asked for the ages
that it shows, and two live streams are heard: readings, and alarms of one vessel whose
limits are crossed all the time, so that a monitor that stood still would be silent.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import statistics
import tempfile
import threading
import time
import uuid
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import asyncpg
import httpx
import yaml

from tests.benchmarks.machine import described
from tests.benchmarks.processes import Speaker
from tests.benchmarks.way.site_plan import SitePlan, plant_yaml
from tests.benchmarks.way.stored import compare, settled
from tests.neighbours.kafka import KafkaBroker
from tests.neighbours.timescale import TimescaleServer
from tests.system.site import Site, Variant, free_port, to_us, until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.way.stored import Found

S = 1_000_000
RESULTS = Path("build/bench")
SERVICES = ("archiver", "api", "monitor", "collector")
CURRENT_S = 2.0
BEFORE_S = 20.0
AFTER_S = 10.0
PROBES = 64
CROSSED = 90_000
"""The load's values rise to 100 002 and start anew, each 21 s or so."""
_ORDER = """
select count(*) from (
    select time, max(time) over (partition by tag order by generation, time
        rows between unbounded preceding and 1 preceding) as before
    from reading where tag = any($1::int[])
) as stored where time < before"""
_NEWEST = """
select (extract(epoch from min(last)) * 1000000)::bigint from (
    select max(time) as last from reading
    where tag = any($1::int[]) and time > now() - $2 * interval '1 second'
    group by tag) as of"""


@dataclass(slots=True)
class Heard:
    """What a live stream said: when (us UTC), and how old that was (s)."""

    said: list[tuple[int, float]] = field(default_factory=list)
    breaks: int = 0

    def within(self, start: int, end: int) -> list[float]:
        """Return the ages of what came in [start, end)."""
        return [age for at, age in self.said if start <= at < end]


class Ear(threading.Thread):
    """Hears server-sent events for ever, and takes down each one's age."""

    def __init__(self, url: str, params: dict[str, Any]) -> None:
        super().__init__(daemon=True)
        self._url, self._params = url, params
        self.heard = Heard()
        self._over = threading.Event()

    def run(self) -> None:
        """Hear until the end."""
        while not self._over.is_set():
            try:
                self._listen()
            except httpx.TransportError:
                self.heard.breaks += 1
                time.sleep(0.5)

    def _listen(self) -> None:
        with httpx.stream("GET", self._url, params=self._params, timeout=30) as answer:
            for line in answer.iter_lines():
                if self._over.is_set():
                    return
                if line.startswith("data: "):
                    now = time.time_ns() // 1000
                    told = json.loads(line.removeprefix("data: ")).get("time")
                    if not told:
                        continue  # what this client missed, or a gap
                    last = told if isinstance(told, str) else told[-1]
                    self.heard.said.append((now, (now - to_us(last)) / S))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()


@dataclass(frozen=True, slots=True)
class Live:
    """A live stream before and during an outage."""

    per_s_before: float
    per_s_during: float
    age_before_s: float
    """Median."""
    age_during_s: float

    @classmethod
    def of(cls, heard: Heard, began: int, away: int, back: int) -> Self:
        """Return what was heard, by the moments of the run, us UTC."""
        before, during = heard.within(began, away), heard.within(away, back)
        return cls(
            len(before) / (away - began) * S,
            len(during) / (back - away) * S,
            statistics.median(before) if before else float("nan"),
            statistics.median(during) if during else float("nan"),
        )


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """One outage and what came after it."""

    outage: str
    readings_per_s: float
    away_s: float
    behind_s: float
    """How far what is stored was behind when the neighbour answered again."""
    took_s: float
    times_real: float
    """Source time stored per second meanwhile."""
    age_shown_s: float
    """The largest age that the API showed."""
    readings: Live
    alarms: Live
    out_of_order: int
    found: Found

    @property
    def holds(self) -> bool:
        """Whether nothing is lost or out of order, at 8 times real time or more."""
        found = self.found
        whole = not (found.lost or found.twice or found.strange or self.out_of_order)
        return whole and self.times_real >= 8

    def table(self) -> str:
        """Return it for a person."""
        lines = [
            f"{self.outage} away for {self.away_s:.0f} s at {self.readings_per_s:.0f} "
            "readings/s",
            f"  caught up      {self.behind_s:.1f} s of readings in "
            f"{self.took_s:.1f} s: {self.times_real:.1f} x real time (goal 8)",
            f"  out of order   {self.out_of_order} of the readings of {PROBES} tags",
            f"  age shown      up to {self.age_shown_s:.0f} s (/health/ready)",
        ]
        for name, live in (("readings", self.readings), ("alarms", self.alarms)):
            lines.append(
                f"  live {name:<9} {live.per_s_before:.1f}/s, median age "
                f"{live.age_before_s:.2f} s before; {live.per_s_during:.1f}/s, "
                f"{live.age_during_s:.2f} s while it was away"
            )
        found = self.found
        lines.append(
            f"  of {found.sent} sent: lost {found.lost}, twice {found.twice}, other "
            f"{found.strange}; {found.gaps} gaps"
        )
        return "\n".join(lines)


@dataclass(slots=True)
class Ground:
    """A plant that runs, on neighbours that can be stopped."""

    site: Site
    plan: SitePlan
    load: Speaker
    broker: KafkaBroker
    database: TimescaleServer

    def probes(self) -> list[int]:
        """Return tags of every partition."""
        return self.plan.probe_tags(PROBES)

    def ask(self, query: str, *arguments: object) -> int:
        """Return the one number of a query; 0 for none."""

        async def ask() -> Any:
            variant = self.site.variant
            connection = await asyncpg.connect(
                variant.dsn, server_settings={"search_path": variant.namespace}
            )
            try:
                return await connection.fetchval(query, *arguments)
            finally:
                await connection.close()

        return int(asyncio.run(ask()) or 0)

    def newest(self, within_s: float) -> int:
        """Return up to when readings of every probe are stored, us UTC."""
        return self.ask(_NEWEST, self.probes(), within_s)

    def age_shown(self) -> float:
        """Return the largest age that the API shows, s."""
        try:
            checks = self.site.get("/health/ready").json()["checks"]
        except httpx.TransportError:
            return 0.0
        return max((check["age_s"] or 0.0 for check in checks), default=0.0)


def crossing(text: str) -> str:
    """Return plant.yaml with limits on the first vessel that are always crossed."""
    plant = yaml.safe_load(text)
    limits = [{"side": "h", "value": CROSSED, "on_delay_s": 0, "off_delay_s": 0}]
    for tag in plant["vessels"][0]["tags"]:
        tag["checks"] = {"limits": limits}
    return yaml.safe_dump(plant)


def began(stack: ExitStack, plan: SitePlan, folder: Path) -> Ground:
    """Start everything; return once all is sampled and the API answers."""
    broker = stack.enter_context(KafkaBroker(folder / "kafka"))
    database = stack.enter_context(TimescaleServer(folder / "timescale"))
    name = f"b{uuid.uuid4().hex[:8]}"
    bus = f"kafka://{broker.bootstrap}"
    variant = Variant("plant", bus, database.dsn, name, f"{name}.")
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
    load = stack.enter_context(Speaker("tests.benchmarks.load", [json.dumps(loads)]))
    load.hear()
    site = stack.enter_context(Site(folder / "site", variant, source=""))
    site.command("migrate")
    site.plant_yaml.write_text(crossing(plant_yaml(plan, ports)))
    site.apply()
    site.start(*SERVICES)
    until("all is sampled", lambda: all(s["last"] for s in load.ask()), timeout_s=600)
    until("the API answers", lambda: site.get("/health/live").is_success)
    return Ground(site, plan, load, broker, database)


def run(plan: SitePlan, outage: str, seconds: float, folder: Path) -> CaughtUp:
    """Run one outage on a plant of its own."""
    with ExitStack() as stack:
        on = began(stack, plan, folder)
        url = f"http://127.0.0.1:{on.site.api_port}/stream"
        vessel = "V0000"
        readings = stack.enter_context(
            Ear(url, {"vessel": vessel, "type": ["readings"]})
        )
        alarms = stack.enter_context(Ear(url, {"vessel": vessel, "type": ["alarm"]}))
        until("readings are current", lambda: is_current(on), timeout_s=120)
        start = time.time_ns() // 1000
        time.sleep(BEFORE_S)
        neighbour = on.broker if outage == "broker" else on.database
        away = time.time_ns() // 1000
        neighbour.stop()
        ages = watched(on, seconds)
        neighbour.start()
        back, newest = time.time_ns() // 1000, on.newest(seconds + 120)
        ages += followed(on, seconds)
        current = time.time_ns() // 1000
        stored = on.newest(seconds + 120)
        time.sleep(AFTER_S)
        on.load.signal(signal.SIGUSR1)
        until("sampling ended", lambda: all(s["stopped"] for s in on.load.ask()))
        sent = on.load.ask()
        settled(on.site.variant, plan, sent)
        return CaughtUp(
            outage=outage,
            readings_per_s=plan.vessels * 30 * plan.rate_hz,
            away_s=(back - away) / S,
            behind_s=(back - newest) / S,
            took_s=(current - back) / S,
            times_real=(stored - newest) / (current - back),
            age_shown_s=max(ages),
            readings=Live.of(readings.heard, start, away, back),
            alarms=Live.of(alarms.heard, start, away, back),
            out_of_order=on.ask(_ORDER, on.probes()),
            found=compare(on.site.variant, plan, sent),
        )


def is_current(on: Ground) -> bool:
    """Whether what is stored is less than CURRENT_S old."""
    return time.time_ns() // 1000 - on.newest(600) < CURRENT_S * S


def watched(on: Ground, seconds: float) -> list[float]:
    """Wait, and return the ages that the API showed each second."""
    end, ages = time.monotonic() + seconds, [0.0]
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(1.0, left))
        ages.append(on.age_shown())
    return ages


def followed(on: Ground, seconds: float) -> list[float]:
    """Wait until what is stored is current; return the ages that the API showed."""
    ages = [0.0]

    def current() -> bool:
        ages.append(on.age_shown())
        return is_current(on)

    until("it caught up", current, timeout_s=60 + seconds, every_s=0.05)
    return ages


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the outages asked for; return 0 when all hold."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks catchup",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--outage", nargs="*", choices=("broker", "database"),
        default=["broker", "database"],
    )  # fmt: skip
    parser.add_argument("--seconds", type=float, default=30, help="of each outage")
    parser.add_argument("--vessels", type=int, default=200, help="of 30 tags at 1 Hz")
    parser.add_argument("--servers", type=int, default=2)
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args(arguments)
    asked.results.mkdir(parents=True, exist_ok=True)
    print(described(), flush=True)
    plan, held = SitePlan(asked.vessels, asked.servers), True
    for outage in asked.outage:
        with tempfile.TemporaryDirectory() as folder:
            found = run(plan, outage, asked.seconds, Path(folder))
        print(f"\n{found.table()}", flush=True)
        name = f"catchup-{outage}-{asked.seconds:.0f}s-{asked.vessels}.json"
        (asked.results / name).write_text(json.dumps(asdict(found), indent=1))
        held &= found.holds
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
