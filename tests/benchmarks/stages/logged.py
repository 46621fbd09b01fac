"""OPC UA to Kafka, acknowledged: the collector against the usual pipeline.

Ours is the collector's process as a plant runs it: decoded, counted in the ledger,
spooled with fsync, relayed, acknowledged by the broker. The clock of both runs from the
first reading until the broker has the last one.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from shared.bus import Damaged, Record, TopicPartition
from shared.bus.open import open_bus
from shared.domain import Kind, Topic
from shared.settings import BusSettings
from shared.wire import decode_readings
from tests.benchmarks.load.notifications import Layout
from tests.benchmarks.load.subscription import TAGS
from tests.benchmarks.opcua.columns import Sums, differences, expected
from tests.benchmarks.processes import Speaker, cpu_s
from tests.benchmarks.results import OURS, Comparison, Goal
from tests.benchmarks.way.site_plan import SitePlan, plant_yaml
from tests.neighbours.kafka import KafkaBroker
from tests.system.site import ROOT, Site, Variant, free_port, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

USUAL = "asyncua + aiokafka, JSON each"
PARTITIONS = 4
VESSELS = 100
_DRAIN_S = 120
_CLIENT_S = 120
_PROFILE_S = 8.0
_NO_DATABASE = "postgresql://nobody@127.0.0.1:1/none"
_POLL_BYTES = 8 * 1024 * 1024


class ReadingsMissing(Exception):  # noqa: N818
    """What is on the log is not what was sent; the speed means nothing."""


def compare(rounds: int, seconds: float) -> Iterator[Comparison]:
    """Measure both contenders in turn on one broker."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = stack.enter_context(KafkaBroker(folder / "kafka"))
        measured = [
            {
                OURS: ours(broker.bootstrap, seconds, folder / f"site{number}"),
                USUAL: usual(broker.bootstrap, seconds),
            }
            for number in range(rounds)
        ]
    case = f"{VESSELS * TAGS} items, saturated"
    yield Comparison("OPC UA to Kafka", case, {USUAL: Goal(30)}, measured)


def profile(runner: Sequence[str]) -> float:
    """Return our speed while the collector runs under `runner`."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = stack.enter_context(KafkaBroker(folder / "kafka"))
        return ours(broker.bootstrap, _PROFILE_S, folder / "site", runner)


def _load(port: int) -> Speaker:
    items = VESSELS * TAGS
    load = {"port": port, "items": items, "period_us": 0, "per_message": items}
    return Speaker("tests.benchmarks.load", [json.dumps([load])])


def usual(bootstrap: str, seconds: float) -> float:
    """Return readings per CPU second of the usual pipeline."""
    topic = f"usual-{uuid.uuid4().hex[:8]}"
    asyncio.run(_make_topic(bootstrap, topic))
    with _load(port := free_port()) as load:
        load.hear()
        arguments = [f"opc.tcp://127.0.0.1:{port}", str(VESSELS * TAGS), str(seconds)]
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tests.benchmarks.opcua.usual"),
                *(*arguments, bootstrap, topic),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=_CLIENT_S,
            check=True,
        )
    said = json.loads(done.stdout.splitlines()[-1])
    return float(said["readings"] / said["cpu_s"])


async def _make_topic(bootstrap: str, topic: str) -> None:
    async with open_bus(BusSettings(url=f"kafka://{bootstrap}")) as bus:
        await bus.create_topic(topic, PARTITIONS)


def ours(
    bootstrap: str, seconds: float, folder: Path, runner: Sequence[str] = ()
) -> float:
    """Return readings per CPU second of the collector with its relay.

    Args:
        bootstrap: where Kafka is.
        seconds: how long the load lasts.
        folder: of the collector.
        runner: what runs the collector, as Site has it.

    Raises:
        ReadingsMissing: a sum over what Kafka has is not that of what was sent.
    """
    prefix = f"b{uuid.uuid4().hex[:8]}."
    variant = Variant("plant", f"kafka://{bootstrap}", _NO_DATABASE, "none", prefix)
    plan = SitePlan(vessels=VESSELS, servers=1, partitions=PARTITIONS)
    with ExitStack() as stack:
        port = free_port()
        load = stack.enter_context(_load(port))
        load.hear()
        site = stack.enter_context(Site(folder, variant, source="", runner=runner))
        site.plant_yaml.write_text(plant_yaml(plan, [port]))
        site.apply()
        site.start("collector")
        until("readings are sent", lambda: load.ask()[0]["readings"], timeout_s=180)
        pid = site.processes["collector"].pid
        began = cpu_s(pid)
        until("time is over", _after(seconds), timeout_s=seconds + 60, every_s=0.05)
        load.signal(signal.SIGUSR1)
        until("sampling ended", lambda: load.ask()[0]["stopped"])
        sent = load.ask()[0]
        bus = BusSettings(url=variant.bus, prefix=prefix)
        asyncio.run(_until_on_kafka(bus, sent["readings"]))
        spent = cpu_s(pid) - began
        found = asyncio.run(_sums(bus, sent["readings"]))
        site.stop("collector")
    notifications = sent["readings"] // plan.vessels // TAGS
    wanted = expected(VESSELS * TAGS, Layout.UNIFORM, sent["first"], notifications)
    wrong = differences({name: getattr(found, name) for name in Sums.__slots__}, wanted)
    if wrong:
        raise ReadingsMissing(f"on Kafka: {'; '.join(wrong)}")
    return float(found.readings / spent)


def _after(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


async def _records(settings: BusSettings, expected_rows: int) -> AsyncIterator[Record]:
    """Yield the readings' records on Kafka until they have so many rows."""
    rows = 0
    deadline = time.monotonic() + _DRAIN_S
    async with open_bus(settings) as bus:
        places = [TopicPartition(Topic.PLANT, number) for number in range(PARTITIONS)]
        starts = {at: await bus.start(at) for at in places}
        async with bus.reader(starts) as reader:
            while rows < expected_rows and time.monotonic() < deadline:
                found = await reader.poll(max_bytes=_POLL_BYTES, timeout_s=1.0)
                for each in found:
                    if _is_readings(each):
                        assert isinstance(each, Record)
                        rows += int(each.headers["rows"])
                        yield each


def _is_readings(each: Record | Damaged) -> bool:
    return isinstance(each, Record) and each.headers["kind"] == Kind.READINGS


async def _until_on_kafka(settings: BusSettings, rows: int) -> None:
    found = 0
    async for record in _records(settings, rows):
        found += int(record.headers["rows"])
    if found != rows:
        raise ReadingsMissing(f"on Kafka: expected {rows} readings, found {found}")


async def _sums(settings: BusSettings, rows: int) -> Sums:
    sums = Sums()
    async for record in _records(settings, rows):
        _, block = decode_readings(record.headers, record.value)
        sums.add(block.tag, block.time, block.value, block.status)
    return sums
