"""Waiting until a service that was started can be reached."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import httpx

from deploy.embedded.ports import LOOPBACK
from shared.domain import FedbatchError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from deploy.embedded.processes import ServiceState, Supervisor

_LOOK_S = 0.1
_REFUSALS = 3
"""Ends in a row after which starting is given up."""


class ServiceDoesNotStart(FedbatchError):  # noqa: N818
    """A service ended again and again before it could be reached."""


async def reached(
    looks: Callable[[], Awaitable[bool]], state: ServiceState, supervisor: Supervisor
) -> None:
    """Return when `looks` finds the service.

    Raises:
        ServiceDoesNotStart: it ended three times before; with its own words.
    """
    while not await looks():
        if state.starts > _REFUSALS:
            name = state.service.name
            raise ServiceDoesNotStart(
                f"{name}: {state.situation}\n"
                f"all it said is in {supervisor.log_file(name)}"
            )
        await asyncio.sleep(_LOOK_S)


async def port_listens(port: int) -> bool:
    """Return whether something listens on a TCP port of this machine."""
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


async def api_answers(url: str) -> bool:
    """Return whether the API answers that it is alive."""
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=2.0) as client:
        try:
            answer = await client.get("/health/live")
        except httpx.TransportError:
            return False
    return answer.is_success
