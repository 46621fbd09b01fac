"""What could not be stored comes back through the normal path, once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from deploy.command.dead_letters import listed, replayed, shown
from services.ingest.dead_letters import again, letters
from shared.bus import Message, Record, TopicPartition
from shared.configuration import apply_configuration
from tests.integration.archive.archived import plant, stored_count, until, value_of
from tests.integration.archive.test_archiving import archiving
from tests.neighbours.made import NOON_US, PLANT, made_block, made_message

if TYPE_CHECKING:
    from pathlib import Path

    from shared.bus.local import LocalBus
    from shared.settings import DatabaseSettings

AT = TopicPartition("dead-letter", 0)


async def kept(bus: LocalBus) -> list[Record]:
    """Return the records of the dead-letter topic."""
    found: list[Record] = []
    start, head = await bus.start(AT), await bus.head(AT)
    async with bus.reader({AT: start}) as reader:
        while len(found) < head.offset - start.offset:
            items = await reader.poll(max_bytes=1 << 20, timeout_s=1)
            found += [item for item in items if isinstance(item, Record)]
    return found


async def test_a_type_that_changed_is_quarantined_and_stored_once_it_is_configured(
    tmp_path: Path, database: DatabaseSettings
) -> None:
    log = f"local:{tmp_path}/log"
    texts = [None, None, "broken wire", None, None, "NaN"]
    value = made_block(6).value.copy()
    value[[2, 5]] = np.nan
    block = replace(made_block(6), text=pa.array(texts), value=value)
    as_text = PLANT.replace('node: "ns=2;s=l"', 'node: "ns=2;s=l", type: string')
    async with archiving(tmp_path, database) as bus:
        await apply_configuration(bus, PLANT, source="p", actor="me", now=NOON_US)
        await bus.append(plant(0), [made_message(block)])
        await bus.append(plant(0), [Message({"kind": "surprise"}, b"x" * 70_000)])
        await stored_count(database, 5)
        quarantined = "select count(*) from quarantine"
        await until(lambda: value_of(database, quarantined), lambda n: n == 2)
        said = await listed(log, everything=False)
        assert "plant-0 at 1, 1 rows: text came; plant.yaml says" in said
        assert said.endswith("2 letter(s)")
        assert "'broken wire'" in await shown(log, 0)
        await apply_configuration(bus, as_text, source="p", actor="me", now=NOON_US)
        configured = "select count(*) from configuration"
        await until(lambda: value_of(database, configured), lambda n: n == 2)
        said, whole = await replayed(log, [], "me")
        assert not whole
        assert "0: on backfill-0 again, 1 reading(s)" in said
        assert "65536 of 70000 bytes are kept; expected all" in said
        await stored_count(database, 6)
        assert await replayed(log, [0], "me") == ("0: replayed before", True)
        at, message = again(letters(await kept(bus))[0])
        await bus.append(at, [message])
        duplicates = "select sum(duplicates) from block"
        await until(lambda: value_of(database, duplicates), lambda n: n == 1)
        await stored_count(database, 6)
        assert "1 replayed before" in await listed(log, everything=False)
        assert "(replayed)" in await listed(log, everything=True)


async def test_a_record_that_is_still_refused_is_a_letter_again_and_stops_nothing(
    tmp_path: Path, database: DatabaseSettings
) -> None:
    log = f"local:{tmp_path}/log"
    async with archiving(tmp_path, database) as bus:
        await bus.append(
            plant(1), [Message({"kind": "surprise"}, b"?"), made_message(made_block(3))]
        )
        await stored_count(database, 3)
        said, whole = await replayed(log, [0], "me")
        assert (said, whole) == ("0: on plant-1 again", True)
        await bus.append(plant(1), [made_message(made_block(3, first=3))])
        await stored_count(database, 6)
        found = letters(await kept(bus))
        assert [one.replayed for one in found] == [True, False]
        assert found[1].headers["kind"] == "surprise"
        assert found[1].headers["replayed"].endswith(":0")
