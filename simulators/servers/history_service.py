"""HistoryRead raw of a server (Part 11, 6.4.3), within limits like a real one's.

Continuation points hold all that is needed to go on, so that none is kept here: they
outlive the session, cannot run out, and need no release.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.history import HistoryManager

from simulators.servers.history import NOW_OR_NEVER, Span

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asyncua.server.internal_server import InternalServer

    from simulators.servers.history import History, Kept

NODES_PER_READ = 100
"""MaxNodesPerHistoryReadData; more in one request is BadTooManyOperations."""
VALUES_PER_ANSWER = 2_000
"""Values in one response over all its nodes; the rest waits behind continuation
points. asyncua needs about 15 us to encode one, and nothing else runs meanwhile."""
_POINT = struct.Struct("<qqqqb")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
_UNSET = -11_644_473_600_000_000
"""1601-01-01, the null DateTime, us since 1970."""
_CODES = ua.StatusCodes


class HistoryService(HistoryManager):  # type: ignore[misc]
    """Answers HistoryRead from a `History`."""

    def __init__(
        self,
        iserver: InternalServer,
        history: History,
        node_of: Mapping[Any, int],
        data_value: Callable[[int, Kept], Any],
    ) -> None:
        """Serve `history`.

        Args:
            iserver: of asyncua.
            history: what was published.
            node_of: place of a variable in `history` by its NodeId.
            data_value: makes a DataValue of a place's value.
        """
        super().__init__(iserver)
        self._history = history
        self._node_of = node_of
        self._data_value = data_value

    async def read_history(self, params: ua.HistoryReadParameters) -> list[Any]:
        """Return one result per node.

        Raises:
            ServiceError: the whole request is refused.
        """
        if len(params.NodesToRead) > NODES_PER_READ:
            raise ServiceError(_CODES.BadTooManyOperations)
        if not params.NodesToRead:
            raise ServiceError(_CODES.BadNothingToDo)
        if params.ReleaseContinuationPoints:
            return [ua.HistoryReadResult() for _ in params.NodesToRead]
        details = params.HistoryReadDetails
        if not isinstance(details, ua.ReadRawModifiedDetails):
            raise ServiceError(_CODES.BadHistoryOperationUnsupported)
        share = max(1, VALUES_PER_ANSWER // len(params.NodesToRead))
        return [self._one(details, wanted, share) for wanted in params.NodesToRead]

    def _one(self, details: Any, wanted: Any, share: int) -> Any:  # noqa: ANN401
        node = self._node_of.get(wanted.NodeId)
        if node is None:
            return _refused(_CODES.BadNodeIdUnknown)
        if details.IsReadModified or not self._history.keeps:
            return _refused(_CODES.BadHistoryOperationUnsupported)
        most = details.NumValuesPerNode or share
        try:
            span, left = self._span(details, wanted.ContinuationPoint)
            if left >= 0:
                most = min(most, left)
            found, more = self._history.read(node, span, min(most, share))
        except (struct.error, LookupError, OverflowError):
            return _refused(_CODES.BadContinuationPointInvalid)
        except ValueError:
            return _refused(_CODES.BadInvalidArgument)
        return self._result(node, found, _point(details, left, found, more))

    def _span(
        self,
        details: Any,  # noqa: ANN401
        point: bytes | None,
    ) -> tuple[Span, int]:
        """Return what to read, and how many values are left of NumValuesPerNode."""
        if point:
            at, end, skip, left, step = _POINT.unpack(point)
            return Span(at, end, step, skip, begun=True), left
        start, end = _us(details.StartTime), _us(details.EndTime)
        most = details.NumValuesPerNode
        if (start == _UNSET) + (end == _UNSET) + (most == 0) > 1:
            raise ValueError("two of start, end and number of values are needed")
        left = most or -1
        if start == _UNSET:
            return self._history.back(end, -NOW_OR_NEVER), left
        if end == _UNSET:
            return self._history.ahead(start, NOW_OR_NEVER), left
        if end < start:
            return self._history.back(start, end), left
        return self._history.ahead(start, end + (end == start)), left

    def _result(self, node: int, found: list[Kept], point: bytes | None) -> Any:  # noqa: ANN401
        result = ua.HistoryReadResult()
        result.StatusCode = ua.StatusCode(_CODES.Good if found else _CODES.GoodNoData)
        result.ContinuationPoint = point
        result.HistoryData = ua.HistoryData(
            [self._data_value(node, kept) for kept in found]
        )
        return result


def _point(
    details: Any,  # noqa: ANN401
    left: int,
    found: list[Kept],
    more: Span | None,
) -> bytes | None:
    """Return the continuation point; None when all that was asked for is there."""
    remaining = -1 if left < 0 else left - len(found)
    if more is None or (details.NumValuesPerNode and remaining == 0):
        return None
    return _POINT.pack(more.at, more.end, more.skip, remaining, more.step)


def _refused(code: int) -> Any:  # noqa: ANN401  HistoryReadResult
    result = ua.HistoryReadResult()
    result.StatusCode = ua.StatusCode(code)
    result.HistoryData = ua.HistoryData()
    return result


def _us(moment: datetime | None) -> int:
    """Return us since 1970 of what asyncua decodes: UTC, with or without saying so."""
    if moment is None:
        return _UNSET
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _US
