"""All checks of a vessel with their names, numbers and words. Pure: from plant.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.checks import (
    Frozen,
    Limit,
    Mode,
    NoData,
    Noise,
    Quality,
    Rate,
    Residual,
    SampleCheck,
    Skew,
    State,
)
from shared.plant import SKEW, Report
from shared.vector_checks import VectorCheck

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from services.monitor.delays import Settings
    from shared.checks import TagCheck
    from shared.plant import Plant, Server, Tag, Vessel

SILENCE = "no-data"
DETECTORS = {
    Limit: "limits",
    Rate: "rates",
    Frozen: "frozen",
    Noise: "scatters",
    State: "states",
    Quality: "qualities",
    NoData: "silences",
    Residual: "residuals",
    SampleCheck: "samples",
    VectorCheck: "vectors",
    Skew: "skews",
}
"""Detector by kind of check; names of Bench."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a vessel; its number is its place in the catalogue."""

    name: str
    """`vessel/tag/limit-h` and the like: the same for ever."""
    tag: str
    """Full name of the tag it is about."""
    tag_id: int
    timed_by: int
    """Number whose lived time runs its delays: tags, residuals; others by clocks."""
    settings: Settings
    words: str
    """The check and its setting."""
    expected: str
    unit: str = ""
    simulated: bool = False

    @property
    def detector(self) -> str:
        """Name of the detector that decides, as the bench has it."""
        return DETECTORS[type(self.settings)]

    @property
    def advisory(self) -> bool:
        """Whether a model that still learns decides."""
        found = self.settings
        if isinstance(found, Residual):
            return found.is_learned and found.mode is Mode.LEARNING
        if isinstance(found, VectorCheck):
            return found.mode is Mode.LEARNING
        return isinstance(found, SampleCheck) and found.per_sample is None


def numbers(vessel: Vessel) -> dict[str, int]:
    """Return the number of each tag that is watched by name, in ascending tag id.

    Watched is what is a number, and what else has checks.
    """
    watched = [tag for tag in vessel.tags if tag.type == "number" or tag.checks]
    watched.sort(key=lambda tag: tag.id)
    return {tag.name: number for number, tag in enumerate(watched)}


def checks(plant: Plant, vessel: Vessel, servers: Sequence[Server]) -> list[Check]:
    """Return the checks of a vessel in a fixed order.

    Args:
        plant: the configuration.
        vessel: of the plant, with its tags, checks and residuals.
        servers: whose silence this vessel answers for.
    """
    simulated = frozenset(server.name for server in plant.servers if server.simulated)
    of_tags = [
        check
        for tag in sorted(vessel.tags, key=lambda tag: tag.id)
        for check in _of_tag(vessel, tag, simulated)
    ]
    first = len(numbers(vessel))
    of_residuals = [
        _of_residual(vessel, residual, first + i, simulated)
        for i, residual in enumerate(vessel.residuals)
    ]
    first += len(vessel.residuals)
    of_servers = [_of_server(server, first + i) for i, server in enumerate(servers)]
    first += len(servers)
    of_vessel = _of_vessel(plant, vessel, first)
    first += len(of_vessel)
    of_samples = [
        _of_sample(vessel, sample, first + i, simulated)
        for i, sample in enumerate(vessel.samples)
    ]
    first += len(of_samples)
    of_vectors = [
        _of_vector(vessel, vector, first + i, simulated)
        for i, vector in enumerate(vessel.vectors)
    ]
    of_clock = _of_clock(plant, vessel, first + len(of_vectors))
    return [
        *of_tags, *of_residuals, *of_servers, *of_vessel, *of_samples, *of_vectors,
        *of_clock,
    ]  # fmt: skip


