"""What each variable of a server holds now, for reads and new monitored items."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from asyncua import ua

from simulators.instants import Columns
from simulators.publication import BAD_WAITING_FOR_INITIAL_DATA
from simulators.servers.address_space import PYTHON, VARIANT
from simulators.servers.history import Kept
from simulators.servers.notifications import STRING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulators.servers.variables import Variable

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_GOOD = ua.StatusCode()


class Latest:
    """Values by the variable's place in the server's list; see the module."""

    def __init__(self, variables: Sequence[Variable]) -> None:
        """Begin without values: BadWaitingForInitialData."""
        count = len(variables)
        self._variants = [VARIANT[one.kind] for one in variables]
        self._python = [PYTHON[one.kind] for one in variables]
        self.types = np.array([one.value for one in self._variants], np.uint8)
        """Built-in types, by place."""
        self._number = np.full(count, np.nan)
        self._status = np.full(count, BAD_WAITING_FOR_INITIAL_DATA, np.uint32)
        self._time = np.zeros(count, np.int64)
        self._server = np.zeros(count, np.int64)
        self._text: dict[int, str] = {}
        self.places: dict[Any, int] = {}
        """By NodeId."""

    def take(self, columns: Columns, time: int, server: int) -> None:
        """Hold what was published at `time`, us UTC; `server` is the clock."""
        nodes = columns.nodes
        self._number[nodes], self._status[nodes] = columns.numbers, columns.statuses
        self._time[nodes], self._server[nodes] = time, server
        for row in np.flatnonzero(self.types[nodes] == STRING).tolist():
            self._text[int(nodes[row])] = columns.texts.get(row, "")

    def one(self, place: int) -> tuple[Columns, int, int]:
        """Return what a variable holds, with both times, us UTC; 0: never."""
        text = self._text.get(place)
        null = self._status[place] >= 0x80000000
        held = Columns(
            np.array([place], np.int32),
            self._number[[place]],
            self._status[[place]],
            {} if text is None or null else {0: text},
        )
        return held, int(self._time[place]), int(self._server[place])

    def read(self, node: Any, attribute: Any) -> Any:  # noqa: ANN401  as asyncua asks
        """Return the DataValue of a NodeId."""
        del attribute
        place = self.places[node]
        columns, time, server = self.one(place)
        if not server:
            return ua.DataValue(
                ua.Variant(None, ua.VariantType.Null),
                ua.StatusCode(ua.StatusCodes.BadWaitingForInitialData),
            )
        number = float(columns.numbers[0])
        bare = None if number != number else number  # noqa: PLR0124  NaN
        kept = Kept(time, columns.texts.get(0, bare), int(columns.statuses[0]), server)
        return self.data_value(place, kept)

    def data_value(self, place: int, kept: Kept) -> Any:  # noqa: ANN401  DataValue
        """Return what was published of a variable as asyncua sends it."""
        variant = ua.Variant(None, ua.VariantType.Null)
        if kept.value is not None:
            value = self._python[place](kept.value)
            variant = ua.Variant(value, self._variants[place])
        return ua.DataValue(
            variant,
            ua.StatusCode(kept.status) if kept.status else _GOOD,
            _EPOCH + timedelta(microseconds=kept.time),
            _EPOCH + timedelta(microseconds=kept.server),
        )
