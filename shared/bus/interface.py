"""What every log promises, whichever implementation carries it.

Contract (the suite in tests/integration/bus runs it on each implementation):

* `append` returns after the records are durable (fsynced, or acknowledged by all
  in-sync replicas). Records of one call to one partition stay together and in order.
* A retried append after an error may repeat records; the producer's id and gapless
  sequence make a repeat recognisable, and the implementation drops it.
* A consumer group gives each partition to one member at a time. Records of a
  partition arrive in order; after a restart they arrive again from the last position.
* A position is (epoch, offset). The epoch changes when a log is created anew, so that
  an old position is never mistaken for a new one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

from shared.domain import FedbatchError


@dataclass(frozen=True, slots=True, order=True)
class TopicPartition:
    """One ordered log."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Position:
    """The next record to read: offset `offset` of the log created as `epoch`."""

    epoch: str
    offset: int


@dataclass(frozen=True, slots=True)
class Message:
    """What is appended."""

    headers: Mapping[str, str]
    value: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """What is read."""

    at: TopicPartition
    position: Position
    """Where this record is; the next one is at `position.offset + 1` or later."""
    time: int
    """When it was appended, us UTC."""
    headers: Mapping[str, str]
    value: bytes


@dataclass(frozen=True, slots=True)
class Damaged:
    """Records that are there but cannot be trusted: a checksum or sequence failed.

    Delivered in order in place of the records, so that a consumer declares the loss.
    """

    at: TopicPartition
    first: Position
    last: Position
    """Both ends included."""
    reason: str
    after: int | None
    """Append time of the last undamaged record before, us UTC; None if unknown."""
    before: int | None
    """Append time of the first undamaged record after, us UTC; None if unknown."""
    raw: bytes = field(default=b"", repr=False)
    """Up to 64 KiB of what was found."""


class PositionUnknown(FedbatchError):  # noqa: N818
    """A position lies beyond the head, or belongs to a log that no longer exists."""


class Fenced(FedbatchError):  # noqa: N818
    """Another member owns this partition now; stop without writing anything."""


Assigned = Callable[
    [Sequence[TopicPartition]], Awaitable[Mapping[TopicPartition, Position | None]]
]
"""Called when partitions are assigned; returns where to start each one.

None (or a missing key) means from the group's committed position, else the beginning.
"""


class Consumer(Protocol):
    """One member of a consumer group.

    Bounded by: `max_bytes` of fetched records in memory. When full: it fetches no more;
    records wait in the log. Order: kept within a partition. Duplicates: after a restart
    or a change of owner, from the last position. On cancel: nothing is committed.
    """

    async def poll(
        self, *, max_bytes: int, timeout_s: float
    ) -> Sequence[Record | Damaged]:
        """Return what has arrived, oldest first; empty after `timeout_s`.

        Raises:
            Unavailable: the log cannot be reached now; poll again later.
            PositionUnknown: the position to start from is not in the log.
            Fenced: the membership was taken over.
        """
        ...

    async def commit(self, positions: Mapping[TopicPartition, Position]) -> None:
        """Store the next position per partition for the group (shown as lag)."""
        ...

    async def seek(self, at: TopicPartition, position: Position) -> None:
        """Go on from `position` in an assigned partition."""
        ...

    def assigned(self) -> frozenset[TopicPartition]:
        """Return the partitions this member owns now."""
        ...

    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *exc: object) -> None: ...


class Reader(Protocol):
    """Reads chosen partitions without a group: for tails, replays and tools.

    The same card as Consumer; it never commits and never owns anything.
    """

    async def poll(
        self, *, max_bytes: int, timeout_s: float
    ) -> Sequence[Record | Damaged]:
        """As Consumer.poll."""
        ...

    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *exc: object) -> None: ...


class Bus(Protocol):
    """A log with topics. `async with` owns its connections."""

    async def create_topic(self, topic: str, partitions: int) -> None:
        """Make the topic; a no-op when it exists with at least as many partitions."""
        ...

    async def partitions(self, topic: str) -> int:
        """Return the number of partitions; 0 when the topic does not exist."""
        ...

    async def append(self, at: TopicPartition, messages: Sequence[Message]) -> Position:
        """Append durably, in order; return the position of the first one.

        Raises:
            Unavailable: nothing is known to be appended; the same call may be repeated.
        """
        ...

    async def head(self, at: TopicPartition) -> Position:
        """Return where the next record will be."""
        ...

    async def start(self, at: TopicPartition) -> Position:
        """Return the oldest position still kept."""
        ...

    def consumer(
        self,
        group: str,
        topics: Sequence[str],
        *,
        member: str,
        assigned: Assigned | None = None,
    ) -> Consumer:
        """Return a member of `group`; `member` is its static, unique name."""
        ...

    def reader(self, positions: Mapping[TopicPartition, Position]) -> Reader:
        """Return a reader that starts at the given positions."""
        ...

    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *exc: object) -> None: ...
