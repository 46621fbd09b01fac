"""People's commands on alarms, appended to topic `plant`, where the monitor obeys."""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import TYPE_CHECKING

from shared.bus import Message, TopicPartition
from shared.domain import Topic
from shared.wire_events import encode_command

if TYPE_CHECKING:
    from shared.bus import Bus, Position
    from shared.events import Command

_log = logging.getLogger(__name__)

MOST_REMEMBERED = 10_000
"""Confirmed commands that are recognised when they are sent again."""


class Commands:
    """Appends commands, each in the partition of its vessel.

    Bounded by: one append per request; ids of MOST_REMEMBERED confirmed commands. When
    full: the oldest ids are forgotten, and the monitor alone recognises the repeat.
    Order: that of the log. Duplicates: a command whose id was confirmed is not appended
    again; one that was appended twice, after an error, the monitor obeys once. On
    cancel: the command may or may not be on the log; sending it again is safe.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._confirmed: OrderedDict[str, tuple[Command, Position]] = OrderedDict()

    async def send(
        self, command: Command, partition: int
    ) -> tuple[Command, Position, bool]:
        """Append the command durably.

        Args:
            command: with an id that a repeat of it has again.
            partition: of the alarm's vessel.

        Returns:
            The command as it was first confirmed, its place, and whether it was a
            repeat.

        Raises:
            Unavailable: the log has not confirmed it; send the same again.
        """
        known = self._confirmed.get(command.id)
        if known is not None:
            return (*known, True)
        at = TopicPartition(Topic.PLANT, partition)
        place = await self._bus.append(at, [Message(*encode_command(command))])
        self._confirmed[command.id] = command, place
        if len(self._confirmed) > MOST_REMEMBERED:
            self._confirmed.popitem(last=False)
        _log.info(
            "command %s: %s of alarm %s by %s",
            *(command.id, command.kind, command.alarm, command.actor),
        )
        return command, place, False
