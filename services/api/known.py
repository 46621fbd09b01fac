"""How much of a range is known: declared gaps, and what is not stored yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.api.moments import iso
from shared.domain import US_PER_S, Gap
from shared.retrieval.missing import Span, completeness
from shared.store import queries_declared

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.api.directory import Names
    from shared.store.queries import Connection, StoredTag
    from shared.store.queries_declared import StoredGap

STALE_US = 15 * US_PER_S
"""A stored heartbeat older than this is not keeping up."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a range for one or more tags."""

    start: int
    end: int
    """As asked, us UTC."""
    gaps: Sequence[StoredGap]
    """Declared, overlapping the range and the tags."""
    tags: frozenset[int]
    until: int | None
    """Source time that the stored heartbeats have reached; None without any."""
    pending: Span | None
    """The part up to now that is not stored yet: more than STALE_US behind."""
    now: int

    @property
    def completeness(self) -> float:
        """Return the fraction of the range up to now that nothing is missing from."""
        spans = [Span(gap.start, gap.end) for gap in self._hiding()]
        spans += [self.pending] if self.pending else []
        return completeness(self.start, min(self.end, self.now), spans)

    def _hiding(self) -> list[StoredGap]:
        """Return the gaps that the servers' history did not fill."""
        return [gap for gap in self.gaps if gap.hides(self.tags)]

    def about(self, names: Names) -> dict[str, Any]:
        """Return it as every answer says it."""
        pending = self.pending
        return {
            "configuration": names.version,
            "start": iso(self.start),
            "end": iso(self.end),
            "complete": not self._hiding() and pending is None,
            "completeness": self.completeness,
            "known_until": None if self.until is None else iso(self.until),
            "pending": pending and span_body(pending),
            "gaps": [stored_gap_body(gap, names) for gap in self.gaps],
        }


async def known(
    connection: Connection,
    tags: Sequence[StoredTag],
    start: int,
    end: int,
    now: int,
) -> Known:
    """Return what is known of [start, end) for the tags."""
    servers = sorted({tag.server for tag in tags})
    ids = [tag.id for tag in tags]
    gaps = await queries_declared.gaps(connection, start, end, servers, ids)
    beats = [
        beat
        for beat in await queries_declared.beats(connection)
        if beat.server in servers
    ]
    times = [beat.time for beat in beats if beat.time is not None]
    until = min(times) if times and len(times) == len(servers) else None
    pending = _pending(start, min(end, now), until)
    return Known(start, end, gaps, frozenset(ids), until, pending, now)


def _pending(start: int, end: int, until: int | None) -> Span | None:
    if end <= start:
        return None
    if until is None:
        return Span(start, end)
    return Span(max(start, until), end) if end - until > STALE_US else None


def span_body(span: Span) -> dict[str, Any]:
    """Return a span with ISO times."""
    return {
        "start": iso(span.start),
        "end": None if span.end is None else iso(span.end),
    }


def gap_body(gap: Gap, names: Names) -> dict[str, Any]:
    """Return a gap as answers list it; `tags` null means every tag of the server."""
    tags = None if gap.tags is None else _full_names(gap.tags, names)
    return {
        "server": gap.server,
        "cause": gap.cause.value,
        **span_body(Span(gap.start, gap.end)),
        "tags": tags,
        "count": gap.count,
        "detail": gap.detail,
    }


def stored_gap_body(gap: StoredGap, names: Names) -> dict[str, Any]:
    """Return a gap with what the server's history gave of it.

    `filled` is when that was stored; then only the tags in `missing` may miss readings.
    """
    return {
        **gap_body(gap, names),
        "filled": None if gap.filled is None else iso(gap.filled),
        "missing": _full_names(gap.missing, names),
        "rows": gap.rows,
        "history": gap.history,
    }


def _full_names(tags: Iterable[int], names: Names) -> list[str]:
    known_tags = (names.tags.get(tag) for tag in tags)
    return [tag.full_name for tag in known_tags if tag is not None]
