"""`fedbatch replay`: the monitor run again over the log, against its journal."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from deploy.command.options import OptionInvalid, bus_settings, duration
from services.monitor.differences import diff, in_words, lines
from services.monitor.replay import journal, relearned, replay
from shared.bus.open import open_bus
from shared.domain import FedbatchError, Topic

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from services.monitor.replay import Progress

_SHOWN = 40


class NothingToReplay(FedbatchError):  # noqa: N818
    """The log has no topics of a plant, so that nothing can be compared."""


_US = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for."""

    start: str
    end: str
    warm_up: str | None
    bus: str | None
    snapshots: Path | None
    everything: bool


async def replayed(asked: Asked, say: Callable[[str], None]) -> tuple[str, bool]:
    """Return what the two journals have in common or not, and whether they are equal.

    Args:
        asked: by the user.
        say: takes lines about how far it is.

    Raises:
        OptionInvalid: a time is none, or the end is not after the beginning.
        NothingToReplay: the log is not of a plant.
        Unavailable: the log cannot be reached.
    """
    now = time.time_ns() // 1_000
    start, end = moment(asked.start, "--from", now), moment(asked.end, "--to", now)
    if end <= start:
        raise OptionInvalid(f"--to {asked.end}: expected a time after {asked.start}")
    since = None
    if asked.warm_up is not None:
        since = start - duration(asked.warm_up, "--warm-up") // _US
    approved = _approved(asked.snapshots)

    def told(progress: Progress) -> None:
        done = f"{progress.read} of {progress.of} records"
        say(f"partition {progress.partition}: {done}")

    settings = bus_settings(asked.bus)
    async with open_bus(settings) as bus:
        if not await bus.partitions(Topic.PLANT):
            raise NothingToReplay(
                f"{settings.url}: expected the log of a plant, found no topic `plant`"
            )
        live = await journal(bus, start, end)
        again = await replay(
            bus, start, end, since=since, snapshots=approved, progress=told
        )
        lost = await relearned(bus, start, end)
    differences = diff(live, again)
    head = f"{_iso(start)} to {_iso(end)}: {len(live)} events live, {len(again)} in "
    if not differences:
        return f"{head}the replay: equal", True
    found = [f"{head}the replay: {len(differences)} differences", *lines(differences)]
    shown = found if asked.everything else found[: _SHOWN + 1]
    if len(found) > len(shown):
        shown.append(f"... and {len(found) - len(shown)} more lines; --all shows them")
    shown += [f"the live monitor had to learn again: {in_words(c)}" for c in lost]
    return "\n".join(shown), False


def moment(text: str, option: str, now: int) -> int:
    """Return a time, us UTC: ISO with its zone, or how long before `now` it was.

    >>> moment("1970-01-01T00:00:01Z", "--from", 0)
    1000000
    >>> moment("1h", "--from", 7_200_000_000)
    3600000000

    Raises:
        OptionInvalid: it is neither, or has no zone.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return now - duration(text, option) // _US
    if found.tzinfo is None:
        raise OptionInvalid(f"{option} {text!r}: expected a zone, such as {text}Z")
    return (found - _EPOCH) // _US


def _approved(folder: Path | None) -> dict[str, str]:
    if folder is None:
        return {}
    return {path.stem: path.read_text() for path in sorted(folder.glob("*.json"))}


def _iso(time_us: int) -> str:
    return (_EPOCH + time_us * _US).isoformat(timespec="seconds")[:19] + "Z"
