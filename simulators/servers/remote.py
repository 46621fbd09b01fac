"""A client of a simulated plant: its faults and what operators may write, from afar."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from asyncua import Client, ua

from shared.domain import FedbatchError, Unavailable
from simulators.servers.batch_desk import OBJECT as BATCHES
from simulators.servers.fault_desk import OBJECT
from simulators.servers.variables import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import timedelta

TIMEOUT_S = 10.0


class PlantRefuses(FedbatchError):  # noqa: N818
    """The simulated plant does not do what it was asked; the message says what."""


class Remote:
    """A simulated plant at the other end of a connection."""

    def __init__(self, client: Client, namespace: int, url: str) -> None:
        self._client, self._namespace, self._url = client, namespace, url

    async def inject(
        self, vessel: str, fault: str, size: float | None, lasting: timedelta | None
    ) -> str:
        """Let a fault begin now; return its identifier in the record of truth.

        Raises:
            PlantRefuses: vessel, fault, size or length do not fit, or it is at work.
        """
        seconds = math.nan if lasting is None else lasting.total_seconds()
        magnitude = math.nan if size is None else size
        return str(await self._call("Inject", vessel, fault, magnitude, seconds))

    async def clear(self, vessel: str, fault: str) -> int:
        """End a fault, or forget a planned one; return how many it were.

        Raises:
            PlantRefuses: there is no such vessel or fault.
        """
        return int(await self._call("Clear", vessel, fault))

    async def active(self) -> list[str]:
        """Return a line for each fault that is planned or at work."""
        node = self._client.get_node(ua.NodeId(f"{OBJECT}.Active", self._namespace))
        return [str(line) for line in await node.read_value() or ()]

    async def write(self, node: str, value: float) -> None:
        """Write a setpoint, a mode or an output, such as BR101.TIC-101.SP.

        Raises:
            PlantRefuses: it cannot be written, or not with this value.
        """
        place = self._client.get_node(ua.NodeId(node, self._namespace))
        try:
            kind = await place.read_data_type_as_variant_type()
            number = int(value) if kind is ua.VariantType.Int32 else value
            await place.write_value(ua.DataValue(ua.Variant(number, kind)))
        except ua.UaStatusCodeError as error:
            raise PlantRefuses(
                f"{node} = {value:g}: {_name(error)}; expected a setpoint, mode or "
                "output of a vessel, within its range; outputs only in manual"
            ) from error

    async def batch(self, command: str, vessel: str, *more: str) -> tuple[str, str]:
        """Start, hold, restart or abort a vessel's batch; return its name and state.

        A batch that starts has its name with the next instant. `more` is that name.

        Raises:
            PlantRefuses: there is no such vessel, or the state does not allow it.
        """
        batches = ua.NodeId(BATCHES, self._namespace)
        name = self._client.get_node(ua.NodeId(f"{vessel}.BatchId", self._namespace))
        try:
            desk = self._client.get_node(batches)
            state = await desk.call_method(
                f"{self._namespace}:{command}", vessel, *more
            )
            return str(await name.read_value()), str(state)
        except ua.UaStatusCodeError as error:
            raise PlantRefuses(
                f"{command} {vessel}: {_name(error)}; expected a vessel of {self._url} "
                "with a batch that runs (Hold, Abort) or is held (Restart, Abort), or "
                "without one (Start, with a name that no batch has)"
            ) from error

    async def _call(self, method: str, *given: Any) -> Any:  # noqa: ANN401
        desk = self._client.get_node(ua.NodeId(OBJECT, self._namespace))
        try:
            return await desk.call_method(f"{self._namespace}:{method}", *given)
        except ua.UaStatusCodeError as error:
            words = " ".join(str(one) for one in given)
            raise PlantRefuses(
                f"{method} {words}: {_name(error)}; expected a vessel of {self._url} "
                "and a fault that is not at work there already; its log says why"
            ) from error


def _name(error: ua.UaStatusCodeError) -> str:
    return type(error).__name__


@asynccontextmanager
async def remote(
    url: str, user: str | None = None, password: str | None = None
) -> AsyncIterator[Remote]:
    """Connect to a simulated plant.

    Raises:
        Unavailable: nobody answers there, or not a simulated plant.
    """
    client = Client(url, timeout=TIMEOUT_S)
    if user is not None:
        client.set_user(user)
        client.set_password(password or "")
    try:
        await client.connect()
        namespace = await client.get_namespace_index(NAMESPACE)
    except (OSError, TimeoutError, ua.UaError, ValueError) as error:
        raise Unavailable(
            f"{url}: {error or type(error).__name__}; expected a simulated plant, "
            "such as the one of `fedbatch demo` (its status file names the endpoint)"
        ) from error
    try:
        yield Remote(client, namespace, url)
    finally:
        await client.disconnect()
