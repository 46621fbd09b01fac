"""A process that appends to a local log or reads it, driven over its standard streams.

`append ROOT NAME CALLS`: appends CALLS calls of three records, one line each when it is
durable. `consume ROOT MEMBER LEASE_S`: prints `owns N` and each value; commits after
each poll, prints `fenced` and ends when it was taken over.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from shared.bus import Fenced, Message, Position, Record, TopicPartition
from shared.bus.local import LocalBus

AT = TopicPartition("plant", 0)


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def append(root: Path, name: str, calls: int) -> None:
    """Append until done or killed; a line says that a call is durable."""
    async with LocalBus(root) as bus:
        for call in range(calls):
            value = f"{name}-{call}".encode()
            position = await bus.append(AT, [Message({"by": name}, value)] * 3)
            say(f"{position.offset} {value.decode()}")


async def consume(root: Path, member: str, lease_s: float) -> None:
    """Poll for ever, committing what was printed."""
    owned = 0
    async with (
        LocalBus(root, lease_s=lease_s) as bus,
        bus.consumer("archiver", ["plant"], member=member) as consumer,
    ):
        say("ready")
        while True:
            try:
                records = await consumer.poll(max_bytes=1000, timeout_s=0.2)
                if len(consumer.assigned()) != owned:
                    owned = len(consumer.assigned())
                    say(f"owns {owned}")
                for record in records:
                    assert isinstance(record, Record), record
                    say(record.value.decode())
                    after = record.position.offset + 1
                    at = Position(record.position.epoch, after)
                    await consumer.commit({record.at: at})
            except Fenced:
                say("fenced")
                return


def main() -> None:
    """Run what the arguments say."""
    what, root, name, number = sys.argv[1:]
    if what == "append":
        asyncio.run(append(Path(root), name, int(number)))
    else:
        asyncio.run(consume(Path(root), name, float(number)))


if __name__ == "__main__":
    main()
