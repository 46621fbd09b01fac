"""The object `Batches`: holds, restarts and aborts the batches of vessels.

Methods `Hold(Vessel)`, `Restart(Vessel)` and `Abort(Vessel)` answer the state of the
batch's procedure then (ISA-88); a state that does not allow it is BadInvalidState, an
unknown vessel BadInvalidArgument, and both change nothing. The vessel's `State` follows
with the next instant, `Phase` and `BatchId` as the recipe then goes.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from asyncua import ua

from simulators.procedural import Command, CommandRefused
from simulators.servers.roles import Role
from simulators.site import VesselUnknown

if TYPE_CHECKING:
    from asyncua import Server

    from simulators.servers.roles import Guard
    from simulators.site import Site

_log = logging.getLogger(__name__)
OBJECT = "Batches"
COMMANDS = (Command.HOLD, Command.RESTART, Command.ABORT)


class BatchDesk:
    """Serves the batches of one site; calls come between two instants of the loop."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def build(self, server: Server, namespace: int, guard: Guard) -> None:
        """Add the object; the server does not listen yet."""

        def named(identifier: str) -> tuple[Any, Any]:
            name = identifier.rpartition(".")[2]
            return ua.NodeId(identifier, namespace), ua.QualifiedName(name, namespace)

        desk = await server.nodes.objects.add_object(*named(OBJECT))
        vessel = ua.Argument(
            Name="Vessel",
            DataType=ua.NodeId(ua.ObjectIds.String),
            ValueRank=ua.ValueRank.Scalar,
            Description=ua.LocalizedText("for example BR101"),
        )
        state = ua.Argument(
            Name="State",
            DataType=ua.NodeId(ua.ObjectIds.String),
            ValueRank=ua.ValueRank.Scalar,
            Description=ua.LocalizedText("of the procedure, such as Held"),
        )
        for command in COMMANDS:
            method = await desk.add_method(
                *named(f"{OBJECT}.{command}"),
                partial(self.called, command),
                [vessel],
                [state],
            )
            guard.reserve(method.nodeid, Role.OPERATOR)

    async def called(self, command: Command, parent: Any, *given: Any) -> Any:  # noqa: ANN401
        """Do what a client asks; return what asyncua sends."""
        del parent
        values = [variant.Value for variant in given]
        if len(values) != 1 or not isinstance(values[0], str):
            return ua.StatusCode(ua.StatusCodes.BadInvalidArgument)
        return self.done(command, values[0])

    def done(self, command: Command, vessel: str) -> Any:  # noqa: ANN401
        """Command a vessel's batch; return its state then, or why not."""
        try:
            state = self._site.command(vessel, command)
        except CommandRefused as error:
            _log.warning("%s %s refused: %s", command, vessel, error)
            return ua.StatusCode(ua.StatusCodes.BadInvalidState)
        except VesselUnknown as error:
            _log.warning("%s refused: %s", command, error)
            return ua.StatusCode(ua.StatusCodes.BadInvalidArgument)
        _log.info("%s of %s: the batch is %s", command, vessel, state)
        return [ua.Variant(str(state), ua.VariantType.String)]
