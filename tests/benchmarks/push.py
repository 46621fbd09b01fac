"""How late a person hears of an excursion: sample to server-sent event, under load.

    python -m tests.benchmarks push                      3 000 readings/s, a minute
    python -m tests.benchmarks push --seconds 600 --real    Kafka and TimescaleDB

One tag of every vessel rises beyond its limit again and again. Late is a push by the
time from the source time of the first reading beyond the limit to the arrival of the
alarm at a client of /stream, less the alarm's on-delay. The goal is a p95 of 3 s.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from shared.checks import Limit, TagChecks
from shared.plant import Plant, parse_plant, render_plant
from tests.benchmarks.machine import described
from tests.benchmarks.processes import Speaker, cpu_s
from tests.benchmarks.way.measured import SETTLE_S, quantile
from tests.benchmarks.way.site_plan import SitePlan, plant_yaml
from tests.benchmarks.whole_way import RESULTS, SERVICES, ground
from tests.system.site import Site, free_port, to_us, until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.whole_way import Ground

GOAL_S = 3.0
ON_DELAY_S = 2.0
LIMIT = 50_000.0
"""Half of what the load's values reach: they are beyond it for 10 s of every 21."""


@dataclass(slots=True)
class Ear:
    """A client of /stream that notes when each alarm came, in a thread of its own."""

    url: str
    heard: list[tuple[int, float]] = field(default_factory=list)
    """Arrival in us UTC, and how late that is in s, on-delay taken off."""
    connected: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    def listen(self) -> None:
        """Listen until `ended`; a comment comes at least every 5 s."""
        with httpx.stream("GET", self.url, timeout=60) as answer:
            answer.raise_for_status()
            for line in answer.iter_lines():
                self.connected.set()
                if self.ended.is_set():
                    return
                if line.startswith("data: "):
                    self._note(time.time_ns() // 1000, line.removeprefix("data: "))

    def _note(self, now: int, text: str) -> None:
        said = json.loads(text)
        if said.get("cause") == "raised":
            since = to_us(said["explanation"]["since"])
            self.heard.append((now, (now - since) / 1e6 - ON_DELAY_S))


@dataclass(frozen=True, slots=True)
class Pushed:
    """What was heard in a window."""

    variant: str
    rate: float
    """Readings a second."""
    late_s: tuple[float, ...]
    monitor_cores: float
    vessels: int

    def table(self) -> str:
        """Return the figures as lines of text."""
        shares = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
        found = ", ".join(
            f"{name} {quantile(self.late_s, share):.2f} s"
            for name, share in shares.items()
        )
        met = "met" if self.holds else "MISSED"
        return (
            f"{self.variant}, {self.rate:.0f} readings/s, {len(self.late_s)} alarms: "
            f"sample to push less the on-delay: {found}, worst {max(self.late_s):.2f} "
            f"s\ngoal p95 {GOAL_S:g} s: {met}; monitor {self.monitor_cores:.3f} cores, "
            f"{1e6 * self.monitor_cores / self.vessels:.0f} us of CPU a vessel and "
            "second"
        )

    @property
    def holds(self) -> bool:
        """Whether the goal is met."""
        return quantile(self.late_s, 0.95) <= GOAL_S


def rising(text: str) -> Plant:
    """Return the load's plant whose first tag of each vessel has a limit it reaches."""
    plant = parse_plant(text)
    limit = Limit(
        side="h", value=LIMIT, on_delay_s=ON_DELAY_S, off_delay_s=0.0, priority=2
    )
    vessels = []
    for vessel in plant.vessels:
        first, *others = vessel.tags
        risen = first.model_copy(update={"checks": TagChecks(limits=(limit,))})
        vessels.append(vessel.model_copy(update={"tags": (risen, *others)}))
    return plant.model_copy(update={"vessels": tuple(vessels)})


def run(on: Ground, plan: SitePlan, seconds: float, folder: Path) -> Pushed:
    """Run the plant and listen."""
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
        site.plant_yaml.write_text(render_plant(rising(plant_yaml(plan, ports))))
        site.apply()
        site.start(*SERVICES)
        until(
            "all is sampled", lambda: all(s["last"] for s in load.ask()), timeout_s=600
        )
        until("the API answers", lambda: site.get("/health/live").is_success)
        ear = Ear(f"http://127.0.0.1:{site.api_port}/stream?type=alarm")
        thread = threading.Thread(target=ear.listen, daemon=True)
        thread.start()
        assert ear.connected.wait(60), "no word from /stream within a minute"
        time.sleep(SETTLE_S)
        monitor = site.processes["monitor"].pid
        began, before, start = time.monotonic(), cpu_s(monitor), time.time_ns() // 1000
        time.sleep(seconds)
        cores = (cpu_s(monitor) - before) / (time.monotonic() - began)
        ear.ended.set()
        thread.join(30)
    late = tuple(late_s for at, late_s in ear.heard if at >= start)
    rate = plan.vessels * 30 * plan.rate_hz
    return Pushed(on.variant.name, rate, late, cores, plan.vessels)


def draw(pushed: Pushed, machine: str, to: Path) -> None:
    """Write the share of pushes that had come by each time, as PNG."""
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.ecdf(pushed.late_s, color="#1f6f8b", linewidth=2)
    axes.axvline(GOAL_S, color="#b3261e", linestyle="--")
    axes.annotate(
        "goal for 95 %", (GOAL_S, 0.05), (-6, 0), textcoords="offset points",
        ha="right", color="#b3261e",
    )  # fmt: skip
    axes.axhline(0.95, color="#b8bec6", linewidth=0.8)
    axes.set_xlim(0, max(GOAL_S * 1.2, *pushed.late_s))
    axes.set_ylim(0, 1.01)
    axes.set_xlabel("s from the sample to the alarm at a client, less the on-delay")
    axes.set_ylabel("share of alarms")
    axes.set_title(
        f"{len(pushed.late_s)} alarms at {pushed.rate:.0f} readings/s, "
        f"{pushed.variant}\n{machine}",
        fontsize=9,
    )
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(to, dpi=120)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the figures and their picture."""
    parser = argparse.ArgumentParser(
        prog="make bench ARGS=push", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--vessels", type=int, default=100, help="of 30 tags at 1 Hz")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--real", action="store_true", help="Kafka and TimescaleDB")
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args(arguments)
    machine = described()
    print(machine, flush=True)
    plan = SitePlan(asked.vessels, servers=1)
    with ground(real=asked.real) as on, tempfile.TemporaryDirectory() as folder:
        pushed = run(on, plan, asked.seconds, Path(folder) / "site")
    print(pushed.table(), flush=True)
    asked.results.mkdir(parents=True, exist_ok=True)
    name = f"push-{pushed.variant}"
    body = {"machine": machine, "late_s": sorted(pushed.late_s)}
    (asked.results / f"{name}.json").write_text(json.dumps(body))
    draw(pushed, machine, asked.results / f"{name}.png")
    print(f"{asked.results / name}.png and .json are written")