def covering(checks: Sequence[Check]) -> dict[int, tuple[int, ...]]:
    """Return, by number of a check, the numbers of those that tell of the same cause.

    These are the hh or ll of an h or l, and what plant.yaml says.
    """
    place = {check.name: number for number, check in enumerate(checks)}
    found: dict[int, tuple[int, ...]] = {}
    for number, check in enumerate(checks):
        vessel = check.name.partition("/")[0]
        by = [f"{vessel}/{name}" for name in check.settings.covered_by]
        if isinstance(check.settings, Limit):
            by.append(f"{check.name}{check.name[-1]}")
        found[number] = tuple(place[name] for name in by if name in place)
    return {number: by for number, by in found.items() if by}


def _of_tag(vessel: Vessel, tag: Tag, simulated: frozenset[str]) -> Iterator[Check]:
    if tag.checks is None:
        return
    for name, part in tag.checks.named().items():
        words, expected = _words(part, tag.unit)
        yield Check(
            name=f"{vessel.name}/{tag.name}/{name}",
            tag=f"{vessel.name}/{tag.name}",
            tag_id=tag.id,
            timed_by=numbers(vessel)[tag.name],
            settings=part,
            words=words,
            expected=expected,
            unit=tag.unit,
            simulated=(tag.server or vessel.server) in simulated,
        )


def _of_residual(
    vessel: Vessel, residual: Residual, number: int, simulated: frozenset[str]
) -> Check:
    tags = {tag.name: tag for tag in vessel.tags}
    first = tags[residual.tags[0] if residual.oxygen is None else residual.tags[2]]
    terms = " ".join(f"{f:+g} {name}" for name, f in residual.terms.items())
    if residual.oxygen is not None:
        terms = "oxygen taken up by the gas / carried by kLa"
    if residual.formula is not None:
        terms = "balance over " + ", ".join(residual.tags)
    at = f"at {residual.sensitivity:g} sigma"
    if residual.false_alarms_per_week is not None:
        at = f"at {residual.false_alarms_per_week:g} false alarms a week"
    by = f"{residual.detector}, {residual.mode.value}, {at}"
    by += f" and at least {residual.band:g}" if residual.band else ""
    expected = "near its own past"
    if residual.expected is not None:
        by = f"{residual.expected:g} +- {residual.band:g}"
        expected = f"{residual.expected:g}, at most {residual.band:g} away"
    return Check(
        name=f"{vessel.name}/residual/{residual.name}",
        tag=f"{vessel.name}/{first.name}",
        tag_id=first.id,
        timed_by=number,
        settings=residual,
        words=f"residual {residual.name} ({terms}) by {by}",
        expected=expected,
        unit=first.unit,
        simulated=(first.server or vessel.server) in simulated,
    )


def _of_sample(
    vessel: Vessel, sample: SampleCheck, number: int, simulated: frozenset[str]
) -> Check:
    tag = next(tag for tag in vessel.tags if tag.name == sample.online)
    words = f"{sample.online} - {sample.sample} at its draw), learning, at "
    words += f"{sample.sensitivity:g} sigma and at least {sample.band:g}"
    expected = "as far apart as in the first samples"
    if sample.per_sample is not None:
        words = f"ln of {sample.online} over {sample.sample} at its draw) by "
        words += f"0 +- {sample.band:g}"
        expected = f"{sample.per_sample:g} of the instrument for one of the sample"
    return Check(
        name=f"{vessel.name}/sample/{sample.name}",
        tag=f"{vessel.name}/{tag.name}",
        tag_id=tag.id,
        timed_by=number,
        settings=sample,
        words=f"sample {sample.name} ({words}",
        expected=expected,
        unit=tag.unit,
        simulated=(tag.server or vessel.server) in simulated,
    )


