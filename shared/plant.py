"""plant.yaml: servers, vessels and tags. Pure: text in, a checked Plant or errors out.

Every error names the line, the field, what was found and what was expected, and all
errors of a file are reported at once.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.checks import (
    NoData,
    PossibleCause,
    Residual,
    SampleCheck,
    Skew,
    TagCheck,
    TagChecks,
)
from shared.domain import FedbatchError
from shared.located import field_of, line_of, not_yaml, problem
from shared.plant_uses import disagreements
from shared.vector_checks import VectorCheck

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_PARTITION = 15
"""Highest partition of `plant` (16 in a plant, 4 in the embedded default)."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\- ]{0,63}$")]
Node = Annotated[
    str, Field(pattern=r"^(nsu=[^;]+;|ns=\d+;)?[isgb]=.+$", max_length=4096)
]
"""A NodeId. `nsu=<uri>;s=...` survives a server that renumbers its namespaces."""


class PlantInvalid(FedbatchError):  # noqa: N818
    """A plant.yaml that cannot be used; `problems` has one line per finding."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True
    )


class Report(StrEnum):
    """When the server sends a tag."""

    EACH = "each"
    """Every sample, also when nothing changed (trigger StatusValueTimestamp)."""
    CHANGE = "change"
    """Only changes of value or status; the value holds while the subscription lives."""


class Security(_Part):
    """How the connection is secured. Passwords and keys are never in this file."""

    policy: Literal["None", "Basic256Sha256"] = "None"
    mode: Literal["None", "Sign", "SignAndEncrypt"] = "None"
    user: str | None = None
    """User name; its password is a setting of the collector, by server name."""

    @model_validator(mode="after")
    def _policy_fits_mode(self) -> Security:
        if (self.policy == "None") != (self.mode == "None"):
            raise ValueError(
                f"policy {self.policy} with mode {self.mode}: expected both None, or "
                "Basic256Sha256 with Sign or SignAndEncrypt"
            )
        return self


class Heartbeat(_Part):
    """A variable that changes at least each second while the server's plant lives."""

    id: Annotated[int, Field(ge=1, lt=2**31)]
    node: Node = "i=2258"
    """Default: Server_ServerStatus_CurrentTime, which every server has."""


class Server(_Part):
    """One OPC UA server."""

    name: Name
    url: Annotated[str, Field(pattern=r"^opc\.tcp://[^\s/]+(/\S*)?$")]
    simulated: bool = False
    """Shown with every answer and alarm that rests on this server."""
    security: Security = Security()
    heartbeat: Heartbeat
    publishing_interval_ms: Annotated[int, Field(ge=50, le=60_000)] = 500
    sampling_interval_ms: Annotated[int, Field(ge=-1, le=3_600_000)] = 250
    """0 asks for the fastest, -1 for the publishing interval."""
    queue_size: Annotated[int, Field(ge=1, le=100_000)] = 100
    """Values the server keeps per monitored item between two publishes."""
    no_data: NoData = NoData()
    """When the silence of this server is an alarm."""


class Tag(_Part):
    """One variable of a vessel."""

    id: Annotated[int, Field(ge=1, lt=2**31)]
    """Given once by `fedbatch discover`, never used again for another variable."""
    name: Name
    """Unique in its vessel, for example `TIC-101.PV`."""
    node: Node
    server: Name | None = None
    """The server that has it; default: the vessel's."""
    type: Literal["number", "boolean", "enumeration", "string", "time"] = "number"
    unit: str = ""
    """UCUM code, for example `Cel`."""
    range: tuple[float, float] | None = None
    """EURange: lowest and highest value in normal operation."""
    stepped: bool | None = None
    """Hold the last value between readings; default: true unless a number."""
    report: Report | None = None
    """Default: each for numbers that are not stepped, else change."""
    description: str = ""
    checks: TagChecks | None = None
    """What the monitor watches on this tag alone."""

    @model_validator(mode="after")
    def _range_ascends(self) -> Tag:
        if self.range is not None and not self.range[0] < self.range[1]:
            raise ValueError(
                f"range {list(self.range)}: expected the low end below the high end"
            )
        if self.stepped is False and self.type != "number":
            raise ValueError(f"stepped false: a {self.type} is always stepped")
        if self.checks is not None and self.type in {"string", "time"}:
            raise ValueError(f"checks: expected on numbers, this is a {self.type}")
        if self.checks and self.checks.moving and self.type != "number":
            raise ValueError(f"checks: expected only state of a {self.type}")
        if self.checks and self.checks.frozen and self.reports is Report.CHANGE:
            raise ValueError("checks.frozen: expected only with report each")
        return self

    @property
    def is_stepped(self) -> bool:
        """Whether the value holds until the next reading (else it runs linearly)."""
        return self.type != "number" if self.stepped is None else self.stepped

    @property
    def reports(self) -> Report:
        """When the server is asked to send it."""
        if self.report is not None:
            return self.report
        return Report.CHANGE if self.is_stepped else Report.EACH


