"""(b) kill -9 of each process in turn, restart of server, broker and database."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.system.balance import balance
from tests.system.site import Site, status_of, to_us, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deploy.embedded.postgres import EmbeddedPostgres
    from tests.neighbours.kafka import KafkaBroker
    from tests.neighbours.timescale import TimescaleServer
    from tests.system.site import Variant

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
PUBLISHING_US = SECOND_US // 2
RECOVERY_S = 30
LIVE = {"HISTORY": "PT2M", "CATCHUP_STEP": "PT10S", "VESSELS": "3"}
PROBE = "BR101/TIC-101.PV"


@dataclass(frozen=True, slots=True)
class Outage:
    """What a test did, and between which moments readings could not pass."""

    what: str
    start: int
    end: int


def newest(site: Site) -> int:
    """Return the time of the newest stored reading of the probe, us UTC."""
    answer = site.get("/recorded", tag=PROBE, start="*-1h", end="*")
    if not answer.is_success or not answer.json()["time"]:
        return 0
    return to_us(answer.json()["time"][-1])


def flows_again(site: Site, what: str) -> int:
    """Wait until something newer than now is stored; return its time, us UTC."""
    now = time.time_ns() // 1000

    def newer() -> int:
        moment = newest(site)
        return moment if moment > now else 0

    return int(
        until(f"data flows after {what}", newer, timeout_s=RECOVERY_S, every_s=0.5)
    )


def hurt(
    site: Site, what: str, down: Callable[[], None], up: Callable[[], None]
) -> Outage:
    """Take something down for two seconds, bring it back, wait for recovery."""
    start = time.time_ns() // 1000
    down()
    time.sleep(2)
    up()
    return Outage(what, start, flows_again(site, what))


def kill_each(site: Site) -> list[Outage]:
    """Kill and restart every process in turn."""
    return [
        hurt(
            site,
            f"kill -9 of {name}",
            functools.partial(site.kill, name),
            functools.partial(site.start, name),
        )
        for name in ("archiver", "api", "collector", "simulator")
    ]


def check(site: Site, outages: list[Outage]) -> None:
    """Hold the loss equation, and every gap against the true outages."""
    site.stop("simulator")
    now = time.time_ns() // 1000
    start, end = now - DAY_US, now + DAY_US
    generated = site.generated()

    def balanced() -> bool:
        found = balance(
            generated,
            site.stored(start, end),
            site.gaps(start, end),
            site.only_changes(),
        )
        print(found)
        return found.balanced

    until("balanced", balanced, timeout_s=30, every_s=2)
    slack = 2 * PUBLISHING_US + SECOND_US  # readings come each second
    for outage in outages:
        print(f"{outage.what}: {(outage.end - outage.start) / SECOND_US:.1f} s")
    for gap in site.gaps(start, end):
        width = ((gap.end or gap.start) - gap.start) / SECOND_US
        print(f"gap {gap.cause}: {width:.3f} s")
        if gap.end is None:
            continue
        assert any(
            outage.start - slack <= gap.start and gap.end <= outage.end + slack
            for outage in outages
        ), (gap, outages)


def begun(site: Site) -> None:
    """Start everything and wait until it is live."""
    site.begin()
    until(
        "the plant is live",
        lambda: status_of(site.folder / "simulator").get("state") == "live",
    )
    flows_again(site, "the start")


@pytest.mark.timeout(300)
def test_embedded_default_recovers_and_balances(
    tmp_path: Path, embedded: Variant, embedded_database: EmbeddedPostgres
) -> None:
    with Site(tmp_path / "site", embedded, simulator=LIVE) as site:
        begun(site)
        outages = kill_each(site)
        outages.append(
            hurt(
                site,
                "kill -9 of the database",
                embedded_database.kill,
                embedded_database.start,
            )
        )
        check(site, outages)


@pytest.mark.timeout(300)
def test_kafka_and_timescale_recover_and_balance(
    tmp_path: Path,
    plant: Variant,
    kafka_broker: KafkaBroker,
    timescale_server: TimescaleServer,
) -> None:
    with Site(tmp_path / "site", plant, simulator=LIVE) as site:
        begun(site)
        outages = kill_each(site)
        outages.append(
            hurt(
                site,
                "kill -9 of the database",
                timescale_server.kill,
                timescale_server.start,
            )
        )
        outages.append(
            hurt(site, "kill -9 of the broker", kafka_broker.kill, kafka_broker.start)
        )
        check(site, outages)
