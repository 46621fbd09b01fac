"""Kafka to TimescaleDB, exactly once: the archiver against the usual way and the floor.

Against the usual way counts the client, as in the other stages: what the database does
with a row is the same for both. Against a bare COPY, the floor, counts what a reading
costs client and database together; the usual way stands beside it there, too.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import uuid
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
from aiokafka import AIOKafkaProducer

from shared.bus import TopicPartition
from shared.bus.open import open_bus
from shared.configuration import apply_configuration, create_topics
from shared.domain import Topic
from shared.settings import BusSettings
from tests.benchmarks.archive.filled import (
    PARTITIONS,
    TAGS,
    VESSELS,
    json_messages,
    record,
    second_of,
)
from tests.benchmarks.processes import cpu_s
from tests.benchmarks.results import OURS, Comparison, Goal
from tests.benchmarks.way.site_plan import SitePlan, plant_yaml
from tests.neighbours.kafka import KafkaBroker
from tests.neighbours.timescale import TimescaleServer
from tests.system.site import ROOT, Site, Variant, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

JSON = "aiokafka JSON each, copy_records"
ARROW = "the same records, copy_records"
BARE = "bare binary COPY"
SECONDS = 60
"""Of 30 000 readings: 1.8 million rows."""
JSON_SECONDS = 8
"""For the peer that needs a message per reading: 240 000 rows."""
_APPEND = 50
_STORE_S = 180


class RowsDiffer(Exception):  # noqa: N818
    """The table does not hold the rows of the comparison; the speed means nothing."""


@dataclass(frozen=True, slots=True)
class _Ground:
    bootstrap: str
    dsn: str
    database: int
    prefix: str
    """Of the topics that hold the records."""
    json_topic: str


@dataclass(frozen=True, slots=True)
class _Spent:
    """CPU seconds for so many rows."""

    rows: int
    client: float
    database: float

    @property
    def of_client(self) -> float:
        """Return rows per CPU second of the client."""
        return self.rows / self.client

    @property
    def of_both(self) -> float:
        """Return rows per CPU second of client and database."""
        return self.rows / (self.client + self.database)

    def said(self, who: str) -> str:
        """Return it for a person, us a row."""
        client, database = (
            1e6 * each / self.rows for each in (self.client, self.database)
        )
        return f"{who}: client {client:.2f} us a row, database {database:.2f}"


@contextmanager
def _filled() -> Iterator[tuple[_Ground, Path]]:
    """Yield neighbours whose log is filled, and a folder."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = stack.enter_context(KafkaBroker(folder / "kafka"))
        server = stack.enter_context(TimescaleServer(folder / "timescale"))
        on = _Ground(
            broker.bootstrap, server.dsn, server.pid or 0, "filled.", "filled-json"
        )
        asyncio.run(_fill(on))
        yield on, folder


def profile(runner: Sequence[str]) -> float:
    """Return our speed while the archiver runs under `runner`."""
    with _filled() as (on, folder):
        return _ours(on, folder / "site", runner).of_both


def compare(rounds: int, _seconds: float) -> Iterator[Comparison]:
    """Fill Kafka once, then let every contender store it in a schema of its own."""
    with _filled() as (on, folder):
        measured = [
            {
                OURS: _ours(on, folder / f"site{number}"),
                BARE: _process(on, BARE),
                ARROW: _process(on, ARROW),
                JSON: _process(on, JSON),
            }
            for number in range(rounds)
        ]
    load = "30 000 tags at 1 Hz"
    clients = [
        {who: spent.of_client for who, spent in each.items()} for each in measured
    ]
    yield Comparison(
        "Kafka to TimescaleDB", load, {JSON: Goal(3), ARROW: Goal(3)}, clients,
        ["Kafka to TimescaleDB: CPU seconds of the client"],
    )  # fmt: skip
    both = [{who: spent.of_both for who, spent in each.items()} for each in measured]
    notes = [
        "Kafka to the disk: client and database together; fedbatch with ledger, "
        "offsets in the transaction and deduplication, the peers with none of them"
    ]
    goals = {BARE: Goal(1.6, at_most=True), JSON: Goal(3), ARROW: Goal(3)}
    yield Comparison("Kafka to the disk", load, goals, both, notes)


