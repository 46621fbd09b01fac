"""fedbatch's own collection as a client: session, subscription, gaps, republish.

    python -m tests.benchmarks.opcua.ours URL ITEMS SECONDS

All that the collector does between the socket and the log runs; the readings end in
sums in place of the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from services.ingest.collect.intake import Intake, Source
from services.ingest.collect.ledger import Ledger
from services.ingest.collect.losses import Losses
from services.ingest.collect.memory import ServerMemory
from services.ingest.collect.plan import Layout, Plan
from services.ingest.collect.server import Collection
from services.ingest.collect.writer import Writer
from services.ingest.last_readings import LastReadings
from services.ingest.opcua.items import Wanted
from services.ingest.opcua.security import own_identity
from services.ingest.opcua.session import Session
from shared.plant import Heartbeat, Report, Server
from tests.benchmarks.opcua.columns import Sums
from tests.benchmarks.opcua.watch import say, watch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from services.ingest.opcua.decode import Publish
    from shared.bus import Message, Position, TopicPartition

_HEARTBEAT = 1_000_000_000


class Summing(Intake):
    """Adds the columns up where the collector would write them."""

    def __init__(self, layout: Layout, writer: Writer, losses: Losses) -> None:
        super().__init__(
            layout,
            writer,
            last=LastReadings(),
            ledger=Ledger(),
            losses=losses,
            dead_letter=_complain,
        )
        self.sums = Sums()

    def take(
        self,
        publish: Publish,
        source: Source,
        received: int,
        safe: Callable[[], None],
    ) -> None:
        block = publish.block
        self.sums.add(block.tag, block.time, block.value, block.status)
        safe()


def _complain(headers: dict[str, str], _value: bytes) -> None:
    raise AssertionError(f"not understood: {headers}")


async def _no_log(_at: TopicPartition, _messages: Sequence[Message]) -> Position:
    raise AssertionError("nothing is written here")


def collection_of(
    url: str, nodes: Sequence[str], folder: Path
) -> tuple[Collection, Sums]:
    """Return a collection of these nodes, and what it will come to."""
    server = Server(name="load", url=url, heartbeat=Heartbeat(id=_HEARTBEAT))
    wanted = [
        Wanted(n, node, Report.EACH, 250, 100) for n, node in enumerate(nodes, start=1)
    ]
    plan = Plan(server, 1, tuple(wanted), {}, {})
    session = Session(
        server,
        folder=folder,
        identity=own_identity(folder),
        password=None,
        timeout_s=30.0,
    )
    layout, writer, memory = Layout(), Writer(_no_log, {}), ServerMemory()
    losses = Losses("load", layout, memory, lambda _gap: None)
    intake = Summing(layout, writer, losses)
    collection = Collection(
        plan,
        session,
        writer=writer,
        intake=intake,
        losses=losses,
        memory=memory,
        show=lambda _plan, _states: None,
        dead_letter=_complain,
        tail=(),
    )
    return collection, intake.sums


async def main(url: str, items: int, seconds: float) -> None:
    """Collect for a while."""
    with tempfile.TemporaryDirectory() as folder:
        nodes = [f"ns=1;i={n + 1}" for n in range(items)]
        collection, sums = collection_of(url, nodes, Path(folder))
        task = asyncio.create_task(collection.run())
        await watch(sums, seconds)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    say(sums)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