class Context(_Part):
    """Names of the vessel's tags that say what it is doing."""

    batch: Name | None = None
    phase: Name | None = None
    product: Name | None = None
    client: Name | None = None
    state: Name | None = None
    """State of the batch's procedure (ISA-88): Running, Held, Aborted and so on."""


SKEW = "clock-skew"
"""Name of the check of a vessel's clock."""


class Vessel(_Part):
    """One equipment unit."""

    name: Name
    area: Name = "plant"
    server: Name
    partition: Annotated[int, Field(ge=0, le=MAX_PARTITION)]
    """Of `plant`; written once, when the vessel is first seen."""
    context: Context = Context()
    tags: tuple[Tag, ...]
    residuals: tuple[Residual, ...] = ()
    """What should stay near zero, or near its own past, while all is well."""
    samples: tuple[SampleCheck, ...] = ()
    """Instruments that are compared with laboratory samples."""
    vectors: tuple[VectorCheck, ...] = ()
    """Tags that are watched together."""
    skew: Skew | None = None
    """Its clock against the collector's."""
    causes: tuple[PossibleCause, ...] = ()
    """What can go wrong here: alarms name the likeliest, with its evidence."""

    @model_validator(mode="after")
    def _residuals_name_numbers(self) -> Vessel:
        numbers = {tag.name for tag in self.tags if tag.type == "number"}
        named: dict[str, tuple[Residual | SampleCheck | VectorCheck, ...]] = {
            "residual": self.residuals,
            "sample": self.samples,
            "vector": self.vectors,
        }
        for what, parts in named.items():
            names = [part.name for part in parts]
            if len(set(names)) != len(names):
                raise ValueError(f"{what}s {names}: expected each name once")
            for part in parts:
                for name in sorted(set(part.tags) - numbers):
                    raise ValueError(
                        f"{what} {part.name!r} term {name!r}: expected a number tag of "
                        "this vessel"
                    )
        return self

    @model_validator(mode="after")
    def _covering_checks_are_there(self) -> Vessel:
        named: dict[str, TagCheck | Residual | SampleCheck | VectorCheck | Skew] = {
            f"{tag.name}/{name}": check
            for tag in self.tags
            for name, check in (tag.checks.named() if tag.checks else {}).items()
        }
        named |= {f"residual/{residual.name}": residual for residual in self.residuals}
        named |= {f"sample/{sample.name}": sample for sample in self.samples}
        named |= {f"vector/{vector.name}": vector for vector in self.vectors}
        named |= {} if self.skew is None else {SKEW: self.skew}
        for name, check in named.items():
            for other in check.covered_by:
                if other not in named or other == name:
                    raise ValueError(
                        f"check {name!r} covered_by {other!r}: expected another check "
                        "of this vessel, such as 'SIC-101.PV/limit-ll'"
                    )
        return self

    @model_validator(mode="after")
    def _causes_name_checks(self) -> Vessel:
        known = set(check_names(self))
        for cause in self.causes:
            shown = [name.rstrip("+-") for name in (*cause.shows, *cause.may)]
            for name in sorted(set(shown) - known):
                raise ValueError(
                    f"cause {cause.name!r} shows {name!r}: expected a check of this "
                    "vessel, such as TIC-101.PV/limit-h or residual/NAME"
                )
        return self

    @model_validator(mode="after")
    def _limits_measure_from_numbers(self) -> Vessel:
        numbers = {tag.name for tag in self.tags if tag.type == "number"}
        for tag in self.tags:
            for limit in tag.checks.limits if tag.checks else ():
                if limit.of is not None and limit.of not in numbers:
                    raise ValueError(
                        f"tag {tag.name!r} limit {limit.side} of {limit.of!r}: "
                        "expected a number tag of this vessel"
                    )
        return self

    @model_validator(mode="after")
    def _context_names_tags(self) -> Vessel:
        known = {tag.name for tag in self.tags}
        for role, name in self.context:
            if name is not None and name not in known:
                raise ValueError(
                    f"context.{role} {name!r}: expected a tag's name of this vessel"
                )
        return self


