"""The log refuses for a while: nothing is acknowledged, nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.ingest.collect import writer as room
from services.ingest.opcua.subscription import utc_now
from shared.domain import Unavailable
from tests.integration.collect.collected import Collected, check_balance, plant_of
from tests.neighbours.instrument import Instrument

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from shared.bus import Message, TopicPartition


async def test_nothing_is_acknowledged_or_lost_while_the_log_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "HELD_BYTES", 8_000)
    async with Instrument(3) as instrument, Collected(tmp_path) as collected:
        away = False

        async def append(at: TopicPartition, messages: Sequence[Message]) -> Any:
            if away:
                raise Unavailable("the disk is full")
            return await collected.bus.append(at, messages)

        collected.append = append
        await collected.apply(plant_of(instrument.url, 3, queue=5000))
        await collected.start()
        await collected.until(lambda: collected.all_subscribed(3))
        start = utc_now()
        await instrument.send(start)
        await collected.until(lambda: len(collected.process()) >= 3)
        away = True
        (subscription,) = (
            instrument.server.iserver.subscription_service.subscriptions.values()
        )
        kept = subscription._not_acknowledged_results
        step = 0

        async def more() -> int:
            nonlocal step
            step += 1
            await instrument.send(start + step * 1000)
            return len(kept)

        while await more() < 2:
            await collected.until(lambda: True)
        assert step < 5000
        count = len(collected.process())
        away = False
        await collected.until(lambda: len(collected.process()) >= 3 * (step + 1))
        await collected.until(lambda: len(kept) <= 1)
        await collected.stop()
        await collected.read()
    assert count == 3
    assert not collected.gaps
    check_balance(collected, instrument.sent)
