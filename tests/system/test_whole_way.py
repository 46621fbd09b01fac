"""(a) and (b): the whole way balances, undisturbed and after every process was killed.

One site per variant: it catches up with two hours of history, goes on live, loses each
process and neighbour in turn to kill -9, and must balance before and after.
"""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.system.balance import Balance, balance
from tests.system.site import Site, status_of, to_iso, to_us, until

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
HISTORY = {
    "HISTORY": "PT2H",
    "CATCHUP_STEP": "PT10S",
    "VESSELS": "3",
    "INSTRUMENTS": "core",
}
PROBES = tuple(f"BR10{number}/TIC-101.PV" for number in (1, 2, 3))


@dataclass(frozen=True, slots=True)
class Outage:
    """What a test did, and from when to when nothing was through, us UTC."""

    what: str
    start: int
    end: int


def newest(site: Site) -> int:
    """Return up to when every vessel's readings are through, us UTC; 0: not known."""
    return min(_newest(site, probe) for probe in PROBES)


def _newest(site: Site, probe: str) -> int:
    answer = site.get("/recorded", tag=probe, start="*-1h", end="*")
    if not answer.is_success or not answer.json()["time"]:
        return 0
    return to_us(answer.json()["time"][-1])


def flows_again(site: Site, what: str) -> int:
    """Wait until readings newer than now are answered; return when, us UTC."""
    now = time.time_ns() // 1000
    until(
        f"data flows after {what}",
        lambda: newest(site) > now,
        timeout_s=RECOVERY_S,
        every_s=0.5,
    )
    return time.time_ns() // 1000


def hurt(
    site: Site, what: str, down: Callable[[], None], up: Callable[[], None]
) -> Outage:
    """Take something down for two seconds, bring it back, wait for recovery.

    The outage lasts from the last reading that was through before until those of after
    are answered.
    """
    start = newest(site)
    down()
    time.sleep(2)
    up()
    return Outage(what, start, flows_again(site, what))


def filled(site: Site) -> None:
    """Wait until the simulator's history filled the time without a collector."""
    now = time.time_ns() // 1000

    def all_filled() -> bool:
        query = {"start": to_iso(now - DAY_US), "end": to_iso(now)}
        gaps = site.get("/gaps", **query).json()["gaps"]
        return all(gap["filled"] and not gap["missing"] for gap in gaps)

    until("what was missed is filled", all_filled)
    assert balanced(site).declared == 0


def kill_each(site: Site) -> list[Outage]:
    """Kill and restart every process in turn; the server's history fills the gaps."""
    outages = [_kill(site, name) for name in ("archiver", "api", "collector")]
    filled(site)
    return [*outages, _kill(site, "simulator")]


def _kill(site: Site, name: str) -> Outage:
    return hurt(
        site,
        f"kill -9 of {name}",
        functools.partial(site.kill, name),
        functools.partial(site.start, name),
    )


def balanced(site: Site) -> Balance:
    """Hold the loss equation once nothing more arrives of what was generated."""
    now = time.time_ns() // 1000
    start, end = now - DAY_US, now + DAY_US
    generated = {
        tag: [entry for entry in rows if entry.time <= now]
        for tag, rows in site.generated().items()
    }
    found: list[Balance] = []

    def holds() -> bool:
        stored, gaps = site.stored(start, now), site.gaps(start, end)
        found.append(balance(generated, stored, gaps, site.only_changes()))
        print(found[-1])
        return found[-1].balanced

    until("balanced", holds, timeout_s=30, every_s=2)
    return found[-1]


def within_outages(site: Site, outages: list[Outage]) -> None:
    """Hold every declared gap against the true outages."""
    now = time.time_ns() // 1000
    slack = 2 * PUBLISHING_US
    for outage in outages:
        print(f"{outage.what}: {(outage.end - outage.start) / SECOND_US:.1f} s")
    for gap in site.gaps(now - DAY_US, now):
        end = gap.end or now
        print(f"gap {gap.cause}: {(end - gap.start) / SECOND_US:.3f} s")
        assert any(
            outage.start - slack <= gap.start
            and end <= outage.end + slack
            and end - gap.start <= outage.end - outage.start + slack
            for outage in outages
        ), (gap, outages)


def undisturbed(site: Site) -> None:
    """Start everything, catch up, go live: all is stored, nothing is declared."""
    site.begin()
    until(
        "the plant is live",
        lambda: status_of(site.folder / "simulator").get("state") == "live",
    )
    flows_again(site, "the start")
    found = balanced(site)
    assert found.generated > 3 * 20 * 720
    assert found.declared == 0


def disturbed(site: Site, outages: list[Outage]) -> None:
    """Stop the source, then balance: what is missing is declared, and no more."""
    began = newest(site)
    site.stop("simulator")
    time.sleep(2)
    outages.append(Outage("the end", began, time.time_ns() // 1000 + DAY_US))
    balanced(site)
    print(site.command("ledger", "verify", "--days", "1").stdout)
    within_outages(site, outages)


@pytest.mark.timeout(300)
def test_embedded_default_recovers_and_balances(
    tmp_path: Path, embedded: Variant, plain_server: EmbeddedPostgres
) -> None:
    with Site(tmp_path / "site", embedded, simulator=HISTORY) as site:
        undisturbed(site)
        outages = kill_each(site)
        outages.append(
            hurt(
                site,
                "kill -9 of the database",
                plain_server.kill,
                plain_server.start,
            )
        )
        disturbed(site, outages)


@pytest.mark.timeout(300)
def test_kafka_and_timescale_recover_and_balance(
    tmp_path: Path,
    plant: Variant,
    kafka_broker: KafkaBroker,
    timescale_server: TimescaleServer,
) -> None:
    with Site(tmp_path / "site", plant, simulator=HISTORY) as site:
        undisturbed(site)
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
        disturbed(site, outages)