def _of_vector(
    vessel: Vessel, vector: VectorCheck, number: int, simulated: frozenset[str]
) -> Check:
    tag = next(tag for tag in vessel.tags if tag.name == vector.tags[0])
    return Check(
        name=f"{vessel.name}/vector/{vector.name}",
        tag=f"{vessel.name}/{tag.name}",
        tag_id=tag.id,
        timed_by=number,
        settings=vector,
        words=f"vector {vector.name} ({', '.join(vector.tags)}) by MEWMA, "
        f"{vector.mode.value}, at {vector.false_alarms_per_week:g} false alarms a week",
        expected="a score below 1",
        simulated=(tag.server or vessel.server) in simulated,
    )


def _of_server(server: Server, number: int) -> Check:
    no_data = server.no_data
    return Check(
        name=f"{server.name}/{SILENCE}",
        tag=f"{server.name}/Heartbeat",
        tag_id=server.heartbeat.id,
        timed_by=number,
        settings=no_data,
        words=f"no data of server {server.name} for {no_data.after_s:g} s",
        expected=f"something heard every {no_data.after_s:g} s",
        simulated=server.simulated,
    )


def _of_vessel(plant: Plant, vessel: Vessel, number: int) -> list[Check]:
    """Return the check of a vessel's own silence, if it has tags that show it."""
    each = [t for t in vessel.tags if t.type == "number" and t.reports is Report.EACH]
    if not each:
        return []
    first = min(each, key=lambda tag: tag.id)
    server = next(s for s in plant.servers if s.name == plant.server_of(vessel, first))
    no_data = server.no_data
    return [
        Check(
            name=f"{vessel.name}/{SILENCE}",
            tag=f"{vessel.name}/{first.name}",
            tag_id=first.id,
            timed_by=number,
            settings=no_data,
            words=f"no data of vessel {vessel.name} for {no_data.after_s:g} s while "
            f"server {server.name} is heard",
            expected=f"a good reading of any tag every {no_data.after_s:g} s",
            simulated=server.simulated,
        )
    ]


def _of_clock(plant: Plant, vessel: Vessel, number: int) -> list[Check]:
    """Return the check of a vessel's clock, if plant.yaml asks for it."""
    skew = vessel.skew
    if skew is None or not numbers(vessel):
        return []
    first = next(tag for tag in vessel.tags if tag.name == next(iter(numbers(vessel))))
    server = next(s for s in plant.servers if s.name == plant.server_of(vessel, first))
    return [
        Check(
            name=f"{vessel.name}/{SKEW}",
            tag=f"{vessel.name}/{first.name}",
            tag_id=first.id,
            timed_by=number,
            settings=skew,
            words=f"source times of vessel {vessel.name} against their receipt",
            expected=f"at most {skew.most_s:g} s between the two",
            unit="s",
            simulated=server.simulated,
        )
    ]


def _words(part: TagCheck, unit: str) -> tuple[str, str]:
    """Return the check with its setting, and what is expected."""
    if isinstance(part, Limit):
        side = "below" if part.is_high else "above"
        origin = f" from {part.of}" if part.of else ""
        limit = f"{part.value:g} {unit}".rstrip() + origin
        return f"limit {part.side} {limit}", f"{side} {limit}"
    return _of_behaviour(part, unit)


def _of_behaviour(
    part: Rate | Frozen | Noise | State | Quality, unit: str
) -> tuple[str, str]:
    if isinstance(part, Rate):
        most = f"{part.per_min:g} {unit}/min over {part.over_s:g} s"
        return f"rate {most}", f"at most {most}"
    if isinstance(part, Frozen):
        most = f"{part.after_s:g} s"
        return f"frozen for {most}", f"a value that moves within {most}"
    if isinstance(part, Noise):
        band = f"{part.least:g} to {part.most:g} {unit}".rstrip()
        return f"noise {band} over {part.over_s:g} s", f"scatter of {band}"
    if isinstance(part, State):
        states = " or ".join(f"{value:g}" for value in part.values)
        return f"state {states}", f"another state than {states}"
    most = f"{100.0 * part.most:g} % of {part.over_s:g} s"
    return f"bad or uncertain readings over {most}", "good readings"
