"""Whatever of an alarm's way is killed, the journal is that of an undisturbed run."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import httpx
import pytest
from pydantic import SecretStr

from services.monitor.partition import PartitionWatch
from services.monitor.publish import stored
from shared.bus import TopicPartition
from shared.bus.open import open_bus
from shared.domain import Unavailable
from shared.events import AlarmTransition, Cause
from shared.settings import BusSettings, DatabaseSettings
from shared.store.events import identity
from shared.store.pool import open_connection
from tests.integration.notify.receivers import SECRET, Receiver, free_port
from tests.neighbours.story import YAML, told
from tests.system.site import Site, Variant, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
    from pathlib import Path

    from shared.bus import Bus, Message
    from tests.neighbours.kafka import KafkaBroker

WAY = ("monitor", "archiver", "api", "notifier")
SECONDS = 200
"""Of the story: T is too high for 10 of every 30 s, P beyond both limits."""
AT = TopicPartition("plant", 0)
URGENT = YAML.replace("on_delay_s: 3,", "on_delay_s: 3, priority: 2,")


@dataclass(frozen=True, slots=True)
class Ground:
    """What the way stands on; the embedded default has no broker."""

    variant: Variant
    broker: KafkaBroker | None = None


@pytest.fixture(
    params=[
        "embedded",
        pytest.param("plant", marks=[pytest.mark.kafka, pytest.mark.timescale]),
    ]
)
def ground(
    request: pytest.FixtureRequest, tmp_path: Path, fresh: str
) -> Iterator[Ground]:
    """Return each variant of log and database; a killed broker runs again after."""
    if request.param == "embedded":
        dsn = request.getfixturevalue("plain_dsn")
        yield Ground(Variant("embedded", f"local:{tmp_path}/log", dsn, fresh, ""))
        return
    broker: KafkaBroker = request.getfixturevalue("kafka_broker")
    dsn = request.getfixturevalue("timescale_dsn")
    url = f"kafka://{broker.bootstrap}"
    yield Ground(Variant("plant", url, dsn, fresh, f"{fresh}."), broker)
    if broker.pid is None:
        broker.start()


@dataclass(slots=True)
class Client:
    """A client of /stream that comes back with the id it had last, in a thread."""

    url: str
    ids: list[str] = field(default_factory=list)
    came: int = 0
    """How often it was connected."""
    ended: threading.Event = field(default_factory=threading.Event)
    _last: str = ""

    def listen(self) -> None:
        """Listen through whatever happens until `ended`."""
        while not self.ended.is_set():
            try:
                self._hear()
            except httpx.TransportError:
                self.ended.wait(0.1)

    def _hear(self) -> None:
        headers = {"Last-Event-ID": self._last} if self._last else {}
        with httpx.stream("GET", self.url, headers=headers, timeout=30) as answer:
            self.came += answer.is_success
            for line in answer.iter_lines():
                if self.ended.is_set():
                    return
                kind, _, text = line.partition(": ")
                if kind == "id":
                    self._last = text
                elif kind == "data":
                    self.ids.append(json.loads(text)["id"])


@asynccontextmanager
async def listening(site: Site) -> AsyncIterator[Client]:
    """Own a client of the site's stream of alarms."""
    client = Client(f"http://127.0.0.1:{site.api_port}/stream?type=alarm")
    thread = threading.Thread(target=client.listen)
    thread.start()
    try:
        await asyncio.to_thread(until, "a client listens", lambda: client.came)
        yield client
    finally:
        client.ended.set()
        await asyncio.to_thread(thread.join, 30)


def settings(variant: Variant) -> tuple[BusSettings, DatabaseSettings]:
    """Return where log and database are."""
    return (
        BusSettings(url=variant.bus, prefix=variant.prefix),
        DatabaseSettings(dsn=SecretStr(variant.dsn), namespace=variant.namespace),
    )


async def feed(bus: Bus, messages: Sequence[Message]) -> None:
    """Append in pieces, each until it is acknowledged, as a collector does."""
    for first in range(0, len(messages), 6):
        async with asyncio.timeout(120):
            while True:
                try:
                    await bus.append(AT, messages[first : first + 6])
                    break
                except Unavailable:
                    await asyncio.sleep(0.2)
        await asyncio.sleep(0.15)


async def disturb(site: Site, broker: KafkaBroker | None) -> None:
    """Kill one after the other at random moments, the broker once."""
    chance = random.Random(5)
    whom = [*WAY, *WAY]
    chance.shuffle(whom)
    for number, name in enumerate(whom):
        await asyncio.sleep(chance.uniform(0.2, 1.8))
        site.kill(name)
        if number == len(whom) // 2 and broker is not None:
            await asyncio.to_thread(broker.kill)
            await asyncio.sleep(chance.uniform(0.1, 1.0))
            await asyncio.to_thread(broker.start)
        site.start(name)


async def undisturbed(bus: Bus) -> list[AlarmTransition]:
    """Return the journal of a monitor that nothing stops, over what is on the log."""
    watch = PartitionWatch(0)
    return [
        event
        async for record in stored(bus, AT, None)
        for event in watch.see(record)
        if isinstance(event, AlarmTransition)
    ]


async def journal(database: DatabaseSettings) -> list[str]:
    """Return the ids of the stored journal in its order."""
    async with open_connection(database) as connection:
        rows = await connection.fetch(
            "select identity from alarm_transition order by id"
        )
    return [row["identity"] for row in rows]


async def all_of(
    what: str, count: int, look: Callable[[], Awaitable[list[str]]]
) -> list[str]:
    """Wait until there are so many different ids, and return all."""
    found: list[str] = []
    try:
        async with asyncio.timeout(90):
            while len(set(found := await look())) < count:  # noqa: ASYNC110  others fill it
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(f"{what}: {len(set(found))} of {count}") from None
    return found


@pytest.mark.timeout(400)
async def test_whatever_is_killed_the_journal_is_whole_and_every_push_arrives(
    tmp_path: Path, ground: Ground
) -> None:
    receiver = Receiver(free_port())
    bus_settings, database = settings(ground.variant)
    notifier = {
        "WEBHOOKS__IT__URL": receiver.url,
        "WEBHOOKS__IT__SECRET": SECRET,
        "LOOK": "PT0.1S",
        "LONGEST_PAUSE": "PT1S",
    }
    with Site(tmp_path / "site", ground.variant, source="", notifier=notifier) as site:
        site.command("migrate")
        site.plant_yaml.write_text(URGENT)
        site.apply()
        site.start(*WAY)
        until("a target is told", lambda: site.get("/pushes").json()["targets"])
        async with (
            receiver.up(),
            open_bus(bus_settings) as bus,
            listening(site) as client,
        ):
            feeding = asyncio.create_task(feed(bus, told(0, SECONDS)[1:]))
            await disturb(site, ground.broker)
            await feeding
            expected = await undisturbed(bus)
            ids = [identity(transition) for transition in expected]
            urgent = {
                identity(transition)
                for transition in expected
                if transition.priority <= 2
                and transition.cause in {Cause.RAISED, Cause.RETURNED}
            }

            async def pushes() -> list[str]:
                return receiver.ids

            async def events() -> list[str]:
                return client.ids

            kept = await all_of("journal", len(ids), partial(journal, database))
            pushed = await all_of("pushes", len(urgent), pushes)
            streamed = await all_of("events of the stream", len(ids), events)
    assert kept == ids
    assert len(urgent) >= 10
    assert set(pushed) == urgent
    assert set(streamed) == set(ids)
    assert client.came >= 2
