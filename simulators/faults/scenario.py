"""Scenarios: which faults a simulated plant will have, and when."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from simulators.faults.located import FileInvalid, Part, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulators.faults.catalogue import Catalogue, Fault


class After(StrEnum):
    """From when a delay counts."""

    START = "start"
    """The first instant the plant publishes."""
    LIVE = "live"
    """When it has caught up with the clock for the first time."""


class Planned(Part):
    """One fault to come; what is left out is the catalogue's default."""

    fault: str
    vessel: str
    after: After = After.START
    delay: Annotated[timedelta, Field(ge=timedelta(0))] = timedelta(0)
    duration: timedelta | None = None
    ramp: timedelta | None = None
    magnitude: float | None = None
    alarm_within: timedelta | None = None
    """Limit of the delay to its alarm, fixed before the first run."""


class Scenario(Part):
    """A file of planned faults."""

    about: str
    faults: tuple[Planned, ...]

    @property
    def sha256(self) -> str:
        """Return a name of exactly this content, in hex."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def parse_scenario(
    text: str,
    source: str,
    catalogue: Catalogue,
    vessels: Sequence[str] | Mapping[str, str],
    process: str = "cho",
) -> Scenario:
    """Return the checked scenario for vessels.

    Args:
        text: YAML.
        source: its name in messages.
        catalogue: of the faults there are.
        vessels: their names; a mapping says which process each of them runs.
        process: what they run when `vessels` does not say.

    Raises:
        FileInvalid: with every finding as `source:line: field: found, expected`.
    """
    runs = vessels if isinstance(vessels, Mapping) else dict.fromkeys(vessels, process)

    def misfits(found: Scenario) -> Iterator[tuple[tuple[int | str, ...], str]]:
        for n, planned in enumerate(found.faults):
            for field, message in _misfits(planned, catalogue.faults, runs):
                yield ("faults", n, field), message

    return parse(text, source, Scenario, misfits)


def _misfits(
    planned: Planned, catalogued: Mapping[str, Fault], vessels: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    process = vessels.get(planned.vessel, next(iter(vessels.values())))
    faults = {n: f for n, f in catalogued.items() if f.process in {None, process}}
    if planned.vessel not in vessels:
        yield "vessel", f"{planned.vessel}: expected one of {', '.join(vessels)}"
    fault = faults.get(planned.fault)
    if fault is None:
        known = ", ".join(sorted(faults))
        yield "fault", f"{planned.fault}: expected one of {known}"
        return
    yield from fault.misfits(planned.magnitude, planned.ramp, planned.duration)
    if planned.alarm_within is not None and fault.alarm_within is None:
        yield "alarm_within", f"{planned.fault} must stay silent: expected none"


def load(
    name: str,
    catalogue: Catalogue,
    vessels: Sequence[str] | Mapping[str, str],
    process: str = "cho",
) -> Scenario:
    """Return a scenario by the path of its file, or one of simulators/scenarios.

    Raises:
        FileInvalid: there is no such file, or it does not fit.
    """
    path = Path(name)
    packaged = files("simulators") / "scenarios" / f"{name}.yaml"
    if path.suffix in {".yaml", ".yml"}:
        source = path.name
        if not path.is_file():
            raise FileInvalid([f"{path}: no such file; expected a scenario"])
        text = path.read_text(encoding="utf-8")
    elif packaged.is_file():
        source = f"{name}.yaml"
        text = packaged.read_text(encoding="utf-8")
    else:
        raise FileInvalid(
            [f"scenario {name}: expected a path that ends .yaml, or demo"]
        )
    return parse_scenario(text, source, catalogue, vessels, process)
