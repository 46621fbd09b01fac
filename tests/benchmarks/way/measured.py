"""CPU, memory and ages over a window of time, and the table of a run."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil

from tests.benchmarks.processes import MIB, cpu_s, megabytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.benchmarks.way.site_plan import SitePlan
    from tests.benchmarks.way.stored import Found

SETTLE_S = 10.0
"""Of the beginning, not measured."""
SLOPE_AFTER_S = 120.0
STRETCH_S = 30
"""Ages are shown for each so long stretch, so that a stall can be told from a trend."""
_SAMPLE_S = 5.0
WAY = ("collector", "archiver")
"""Collector with its relay, and archiver: the goal is 0.6 cores together."""


@dataclass(frozen=True, slots=True)
class Window:
    """What is watched: process ids by name, for how long."""

    pids: Mapping[str, int]
    session: int
    """The probe's session of the database: its cost is taken out."""
    load: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Spent:
    """What one process tree used over the window."""

    cores: float
    megabytes: float
    slope: float | None
    """MB a minute after minute 2; None in a shorter run."""


@dataclass(frozen=True, slots=True)
class Disk:
    """What all disks of the machine did over the window."""

    written_mb_s: float
    busy: float
    """Share of the time with something to do."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A window that is over; times in us UTC."""

    start: int
    end: int
    spent: Mapping[str, Spent]
    disk: Disk


def measure(window: Window) -> Measured:
    """Wait until things run evenly, then watch."""
    time.sleep(SETTLE_S)
    watched = {
        **window.pids,
        "probe's session": window.session,
        "load servers": window.load,
    }
    began, start = time.monotonic(), time.time_ns() // 1000
    before = {name: cpu_s(pid) for name, pid in watched.items()}
    written, busy = disk_now()
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in window.pids}
    while (left := window.seconds - (time.monotonic() - began)) > 0:
        time.sleep(min(_SAMPLE_S, left))
        for name, pid in window.pids.items():
            samples[name].append((time.monotonic() - began, megabytes(pid)))
    took = time.monotonic() - began
    cores = {name: (cpu_s(pid) - before[name]) / took for name, pid in watched.items()}
    cores["database"] -= cores["probe's session"]
    written, busy = disk_now()[0] - written, disk_now()[1] - busy
    disk = Disk(written / took / MIB, busy / took)
    spent = {
        name: Spent(
            used,
            samples[name][-1][1] if name in samples else 0.0,
            slope(samples.get(name, [])),
        )
        for name, used in cores.items()
    }
    return Measured(start, time.time_ns() // 1000, spent, disk)


def disk_now() -> tuple[int, float]:
    """Return bytes written and busy seconds since the machine started."""
    counters = psutil.disk_io_counters()
    if counters is None:
        return 0, 0.0
    return counters.write_bytes, getattr(counters, "busy_time", 0) / 1000


def slope(samples: Sequence[tuple[float, float]]) -> float | None:
    """Return MB a minute after SLOPE_AFTER_S by least squares; None if too short.

    >>> slope([(120.0 + 5 * i, 50 + i) for i in range(13)])
    12.0
    """
    late = [(at / 60, size) for at, size in samples if at >= SLOPE_AFTER_S]
    if len(late) < 5:
        return None
    fitted = statistics.linear_regression(*zip(*late, strict=True))
    return round(fitted.slope, 2)


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of all (not empty) are at most.

    >>> quantile([3, 1, 2, 4], 0.5)
    2
    """
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1)]


def stretches(ages: Sequence[tuple[int, float]], start: int, end: int) -> list[float]:
    """Return the p99 in ms of each whole STRETCH_S from `start` to `end`, us UTC.

    >>> stretches([(1, 5.0), (2, 7.0), (30_000_001, 9.0)], 0, 60_000_000)
    [7.0, 9.0]
    """
    step = STRETCH_S * 1_000_000
    parts = [
        [age for at, age in ages if begin <= at < begin + step]
        for begin in range(start, end - step + 1, step)
    ]
    return [quantile(part, 0.99) if part else float("inf") for part in parts]


@dataclass(frozen=True, slots=True)
class Way:
    """One run of the whole way."""

    plan: SitePlan
    rate: float
    """Readings a second."""
    sent: int
    found: Found
    spent: Mapping[str, Spent]
    p50_ms: float
    p99_ms: float
    worst_ms: float
    ages: int
    settled_s: float
    """From the last sampled reading to all of them stored."""
    waiting: int
    """Most notifications that a server had to hold."""
    load_late_ms: float
    stretches_ms: Sequence[float]
    """p99 of each STRETCH_S."""
    disk: Disk

    @classmethod
    def of(
        cls,
        plan: SitePlan,
        window: Measured,
        sent: Sequence[Mapping[str, Any]],
        *,
        ages: Sequence[tuple[int, float]],
        found: Found,
        settled_s: float,
    ) -> Way:
        """Put together what was seen."""
        inside = [age for at, age in ages if window.start <= at <= window.end]
        inside = inside or [float("inf")]
        return cls(
            plan,
            plan.vessels * 30 * plan.rate_hz,
            found.sent,
            found,
            window.spent,
            quantile(inside, 0.5),
            quantile(inside, 0.99),
            max(inside),
            len(inside),
            settled_s,
            max(each["waiting"] for each in sent),
            max(each["late_ms"] for each in sent),
            stretches(ages, window.start, window.end),
            window.disk,
        )

    @property
    def holds(self) -> bool:
        """Whether nothing was lost and everything kept up."""
        whole = not (self.found.lost or self.found.twice or self.found.strange)
        return whole and self.p99_ms < 5_000 and self.settled_s < 30

    def cores(self, names: Sequence[str]) -> float:
        """Return the cores of some processes together."""
        return sum(self.spent[name].cores for name in names if name in self.spent)

    def table(self) -> str:
        """Return the run as lines of text."""
        found = self.found
        ours = [n for n in self.spent if n not in {"probe's session", "load servers"}]
        lines = [
            f"{self.plan.vessels} vessels x 30 tags at {self.plan.rate_hz:g} Hz = "
            f"{self.rate:.0f} readings/s",
            f"{'process':<16}{'cores':>8}{'MB':>8}{'MB/min':>8}",
        ]
        for name, each in self.spent.items():
            trend = "-" if each.slope is None else f"{each.slope:.2f}"
            lines.append(
                f"{name:<16}{each.cores:>8.3f}{each.megabytes:>8.0f}{trend:>8}"
            )
        lines += [
            f"{'way':<16}{self.cores(WAY):>8.3f}   collector, relay, archiver",
            f"{'everything':<16}{self.cores(ours):>8.3f}   without the load servers",
            f"sent {found.sent}, lost {found.lost}, twice {found.twice}, "
            f"other than sent {found.strange}, declared gaps {found.gaps}; "
            f"{found.bytes_each:.0f} bytes per stored reading",
            f"source to queryable: p50 {self.p50_ms:.0f} ms, p99 {self.p99_ms:.0f} ms, "
            f"worst {self.worst_ms:.0f} ms ({self.ages} readings of probe tags)",
            f"all stored {self.settled_s:.1f} s after the last; at most {self.waiting} "
            f"notifications waited at a server; "
            f"load late by {self.load_late_ms:.0f} ms",
            f"p99 of each {STRETCH_S} s, s: "
            + " ".join(f"{age / 1000:.1f}" for age in self.stretches_ms),
            f"disk: {self.disk.written_mb_s:.0f} MB/s written, "
            f"busy {self.disk.busy:.0%} of the time",
        ]
        return "\n".join(lines)
