"""The log: topics with ordered partitions, at-least-once, one interface for two logs.

`local` keeps it in files for several processes of one machine; `kafka` is Apache Kafka.
Both pass the same contract tests.
"""

from shared.bus.interface import (
    Assigned,
    Bus,
    Consumer,
    Damaged,
    Fenced,
    Message,
    Position,
    PositionUnknown,
    Reader,
    Record,
    TopicPartition,
)

__all__ = [
    "Assigned",
    "Bus",
    "Consumer",
    "Damaged",
    "Fenced",
    "Message",
    "Position",
    "PositionUnknown",
    "Reader",
    "Record",
    "TopicPartition",
]
