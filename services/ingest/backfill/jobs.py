"""Gaps that are still to be filled, and how far each one is: kept over restarts.

Bounded by: MOST gaps per server. When full: the oldest gap is given up; it stays
declared. Order: the gap that ended last comes first, and of a gap its newest window.
Duplicates: the same gap with a later end is read again from where it ended before. On
cancel: the file says what is left, at most one window behind.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from shared.bus import Position
from shared.domain import US_PER_S, FedbatchError, Gap, GapCause

if TYPE_CHECKING:
    from pathlib import Path

_log = logging.getLogger(__name__)

MOST = 1_000
"""Gaps of one server that wait."""
WINDOW_US = 600 * US_PER_S
"""Source time that is read at once."""
OVERLAP_US = 5 * US_PER_S
"""Read before a gap and after it as well: no reading falls between."""
_FILE = "backfill.json"
_VERSION = 1


class JobsDamaged(FedbatchError):  # noqa: N818
    """The file cannot be read; starting without it would leave gaps unfilled."""


@dataclass(frozen=True, slots=True)
class Job:
    """One gap that has ended, and what was read of it."""

    gap: Gap
    left: int
    """Everything from here on is read, us UTC."""
    rows: int = 0
    """Readings that came."""
    missing: tuple[int, ...] | None = None
    """Tags that the server's history does not prove complete; None: not asked yet."""
    reason: str = ""
    """Why, of the first of them."""
    tries: int = 0
    """Refusals in a row."""

    @property
    def key(self) -> tuple[object, ...]:
        """What makes it this gap and no other."""
        gap = self.gap
        return gap.server, gap.cause, gap.start, gap.tags

    @property
    def begin(self) -> int:
        """First instant to read, us UTC."""
        return self.gap.start - OVERLAP_US

    @property
    def is_read(self) -> bool:
        """Whether all windows were read."""
        return self.left <= self.begin

    def window(self) -> tuple[int, int]:
        """Return the newest window that is left, [start, end], us UTC."""
        return max(self.begin, self.left - WINDOW_US), self.left


def job_of(gap: Gap) -> Job:
    """Return the work that a gap with an end makes."""
    return Job(gap, (gap.end or gap.start) + OVERLAP_US)


@dataclass(slots=True)
class Jobs:
    """What waits, by server; every change is written to a file in `folder`."""

    folder: Path
    most: int = MOST
    """Gaps of one server that wait."""
    heard: dict[int, Position] = field(default_factory=dict)
    """Where topic `backfill` is read next, by partition; see `heard`."""
    _of: dict[str, list[Job]] = field(default_factory=dict)
    _texts: dict[Job, str] = field(default_factory=dict)
    """What the file has of each job: a gap may name thousands of tags."""
    _kept: bool = True

    def add(self, *gaps: Gap) -> None:
        """Take gaps that have ended; nothing of those in which no time lies."""
        for gap in gaps:
            self._add(gap)
        self.keep()

    def _add(self, gap: Gap) -> None:
        if gap.end is None or gap.end <= gap.start:
            return
        fresh = job_of(gap)
        mine = self._of.setdefault(gap.server, [])
        mine[:] = [job for job in mine if job.key != fresh.key]
        mine.append(fresh)
        mine.sort(key=lambda job: job.gap.end or 0)
        if len(mine) > self.most:
            given_up = mine.pop(0).gap
            _log.warning("server %s: %d gaps wait to be filled; the one from %d us is "
                         "given up and stays declared",
                         gap.server, self.most + 1, given_up.start)  # fmt: skip

    def next(self, server: str) -> Job | None:
        """Return the job to go on with: of the gap that ended last."""
        waiting = self._of.get(server)
        return waiting[-1] if waiting else None

    def put(self, job: Job) -> None:
        """Note how far a job is."""
        mine = self._of.get(job.gap.server, [])
        for place, one in enumerate(mine):
            if one.key == job.key and one.gap.end == job.gap.end:
                mine[place] = job
        self.keep()

    def done(self, job: Job) -> None:
        """Forget a job."""
        mine = self._of.get(job.gap.server, [])
        mine[:] = [
            one for one in mine if one.key != job.key or one.gap.end != job.gap.end
        ]
        self.keep()

    def postpone(self, job: Job) -> None:
        """Let the other gaps of the server come first."""
        self.done(job)
        mine = self._of.setdefault(job.gap.server, [])
        mine.insert(0, replace(job, tries=job.tries + 1))
        self.keep()

    def keep(self) -> None:
        """Replace the file; a disk that does not take it is said once."""
        fresh = self.folder / f"{_FILE}.new"
        try:
            fresh.write_text(self._text())
            fresh.replace(self.folder / _FILE)
        except OSError as error:
            if self._kept:
                _log.warning("what is to be filled is not written: %s", error)
            self._kept = False
        else:
            self._kept = True

    def _text(self) -> str:
        """Return the file's content; what did not change is not made again."""
        before, self._texts = self._texts, {}
        servers = []
        for name, waiting in self._of.items():
            if not waiting:
                continue
            for job in waiting:
                self._texts[job] = before.get(job) or json.dumps(asdict(job))
            jobs = ", ".join(self._texts[job] for job in waiting)
            servers.append(f"{json.dumps(name)}: [{jobs}]")
        heard = {number: [p.epoch, p.offset] for number, p in self.heard.items()}
        return (
            f'{{"version": {_VERSION}, "servers": {{{", ".join(servers)}}}, '
            f'"heard": {json.dumps(heard)}}}'
        )


def recalled(folder: Path) -> Jobs:
    """Return what was left to do at the last stop.

    Raises:
        JobsDamaged: the file is there and is not ours.
    """
    jobs = Jobs(folder)
    path = folder / _FILE
    if not path.exists():
        return jobs
    try:
        body = json.loads(path.read_bytes())
        for name, waiting in body["servers"].items():
            jobs._of[str(name)] = [_job(part) for part in waiting]  # noqa: SLF001
        for number, (epoch, offset) in body.get("heard", {}).items():
            jobs.heard[int(number)] = Position(str(epoch), int(offset))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise JobsDamaged(
            f"{path}: expected the gaps that are to be filled, found {error!r}; remove "
            "the file: the gaps stay declared"
        ) from error
    return jobs


def _job(part: dict[str, Any]) -> Job:
    gap = part["gap"]
    return Job(
        gap=Gap(
            server=str(gap["server"]),
            cause=GapCause(gap["cause"]),
            start=int(gap["start"]),
            end=int(gap["end"]),
            tags=None if gap["tags"] is None else tuple(int(t) for t in gap["tags"]),
        ),
        left=int(part["left"]),
        rows=int(part["rows"]),
        missing=None if part["missing"] is None else tuple(part["missing"]),
        reason=str(part["reason"]),
        tries=int(part["tries"]),
    )
