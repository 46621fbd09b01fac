"""`fedbatch simulate fault` and `batch`: what a running simulated plant is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.command.options import OptionInvalid, duration
from deploy.settings import CommandSettings
from simulators.faults import catalogue
from simulators.servers.remote import remote

if TYPE_CHECKING:
    from simulators.faults.catalogue import Fault


@dataclass(frozen=True, slots=True)
class Plant:
    """Where the simulated plant is."""

    url: str
    user: str | None = None

    @property
    def password(self) -> str | None:
        """Return FEDBATCH_COMMAND_PASSWORD, if a user is to be named."""
        found = CommandSettings.load().password if self.user else None
        return None if found is None else found.get_secret_value()


def catalogued() -> str:
    """Return a line for each kind of fault, and how large it may be."""
    return "\n".join(
        f"{name}  {fault.name} ({fault.kind}): {_size(fault)}"
        for name, fault in catalogue.load().faults.items()
    )


def explained(fault: str) -> str:
    """Return all that the catalogue says about one kind of fault.

    Raises:
        OptionInvalid: there is no such fault.
    """
    known = _known(fault)
    shows = ", ".join(f"{tag} {how}" for tag, how in known.signature.items())
    limit = known.alarm_within
    return "\n".join(
        [
            f"{fault}  {known.name} ({known.kind})",
            f"  {known.what}",
            f"  size: {_size(known)}",
            f"  lasts: {known.duration.expected}, default {known.duration.default}",
            f"  shows in: {shows or known.unseen}",
            f"  alarm within: {'not promised' if limit is None else limit}",
        ]
    )


async def injected(
    plant: Plant, vessel: str, fault: str, size: float | None, lasting: str | None
) -> str:
    """Let a fault begin now; return what to say.

    Raises:
        OptionInvalid: the catalogue does not allow it.
        PlantRefuses: the plant does not take it.
        Unavailable: there is no simulated plant.
    """
    length = None if lasting is None else duration(lasting, "--for")
    for field, message in _known(fault).misfits(size, None, length):
        option = {"magnitude": "--size", "duration": "--for"}[field]
        raise OptionInvalid(f"{option} {message}")
    async with remote(plant.url, plant.user, plant.password) as there:
        name = await there.inject(vessel, fault, size, length)
        return f"{name} is at work"


async def cleared(plant: Plant, vessel: str, fault: str) -> str:
    """End a fault; return what to say.

    Raises:
        PlantRefuses: there is no such vessel.
        Unavailable: there is no simulated plant.
    """
    _known(fault)
    async with remote(plant.url, plant.user, plant.password) as there:
        ended = await there.clear(vessel, fault)
        return f"{ended} ended"


async def listed(plant: Plant) -> str:
    """Return what is planned or at work, a line each.

    Raises:
        Unavailable: there is no simulated plant.
    """
    async with remote(plant.url, plant.user, plant.password) as there:
        return "\n".join(await there.active()) or "no faults"


async def written(plant: Plant, node: str, value: float) -> str:
    """Write what operators may write; return what to say.

    Raises:
        PlantRefuses: it cannot be written.
        Unavailable: there is no simulated plant.
    """
    async with remote(plant.url, plant.user, plant.password) as there:
        await there.write(node, value)
        return f"{node} is {value:g} from the next instant on"


async def started(plant: Plant, vessel: str, name: str) -> str:
    """Start the next batch of a vessel now; return what to say.

    Raises:
        PlantRefuses: there is no such vessel, it is not idle, or the name is taken.
        Unavailable: there is no simulated plant.
    """
    async with remote(plant.url, plant.user, plant.password) as there:
        _, state = await there.batch("Start", vessel, name)
        return f"{vessel}: batch {name or 'with the next number'} is {state}"


async def commanded(plant: Plant, command: str, vessel: str) -> str:
    """Hold, restart or abort a vessel's batch; return what to say.

    Args:
        plant: where.
        command: Hold, Restart or Abort.
        vessel: whose batch.

    Raises:
        PlantRefuses: there is no such vessel, or its state does not allow it.
        Unavailable: there is no simulated plant.
    """
    async with remote(plant.url, plant.user, plant.password) as there:
        batch, state = await there.batch(command, vessel)
        return f"{vessel}: batch {batch or 'none'} is {state}"


def _known(fault: str) -> Fault:
    faults = catalogue.load().faults
    if fault not in faults:
        raise OptionInvalid(f"fault {fault}: expected one of {', '.join(faults)}")
    return faults[fault]


def _size(fault: Fault) -> str:
    size = fault.magnitude
    unit = "" if size.unit == "1" else f" {size.unit}"
    if size.low == size.high:
        return "one size"
    return f"{size.meaning}, {size.expected}, default {size.default:g}{unit}"
