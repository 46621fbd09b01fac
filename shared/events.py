"""What the monitor says and what people command: nouns of topic `events` and commands.

Standard library only. Ids are digests of what they name, so that a replay gives the
same ones.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum


class EventKind(StrEnum):
    """Header `kind` of a record on `events`."""

    ALARM = "alarm"
    """A transition of an alarm."""
    DETECTION = "detection"
    """What a detector said; alarms rest on these."""
    BATCH = "batch"
    """A batch or phase began or ended, or a batch's state changed."""
    CHANGE = "change"
    """A configuration, mode or limit changed; a service started."""


class AlarmState(StrEnum):
    """States of ISA-18.2 that an alarm can be in."""

    NORMAL = "normal"
    UNACKNOWLEDGED = "unacknowledged"
    """Active, nobody has said that they saw it."""
    ACKNOWLEDGED = "acknowledged"
    """Active, somebody takes care."""
    RETURNED = "returned-unacknowledged"
    """The condition is gone, nobody has said that they saw it."""
    LATCHED_UNACKNOWLEDGED = "latched-unacknowledged"
    LATCHED_ACKNOWLEDGED = "latched-acknowledged"
    """Seen, the condition is gone, waits for a reset."""
    SHELVED = "shelved"
    """Put aside by a person, with a reason and an end."""
    SUPPRESSED = "suppressed-by-design"
    """Raised in a phase in which plant.yaml says that it means nothing."""
    OUT_OF_SERVICE = "out-of-service"
    """Taken out by a person, with a reason, until somebody puts it back."""

    @property
    def is_active(self) -> bool:
        """Whether a person should see it in the list."""
        return self not in {
            AlarmState.NORMAL,
            AlarmState.SHELVED,
            AlarmState.SUPPRESSED,
            AlarmState.OUT_OF_SERVICE,
        }


class Cause(StrEnum):
    """Why an alarm changed its state."""

    RAISED = "raised"
    RETURNED = "returned"
    ACKNOWLEDGED = "acknowledged"
    SHELVED = "shelved"
    UNSHELVED = "unshelved"
    SHELF_EXPIRED = "shelf-expired"
    RESET = "reset"
    COMMENTED = "commented"
    SUPPRESSED = "suppressed"
    """The design hides it in a phase, which the comment names."""
    UNSUPPRESSED = "unsuppressed"
    TAKEN_OUT = "taken-out-of-service"
    PUT_BACK = "put-back-in-service"
    WITHDRAWN = "withdrawn"
    """A new plant.yaml has no such check, or lets it learn anew."""
    REVISED = "revised"
    """Late readings changed what had been said."""


@dataclass(frozen=True, slots=True)
class Moved:
    """Another tag that moved in the window before an alarm."""

    tag: str
    before: float
    now: float
    sigmas: float
    """The change in standard deviations of its own recent past."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is likely behind an alarm, of the causes that plant.yaml knows."""

    kind: str
    """sensor, actuator, process or communication."""
    cause: str
    """In words, for example `pH sensor drifts`."""
    tag: str | None
    """Full name of the instrument or machine; None for the process."""
    confidence: float
    """0 to 1, that the kind is right."""
    evidence: tuple[str, ...]
    """What speaks for it, strongest first."""
    ranked: tuple[str, ...]
    """Full names of the tags of all causes that fit, likeliest first."""
    advice: str = ""

    @property
    def words(self) -> str:
        """Return it as an operator reads it."""
        where = f" {self.tag}" if self.tag else ""
        likely = f"{self.kind.capitalize()}{where}, {100.0 * self.confidence:.0f} %"
        return f"{likely}: {self.cause} ({'; '.join(self.evidence)})."


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an alarm is there; none may lack any part."""

    check: str
    """The check and its setting in words, for example `limit h 37.5 Cel`."""
    tag: str
    """Full name of the tag (or of the residual's first tag)."""
    value: float | None
    """What was seen when the condition began; None for no data."""
    expected: str
    """The limit or the band, in words with unit."""
    since: int
    """When the condition began, us UTC."""
    quality: str
    """Good, uncertain, bad or missing readings in the window, in words."""
    moved: tuple[Moved, ...]
    """Other tags of the vessel that moved, strongest first; empty if none did."""
    trend: str
    """Path and query of the API that shows it."""
    advice: str
    """What to look at first."""
    advisory: bool = False
    """True where a learning model decided; said in every text."""
    verdict: Verdict | None = None
    """What is likely behind it; `advice` begins with it in words."""

    def __post_init__(self) -> None:
        texts = (
            self.check,
            self.tag,
            self.expected,
            self.quality,
            self.trend,
            self.advice,
        )
        if not all(texts):
            raise ValueError(f"an explanation lacks a part: {self}")


@dataclass(frozen=True, slots=True)
class AlarmTransition:
    """One change of one alarm: the journal is the list of these."""

    alarm: str
    """Id of the occurrence: the same from raise to return."""
    check: str
    """`vessel/tag/limit-h` and the like: the same for every occurrence."""
    vessel: str
    priority: int
    cause: Cause
    before: AlarmState
    after: AlarmState
    time: int
    """Event time, us UTC."""
    known: int
    """Time of the clock record behind which it became known, us UTC."""
    explanation: Explanation
    batch: str | None = None
    phase: str | None = None
    actor: str | None = None
    """Who commanded it; None for the monitor itself."""
    comment: str = ""
    until: int | None = None
    """End of a shelf, us UTC."""
    detected_late: bool = False
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Detection:
    """What a detector said of one tag or residual."""

    check: str
    vessel: str
    tag: str
    time: int
    score: float
    """1.0 and above is beyond the limit."""
    value: float | None
    text: str


@dataclass(frozen=True, slots=True)
class BatchEvent:
    """A batch or phase of a vessel began or ended, or a state of its batch began."""

    id: str
    vessel: str
    batch: str
    phase: str | None
    """None for the batch itself, and for a state of it."""
    began: bool
    time: int
    product: str | None = None
    client: str | None = None
    state: str | None = None
    """ISA-88 state that the batch went into, such as Held; it ends with the next one.
    None for beginnings and ends of the batch and its phases."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that decides was changed or started."""

    what: str
    time: int
    actor: str
    old: str
    new: str
    details: dict[str, str] = field(default_factory=dict)


class CommandKind(StrEnum):
    """What a person may do to an alarm."""

    ACKNOWLEDGE = "acknowledge"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    RESET = "reset"
    COMMENT = "comment"
    TAKE_OUT = "take-out-of-service"
    PUT_BACK = "put-back-in-service"


@dataclass(frozen=True, slots=True)
class Command:
    """A person's word on an alarm, on `plant` of the vessel's partition."""

    id: str
    """Given by the API; a repeat is recognised by it."""
    kind: CommandKind
    alarm: str
    """Id of the occurrence."""
    actor: str
    """The authenticated subject, else `unauthenticated:<name>`."""
    time: int
    """When the API took it, us UTC."""
    comment: str = ""
    until: int | None = None
    """End of a shelf, us UTC."""


def digest(*parts: object) -> str:
    """Return the id of what these parts name: 20 hex digits, the same for ever."""
    text = "\x1f".join(str(part) for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:20]
