"""`fedbatch dead-letter`: what could not be stored, and putting it on its way again."""

from __future__ import annotations

import getpass
import time
from typing import TYPE_CHECKING

from deploy.command.options import OptionInvalid, bus_settings
from services.ingest.dead_letters import NotReplayable, again, letters, note
from shared.bus import Damaged, Record, TopicPartition
from shared.bus.open import open_bus
from shared.domain import Topic
from shared.wire import NotUnderstood, decode_readings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.ingest.dead_letters import Letter
    from shared.bus import Bus

_AT = TopicPartition(Topic.DEAD_LETTER, 0)
_FETCH_BYTES = 8 * 1024 * 1024
_FETCH_S = 5.0
_SHOWN_ROWS = 20
_SHOWN_BYTES = 256


async def listed(bus: str | None, *, everything: bool) -> str:
    """Return a line per letter, oldest first; those replayed only if `everything`."""
    async with open_bus(bus_settings(bus)) as log:
        found = await _letters(log)
    shown = [one for one in found if everything or not one.replayed]
    replayed = len(found) - len(shown)
    tail = f"{len(shown)} letter(s)"
    if replayed:
        tail += f", {replayed} replayed before (--all shows them)"
    return "\n".join([*map(_line, shown), tail])


async def shown(bus: str | None, number: int) -> str:
    """Return everything that is kept of one letter."""
    async with open_bus(bus_settings(bus)) as log:
        (letter,) = _chosen(await _letters(log), [number])
    lines = [
        _line(letter),
        f"  reason   {letter.reason}",
        f"  bytes    {len(letter.raw)} of {letter.size} kept"
        + (f", SHA-256 {letter.sha256}" if letter.sha256 else ""),
        *(f"  {name:<14} {text}" for name, text in sorted(letter.headers.items())),
        *_content(letter),
    ]
    return "\n".join(lines)


async def replayed(
    bus: str | None, numbers: Sequence[int], actor: str | None
) -> tuple[str, bool]:
    """Put letters on the log again: those named, else all that were not yet.

    Returns:
        A line per letter, and whether all of them could be.
    """
    lines, whole = [], True
    async with open_bus(bus_settings(bus)) as log:
        found = await _letters(log)
        chosen = _chosen(found, numbers) if numbers else found
        for letter in chosen:
            if letter.replayed:
                lines += [f"{letter.number}: replayed before"] if numbers else []
                continue
            try:
                at, message = again(letter)
            except NotReplayable as error:
                lines.append(f"{letter.number}: {error}")
                whole = False
                continue
            await log.append(at, [message])
            await log.append(_AT, [note(letter, actor or getpass.getuser())])
            rows = "" if letter.rows is None else f", {letter.rows} reading(s)"
            lines.append(f"{letter.number}: on {at.topic}-{at.partition} again{rows}")
    return "\n".join(lines or ["nothing to replay"]), whole


async def _letters(log: Bus) -> list[Letter]:
    if await log.partitions(Topic.DEAD_LETTER) == 0:
        return []
    start, head = await log.start(_AT), await log.head(_AT)
    offset, records = start.offset, []
    async with log.reader({_AT: start}) as reader:
        while offset < head.offset:
            items = await reader.poll(max_bytes=_FETCH_BYTES, timeout_s=_FETCH_S)
            if not items:
                break
            for item in items:
                if isinstance(item, Damaged):
                    offset = item.last.offset + 1
                else:
                    offset = item.position.offset + 1
                    records.append(item)
    return letters(item for item in records if isinstance(item, Record))


def _chosen(found: Sequence[Letter], numbers: Sequence[int]) -> list[Letter]:
    by_number = {letter.number: letter for letter in found}
    for number in numbers:
        if number not in by_number:
            has = f"one of {min(by_number)} to {max(by_number)}" if found else "none"
            raise OptionInvalid(f"dead letter {number}: expected {has}")
    return [by_number[number] for number in numbers]


def _line(letter: Letter) -> str:
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(letter.time // 1_000_000))
    size = f"{letter.size} bytes" if letter.rows is None else f"{letter.rows} rows"
    done = " (replayed)" if letter.replayed else ""
    reason = letter.reason.splitlines()[0][:120] if letter.reason else "no reason"
    return f"{letter.number:>6}  {when}  {letter.came_from}, {size}{done}: {reason}"


def _content(letter: Letter) -> list[str]:
    """Return its first readings, or its first bytes."""
    try:
        _, block = decode_readings(letter.headers, letter.raw)
    except NotUnderstood:
        first = letter.raw[:_SHOWN_BYTES]
        return [f"  first {len(first)} bytes: {first!r}"]
    texts = [None] * len(block) if block.text is None else block.text.to_pylist()
    lines = ["  tag, time (us UTC), value, status, text"]
    lines += [
        f"  {block.tag[row]}, {block.time[row]}, {block.value[row]}, "
        f"0x{block.status[row]:08X}, {texts[row]!r:.80}"
        for row in range(min(len(block), _SHOWN_ROWS))
    ]
    more = len(block) - _SHOWN_ROWS
    return [*lines, f"  ... and {more} more"] if more > 0 else lines