def check_names(vessel: Vessel) -> Iterator[str]:
    """Yield the names of a vessel's checks without the vessel's: `tag/limit-h`."""
    for tag in vessel.tags:
        if tag.checks is not None:
            yield from (f"{tag.name}/{name}" for name in tag.checks.named())
    yield from (f"residual/{residual.name}" for residual in vessel.residuals)
    yield from (f"sample/{sample.name}" for sample in vessel.samples)
    yield from (f"vector/{vector.name}" for vector in vessel.vectors)
    yield "no-data"
    if vessel.skew is not None:
        yield SKEW


class Plant(_Part):
    """Everything that is watched at one site."""

    site: Name
    servers: Annotated[tuple[Server, ...], Field(min_length=1)]
    vessels: tuple[Vessel, ...] = ()

    @model_validator(mode="after")
    def _names_agree(self) -> Plant:
        problems = disagreements(self)
        if problems:
            raise ValueError("; ".join(message for _, message in problems))
        return self

    def tag_names(self) -> dict[int, str]:
        """Return full names, `vessel/tag`, by id; heartbeats as `server/Heartbeat`."""
        names = {s.heartbeat.id: f"{s.name}/Heartbeat" for s in self.servers}
        for vessel in self.vessels:
            names |= {tag.id: f"{vessel.name}/{tag.name}" for tag in vessel.tags}
        return names

    def server_of(self, vessel: Vessel, tag: Tag) -> str:
        """Return the name of the server that has `tag`."""
        return tag.server or vessel.server


@lru_cache(maxsize=4)
def parse_plant(text: str, source: str = "plant.yaml") -> Plant:
    """Return the checked plant.

    A large plant takes a second per megabyte, and every partition of the log carries
    the same text, so the last few are remembered.

    Raises:
        PlantInvalid: with every finding as `source:line: field: found, expected`.
    """
    try:
        body = yaml.load(text, Loader=_Loader)  # noqa: S506  a SafeLoader
    except yaml.YAMLError as error:
        raise PlantInvalid([not_yaml(error, source)]) from error
    if not isinstance(body, dict):
        raise PlantInvalid([f"{source}:1: expected a mapping with site and servers"])
    try:
        return Plant.model_validate(body)
    except ValidationError as error:
        tree = yaml.compose(text, Loader=_Loader)
        findings = [f for f in error.errors() if f["loc"] and not _echoes(f, error)]
        problems = [problem(finding, tree, source) for finding in findings]
        raise PlantInvalid(problems or _disagreeing(body, tree, source)) from error


def _echoes(finding: Any, error: ValidationError) -> bool:  # noqa: ANN401
    """Whether a list is called too short only because its entries are wrong."""
    place = finding["loc"]
    return finding["type"] == "too_short" and any(
        len(other["loc"]) > len(place) and other["loc"][: len(place)] == place
        for other in error.errors()
    )


def _disagreeing(
    body: dict[str, Any], tree: yaml.Node | None, source: str
) -> list[str]:
    """Return the findings that concern several places of an otherwise right file."""
    servers = tuple(Server.model_validate(part) for part in body["servers"])
    vessels = tuple(Vessel.model_validate(part) for part in body.get("vessels", ()))
    plant = Plant.model_construct(site=body["site"], servers=servers, vessels=vessels)
    return [
        f"{source}:{line_of(tree, path)}: {field_of(path)}: {message}"
        for path, message in disagreements(plant)
    ]


_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's, which is ten times as fast, where PyYAML was built with it."""
_Dumper: type[yaml.SafeDumper] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def render_plant(plant: Plant) -> str:
    """Return plant.yaml as text that `parse_plant` reads back to an equal plant."""
    body = plant.model_dump(mode="json", exclude_defaults=True)
    for vessel in body.get("vessels", []):
        vessel["tags"] = [_Flow(tag) for tag in vessel["tags"]]
    return yaml.dump(body, Dumper=_PlantDumper, sort_keys=False, width=200)


class _Flow(dict[str, Any]):
    """A mapping written on one line."""


class _PlantDumper(_Dumper):  # type: ignore[valid-type,misc]
    """Writes one tag a line."""


_PlantDumper.add_representer(
    _Flow,
    lambda dumper, data: dumper.represent_mapping(
        "tag:yaml.org,2002:map", data, flow_style=True
    ),
)


def digest(text: str) -> str:
    """Return the SHA-256 by which a configuration is named, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()
