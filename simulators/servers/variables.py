"""Variables of the flat DCS profile: where they stand and what they hold. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulators.tags import ASSAYS, CONTEXT, TAGS, Kind, Tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulators.site import Suite
    from simulators.units import Unit

NAMESPACE = "urn:fedbatch:simulated-plant"
"""Namespace of every node that is not the standard's."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of a server."""

    node: str
    """Identifier of its string NodeId in NAMESPACE, for example BR101.TIC-101.PV."""
    path: tuple[str, ...]
    """Browse names from Objects to the variable itself, the last included."""
    kind: Kind
    description: str = ""
    unit: Unit | None = None
    range: tuple[float, float] | None = None
    """EURange; numbers only."""
    writable: bool = False
    """Whether operators may write it."""
    process: bool = True
    """Whether it belongs to the process (else to the server's own health)."""


HEARTBEAT = "Heartbeat"


def heartbeat(site: str) -> Variable:
    """Return the variable that shows that the plant's loop lives."""
    return Variable(
        node=HEARTBEAT,
        path=(site, HEARTBEAT),
        kind=Kind.DOUBLE,
        description="Wall clock of the plant's loop, s since 1970 UTC, each second",
        process=False,
    )


def of_vessel(
    site: str,
    area: str,
    vessel: str,
    tags: Sequence[Tag] = TAGS,
    assays: Sequence[Tag] = ASSAYS,
) -> list[Variable]:
    """Return process tags, then context, then assays of one vessel."""
    return [_variable((site, area, vessel), tag) for tag in (*tags, *CONTEXT, *assays)]


def _variable(place: tuple[str, ...], tag: Tag) -> Variable:
    analogue = tag.kind is Kind.DOUBLE
    return Variable(
        node=f"{place[-1]}.{tag.name}",
        path=(*place, *tag.name.split(".")),
        kind=tag.kind,
        description=tag.description,
        unit=tag.unit if analogue else None,
        range=(tag.low, tag.high) if analogue else None,
        writable=tag.writable,
    )


def of_plant(
    site: str, area: str, vessels: Sequence[str], tags: Sequence[Tag] = TAGS
) -> list[Variable]:
    """Return the heartbeat, then the variables of each vessel in turn."""
    variables = [heartbeat(site)]
    for vessel in vessels:
        variables += of_vessel(site, area, vessel, tags)
    return variables


def of_site(site: str, area: str, suites: Sequence[Suite]) -> list[Variable]:
    """Return the heartbeat, then the variables of each vessel of each suite in turn."""
    variables = [heartbeat(site)]
    for suite in suites:
        for vessel in suite.vessels:
            variables += of_vessel(site, area, vessel, suite.tags, suite.assays)
    return variables
