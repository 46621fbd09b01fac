"""The configuration to collect by: the one that holds, then each later one."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from shared.bus import Record, TopicPartition
from shared.configuration import create_topics, latest_configuration
from shared.domain import Topic, Unavailable
from shared.plant import parse_plant
from shared.wire import (
    ConfigurationRecord,
    NotUnderstood,
    decode_configuration,
    encode_configuration,
)

if TYPE_CHECKING:
    from pathlib import Path

    from shared.bus import Bus, Position

_log = logging.getLogger(__name__)

_HISTORY = TopicPartition(Topic.CONFIGURATION, 0)
_FETCH_BYTES = 1024 * 1024
_FETCH_S = 5.0
_RETRY_S = 2.0


class Configurations:
    """Follows the topic `configuration`, and keeps a copy to start without the log.

    Bounded by: one record. When full: later ones wait in the log. Order: by version.
    Duplicates: passed over by version. On cancel: nothing is lost.
    """

    def __init__(self, bus: Bus, copy: Path, *, partitions: int) -> None:
        self._bus = bus
        self._copy = copy
        self._partitions = partitions
        self.servers: frozenset[str] = frozenset()
        """Names of the servers of the configuration that was returned last."""

    async def first(self) -> ConfigurationRecord:
        """Return the configuration that holds; waits until there is one."""
        latest = await self._latest()
        if latest is not None:
            return self._keep(latest)
        _log.info("waiting for a configuration: fedbatch apply plant.yaml")
        return await self.after(0)

    async def _latest(self) -> ConfigurationRecord | None:
        """Return what holds by the log or, while that is away, by the copy."""
        said = False
        while True:
            try:
                await create_topics(self._bus, self._partitions)
                return await latest_configuration(self._bus)
            except Unavailable as error:
                copied = self._copied()
                if copied is not None:
                    _log.warning("collecting by the copied configuration: %s", error)
                    return copied
                if not said:
                    _log.warning("waiting for the log: %s", error)
                said = True
            await asyncio.sleep(_RETRY_S)

    async def after(self, version: int) -> ConfigurationRecord:
        """Return the next configuration later than `version`, once there is one."""
        while True:
            try:
                return self._keep(await self._next(version))
            except Unavailable:
                await asyncio.sleep(_RETRY_S)

    async def _next(self, version: int) -> ConfigurationRecord:
        start: Position = await self._bus.start(_HISTORY)
        async with self._bus.reader({_HISTORY: start}) as reader:
            while True:
                items = await reader.poll(max_bytes=_FETCH_BYTES, timeout_s=_FETCH_S)
                for item in items:
                    if isinstance(item, Record):
                        record = decode_configuration(item.value)
                        if record.version > version:
                            return record

    def _keep(self, record: ConfigurationRecord) -> ConfigurationRecord:
        _, value = encode_configuration(record)
        fresh = self._copy.with_suffix(".new")
        try:
            fresh.write_bytes(value)
            fresh.replace(self._copy)
        except OSError as error:
            _log.warning("configuration %d is not copied: %s", record.version, error)
        plant = parse_plant(record.text)
        self.servers = frozenset(server.name for server in plant.servers)
        return record

    def _copied(self) -> ConfigurationRecord | None:
        try:
            return decode_configuration(self._copy.read_bytes())
        except (FileNotFoundError, NotUnderstood):
            return None
