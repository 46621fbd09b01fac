"""Which tags are proven alive: liveness records held against the clock's. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from shared.domain import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.plant import Plant
    from shared.wire import Liveness

KEEP_ALIVE_US = 5 * US_PER_S
"""A subscription that lives is heard of at least this often, and an interval later."""
FORGET_US = 3_600 * US_PER_S
"""A session that was not heard of for so long is of no more interest."""


def patience_us(plant: Plant, server: str) -> int:
    """Return how old the last word of a server may be, us."""
    intervals = {s.name: s.publishing_interval_ms for s in plant.servers}
    return KEEP_ALIVE_US + intervals[server] * 1_000


@dataclass(frozen=True, slots=True)
class _Covered:
    """What one server has in this partition."""

    tags: frozenset[int]
    patience: int


class Proofs:
    """The newest liveness of each session, and what follows from it.

    Bounded by: the sessions of an hour. When full: older ones are forgotten. Order: a
    session's newest word counts. Duplicates: change nothing.
    """

    def __init__(self) -> None:
        self._said: dict[tuple[str, str], Liveness] = {}
        self._servers: dict[str, _Covered] = {}
        self._tags: frozenset[int] = frozenset()
        self._alive: dict[int, bool] = {}

    def follow(self, plant: Plant, partition: int) -> None:
        """Take the servers and tags of one partition from the configuration."""
        tags: dict[str, set[int]] = {s.name: {s.heartbeat.id} for s in plant.servers}
        for vessel in plant.vessels:
            if vessel.partition == partition:
                for tag in vessel.tags:
                    tags[plant.server_of(vessel, tag)].add(tag.id)
        self._servers = {
            name: _Covered(frozenset(ids), patience_us(plant, name))
            for name, ids in tags.items()
        }
        self._tags = frozenset().union(*tags.values())
        self._alive = dict.fromkeys(sorted(self._tags), False)

    def hear(self, liveness: Liveness) -> None:
        """Take in a liveness record."""
        key = (liveness.server, liveness.session)
        before = self._said.get(key)
        if before is None or liveness.alive_at >= before.alive_at:
            self._said[key] = liveness

    def alive(self, now: int) -> Mapping[int, bool]:
        """Return per tag whether it is proven alive at the clock record `now`.

        As long as nothing changes the same object is returned; it is never altered.
        """
        live: set[int] = set()
        for key, said in list(self._said.items()):
            covered = self._servers.get(said.server)
            if now - said.alive_at > FORGET_US:
                del self._said[key]
            elif covered is not None and now - said.alive_at <= covered.patience:
                live |= _covered(covered, said)
        if live != {tag for tag, proven in self._alive.items() if proven}:
            self._alive = {tag: tag in live for tag in sorted(self._tags)}
        return self._alive

    def last(self) -> Mapping[int, bool]:
        """Return what `alive` returned last."""
        return self._alive

    def state(self) -> list[dict[str, object]]:
        """Return what was said, for the checkpoint."""
        return [asdict(said) for said in self._said.values()]

    def restore(self, said: Sequence[Liveness], alive: dict[int, bool]) -> None:
        """Go on from what was said and what `last` returned; `follow` comes first."""
        self._said = {(each.server, each.session): each for each in said}
        self._alive = alive


def _covered(server: _Covered, said: Liveness) -> frozenset[int]:
    if said.tags is None:
        return server.tags
    return server.tags.intersection(said.tags)
