"""`fedbatch discover` and `fedbatch doctor`: an OPC UA server from outside."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.command.plant import read_plant
from deploy.settings import CommandSettings
from services.ingest.opcua.discover import discover
from services.ingest.opcua.doctor import Patient, examine
from services.ingest.opcua.findings import Level
from shared.plant import Security, render_plant

if TYPE_CHECKING:
    from collections.abc import Callable

_SAY_EVERY = 200


@dataclass(frozen=True, slots=True)
class Access:
    """How to get into the server."""

    url: str
    user: str | None
    secure: bool
    """Basic256Sha256, sign and encrypt; else no security."""
    certificates: Path | None
    """Folder of our certificate and those we trust; None: one for this time."""


async def discovered(
    access: Access, known: Path | None, say: Callable[[str], None]
) -> str:
    """Return plant.yaml for the server, with the ids of the `known` one.

    Raises:
        PlantInvalid: the known plant.yaml has faults.
        Unavailable: the server cannot be reached, is not trusted, or refuses us.
    """
    before = None if known is None else read_plant(known)[1]
    said = 0

    def progress(nodes: int) -> None:
        nonlocal said
        if nodes - said >= _SAY_EVERY:
            said = nodes
            say(f"{access.url}: looked at {nodes} nodes")

    with tempfile.TemporaryDirectory(prefix="fedbatch-discover-") as scratch:
        plant = await discover(
            access.url,
            folder=access.certificates or Path(scratch),
            known=before,
            security=_security(access),
            password=_password(),
            progress=progress,
        )
    tags = sum(len(vessel.tags) for vessel in plant.vessels)
    say(f"{access.url}: {len(plant.vessels)} vessel(s), {tags} tag(s)")
    return render_plant(plant)


async def examined(access: Access) -> tuple[str, bool]:
    """Return what is right and wrong with the server, and whether it can be used."""
    with tempfile.TemporaryDirectory(prefix="fedbatch-doctor-") as scratch:
        patient = Patient(
            url=access.url,
            folder=access.certificates or Path(scratch),
            security=_security(access),
            password=_password(),
        )
        found = await examine(patient, lambda: time.time_ns() // 1000)
    faults = sum(one.level is Level.FAULT for one in found)
    lines = [access.url, *map(str, found)]
    lines.append(f"{faults} fault(s)" if faults else "this server can be collected")
    return "\n".join(lines), faults == 0


def _security(access: Access) -> Security:
    if not access.secure:
        return Security(user=access.user)
    return Security(policy="Basic256Sha256", mode="SignAndEncrypt", user=access.user)


def _password() -> str | None:
    password = CommandSettings.load().password
    return None if password is None else password.get_secret_value()
