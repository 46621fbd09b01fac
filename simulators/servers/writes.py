"""Writes of OPC UA clients to what operators may write: setpoints, modes, outputs.

A write goes to the plant, not into the variable: what counts comes back with the next
instant, with its own source time. A value outside its range, or an output of a loop
that is not in manual, is refused with BadOutOfRange and changes nothing.

Bounded by: nothing is queued; a write acts at once. Order: as received. Duplicates:
harmless. On cancel: writes already answered have been done.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from asyncua import ua
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.address_space import AttributeService

from simulators.operators import WriteRefused
from simulators.servers.roles import may_operate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_log = logging.getLogger(__name__)
_NOBODY = User(role=UserRole.Anonymous)


class OperatorWrites(AttributeService):  # type: ignore[misc]
    """asyncua's reads and writes; those of some nodes are done by the plant."""

    def __init__(
        self,
        space: Any,  # noqa: ANN401
        nodes: Mapping[Any, str],
        write: Callable[[str, float], None],
    ) -> None:
        """Take writes.

        Args:
            space: asyncua's address space.
            nodes: NodeId to the identifier that `write` knows.
            write: does it, or raises WriteRefused.
        """
        super().__init__(space)
        self._nodes, self._write = nodes, write

    async def write(self, params: Any, user: Any = _NOBODY) -> Any:  # noqa: ANN401
        """Write each value; return a StatusCode for each."""
        results = []
        for item in params.NodesToWrite:
            identifier = self._nodes.get(item.NodeId)
            if identifier is None or item.AttributeId != ua.AttributeIds.Value:
                one = ua.WriteParameters(NodesToWrite=[item])
                results += await super().write(one, user)
            elif not may_operate(user):
                results.append(ua.StatusCode(ua.StatusCodes.BadUserAccessDenied))
            else:
                results.append(self._done(identifier, item.Value))
        return results

    def _done(self, identifier: str, value: Any) -> Any:  # noqa: ANN401  StatusCode
        number = value.Value.Value if value.Value is not None else None
        if isinstance(number, bool) or not isinstance(number, int | float):
            return ua.StatusCode(ua.StatusCodes.BadTypeMismatch)
        try:
            self._write(identifier, float(number))
        except WriteRefused as error:
            _log.warning("write refused: %s", error)
            return ua.StatusCode(ua.StatusCodes.BadOutOfRange)
        _log.info("%s is now %g", identifier, number)
        return ua.StatusCode()
