"""Discover: connect once, browse, and return plant.yaml's content."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from services.ingest.opcua.browse import variables
from services.ingest.opcua.found import plant_of
from services.ingest.opcua.security import own_identity
from services.ingest.opcua.session import Session
from shared.plant import Heartbeat, Security, Server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shared.plant import Plant

SIMULATED = "urn:fedbatch:simulated-plant"
"""Namespace by which our own simulated plant is recognised."""
SIMULATED_QUEUE = 1_000
"""Values per monitored item: our plant sends its history as fast as queues take it."""
PARTITIONS = 4


def _silent(_nodes: int) -> None:
    """Report nothing."""


async def discover(  # noqa: PLR0913  each has its option on the command line
    url: str,
    *,
    folder: Path,
    known: Plant | None = None,
    security: Security | None = None,
    password: str | None = None,
    site: str | None = None,
    partitions: int = PARTITIONS,
    timeout_s: float = 10.0,
    progress: Callable[[int], None] = _silent,
) -> Plant:
    """Return the plant at `url`, merged into `known`.

    Args:
        url: opc.tcp://host:port.
        folder: certificates, as services.ingest.opcua.security describes it.
        known: an earlier plant: its servers, vessels, tags and ids stay.
        security: default none.
        password: of `security.user`.
        site: default: the top folder's name.
        partitions: of `plant`; new vessels go to the least loaded one.
        timeout_s: for each request.
        progress: called with the number of nodes looked at.

    Raises:
        Unavailable: a situation of this room: unreachable, untrusted, refused.
    """
    before = [s for s in (known.servers if known else ()) if s.url == url]
    server = before[0] if before else _server(url, security or Security())
    session = Session(
        server,
        folder=folder,
        identity=own_identity(folder),
        password=password,
        timeout_s=timeout_s,
    )
    await session.open()
    try:
        found = await variables(session, progress)
        simulated = SIMULATED in session.namespaces
    finally:
        await session.close()
    if not before and simulated:
        update = {"simulated": True, "queue_size": SIMULATED_QUEUE}
        server = server.model_copy(update=update)
    return plant_of(found, server, known=known, site=site, partitions=partitions)


def _server(url: str, security: Security) -> Server:
    name = re.sub(r"[^A-Za-z0-9.\-]+", "-", urlsplit(url).netloc).strip("-.")
    return Server(name=name[:64], url=url, security=security, heartbeat=Heartbeat(id=1))