async def _fill(on: _Ground) -> None:
    settings = BusSettings(
        url=f"kafka://{on.bootstrap}", prefix=on.prefix, partitions=PARTITIONS
    )
    async with open_bus(settings) as bus:
        await create_topics(bus, PARTITIONS)
        plan = SitePlan(vessels=VESSELS, partitions=PARTITIONS)
        text = plant_yaml(plan, [4840] * plan.servers)
        await apply_configuration(bus, text, source="load", actor="benchmark", now=0)
        for partition in range(PARTITIONS):
            blocks = [b for s in range(SECONDS) for b in second_of(partition, s)]
            records = [record(block, number) for number, block in enumerate(blocks)]
            for start in range(0, len(records), _APPEND):
                at = TopicPartition(Topic.PLANT, partition)
                await bus.append(at, records[start : start + _APPEND])
    plain = BusSettings(url=f"kafka://{on.bootstrap}")
    async with open_bus(plain) as bus:
        await bus.create_topic(on.json_topic, PARTITIONS)
    producer = AIOKafkaProducer(
        bootstrap_servers=on.bootstrap, max_batch_size=262_144, linger_ms=5
    )
    async with producer:
        for partition in range(PARTITIONS):
            for second in range(JSON_SECONDS):
                for block in second_of(partition, second):
                    for message in json_messages(block):
                        await producer.send(on.json_topic, message, partition=partition)


def _ours(on: _Ground, folder: Path, runner: Sequence[str] = ()) -> _Spent:
    schema = _schema()
    bus = f"kafka://{on.bootstrap}"
    variant = Variant("plant", bus, on.dsn, schema, on.prefix)
    with Site(folder, variant, source="", runner=runner) as site:
        site.command("migrate")
        site.start("archiver")
        pid = site.processes["archiver"].pid
        until("it stores", lambda: _begun(on, schema), timeout_s=90, every_s=0.02)
        before = _rows(on, schema)
        began = cpu_s(pid), cpu_s(on.database)
        until(
            "all is stored",
            lambda: _rows(on, schema) >= SECONDS * TAGS,
            timeout_s=_STORE_S,
            every_s=0.25,
        )
        client, database = cpu_s(pid) - began[0], cpu_s(on.database) - began[1]
        site.stop("archiver")
    spent = _Spent(_checked(on, schema, SECONDS) - before, client, database)
    print(spent.said(OURS), flush=True)
    return spent


def _process(on: _Ground, who: str) -> _Spent:
    schema = _schema()
    seconds = JSON_SECONDS if who == JSON else SECONDS
    variant = Variant("plant", f"kafka://{on.bootstrap}", on.dsn, schema, on.prefix)
    with tempfile.TemporaryDirectory() as folder, Site(Path(folder), variant) as site:
        site.command("migrate")
    module, arguments = "usual", [on.bootstrap, f"{on.prefix}{Topic.PLANT}"]
    if who == BARE:
        module, arguments = "bare", [on.dsn, schema, str(seconds)]
    elif who == JSON:
        arguments = [on.bootstrap, on.json_topic]
    if module == "usual":
        kind = "json" if who == JSON else "arrow"
        arguments += [on.dsn, schema, str(seconds * TAGS), kind]
    database = cpu_s(on.database)
    done = subprocess.run(
        [sys.executable, "-m", f"tests.benchmarks.archive.{module}", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=_STORE_S,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{who}: {done.stderr[-1500:]}")
    said = json.loads(done.stdout.splitlines()[-1])
    client, used = float(said["cpu_s"]), cpu_s(on.database) - database
    spent = _Spent(_checked(on, schema, seconds), client, used)
    print(spent.said(who), flush=True)
    return spent


def _schema() -> str:
    return f"b{uuid.uuid4().hex[:10]}"


def _rows(on: _Ground, schema: str) -> int:
    """Return about how many rows are stored, cheaply."""
    query = f"select coalesce(sum(rows), 0) from {schema}.block"
    return int(asyncio.run(_ask(on, query))[0])


def _begun(on: _Ground, schema: str) -> bool:
    """Whether the configuration is behind: every partition has stored readings."""
    query = f"select count(distinct partition) from {schema}.block"
    return int(asyncio.run(_ask(on, query))[0]) == PARTITIONS


def _checked(on: _Ground, schema: str, seconds: int) -> int:
    """Return the rows of a schema when they are those of the comparison; drop it.

    Raises:
        RowsDiffer: they are not.
    """
    count, distinct, total = asyncio.run(
        _ask(
            on,
            "select count(*), count(distinct (tag, time)), sum(value) "
            f"from {schema}.reading",
        )
    )
    wanted = sum(
        float(block.value.sum())
        for partition in range(PARTITIONS)
        for second in range(seconds)
        for block in second_of(partition, second)
    )
    if (count, distinct, total) != (seconds * TAGS, seconds * TAGS, wanted):
        raise RowsDiffer(
            f"{schema}: expected {seconds * TAGS} rows of sum {wanted}, found {count}, "
            f"{distinct} of them distinct, of sum {total}"
        )
    asyncio.run(_ask(on, f"drop schema {schema} cascade; select 1"))
    return int(count)


async def _ask(on: _Ground, query: str) -> tuple[float, ...]:
    connection = await asyncpg.connect(on.dsn)
    try:
        if query.startswith("drop"):
            await connection.execute(query)
            return ()
        return tuple((await connection.fetch(query))[0])
    finally:
        await connection.close()
