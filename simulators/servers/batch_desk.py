"""The object `Batches`: starts, holds, restarts and aborts the batches of vessels.

Methods `Start(Vessel, Batch)`, `Hold(Vessel)`, `Restart(Vessel)` and `Abort(Vessel)`
answer the state of the batch's procedure then (ISA-88). A vessel that is Idle can be
started before its recipe does it; an empty `Batch` is named by its number. A state that
does not allow it is BadInvalidState, an unknown vessel or a name that does not fit
BadInvalidArgument, and all of them change nothing. The vessel's `State` follows
with the next instant, `Phase` and `BatchId` as the recipe then goes.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from asyncua import ua

from simulators.procedural import COMMANDS, Command, CommandRefused
from simulators.recipes import NameRefused
from simulators.servers.roles import Role
from simulators.site import VesselUnknown

if TYPE_CHECKING:
    from asyncua import Server

    from simulators.servers.roles import Guard
    from simulators.site import Site

_log = logging.getLogger(__name__)
OBJECT = "Batches"


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
        vessel = _text("Vessel", "for example BR101")
        name = _text("Batch", "its name; empty: by its number")
        state = _text("State", "of the procedure, such as Held")
        for command in COMMANDS:
            method = await desk.add_method(
                *named(f"{OBJECT}.{command}"),
                partial(self.called, command),
                [vessel, name] if command is Command.START else [vessel],
                [state],
            )
            guard.reserve(method.nodeid, Role.OPERATOR)

    async def called(self, command: Command, parent: Any, *given: Any) -> Any:  # noqa: ANN401
        """Do what a client asks; return what asyncua sends."""
        del parent
        values = [variant.Value for variant in given]
        count = 2 if command is Command.START else 1
        texts = [value or "" for value in values]
        if len(texts) != count or not all(isinstance(text, str) for text in texts):
            return ua.StatusCode(ua.StatusCodes.BadInvalidArgument)
        return self.done(command, *texts)

    def done(self, command: Command, vessel: str, name: str = "") -> Any:  # noqa: ANN401
        """Command a vessel's batch; return its state then, or why not."""
        try:
            state = self._site.command(vessel, command, name)
        except CommandRefused as error:
            _log.warning("%s %s refused: %s", command, vessel, error)
            return ua.StatusCode(ua.StatusCodes.BadInvalidState)
        except (VesselUnknown, NameRefused) as error:
            _log.warning("%s refused: %s", command, error)
            return ua.StatusCode(ua.StatusCodes.BadInvalidArgument)
        _log.info("%s of %s: the batch is %s", command, vessel, state)
        return [ua.Variant(str(state), ua.VariantType.String)]

    def batch(self, vessel: str) -> str:
        """Return the name of the batch in a vessel."""
        return self._site.batch(vessel)


def _text(name: str, description: str) -> Any:  # noqa: ANN401  Argument
    return ua.Argument(
        Name=name,
        DataType=ua.NodeId(ua.ObjectIds.String),
        ValueRank=ua.ValueRank.Scalar,
        Description=ua.LocalizedText(description),
    )
