"""Which batch of a campaign has which fault, how large and when. Pure but for `load`.

What a batch gets depends on the campaign's seed and the batch's number only, so a
longer campaign begins with the batches of a shorter one.
"""

from __future__ import annotations

from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from simulators.faults.located import FileInvalid, Part, parse
from simulators.faults.scenario import Planned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulators.faults.catalogue import Catalogue, Fault, Span

BLOCK = 20
"""Batches among which the share of faulty ones is kept."""
_HOUR = timedelta(hours=1)
_DRAWS_BLOCK, _DRAWS_KINDS, _DRAWS_FAULT = 11, 12, 13


class Window(Part):
    """When a fault may begin, counted from inoculation."""

    since: Annotated[timedelta, Field(alias="from")]
    until: Annotated[timedelta, Field(alias="to")]

    @model_validator(mode="after")
    def _is_not_empty(self) -> Self:
        if not timedelta(0) <= self.since < self.until:
            raise ValueError(
                f"window from {self.since} to {self.until}: expected 0 <= from < to"
            )
        return self


Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class Share(Part):
    """Of the batches in which operators do something besides the recipe."""

    setpoint: Fraction = 0.0
    """Change a setpoint for some hours."""
    hold: Fraction = 0.0
    """Hold the batch for up to three hours."""
    abort: Fraction = 0.0
    """Abort it; only where there is no fault."""


class Mix(Part):
    """Faults of a campaign, one at most in a batch, and interventions."""

    about: str
    share: Fraction
    """Of the batches that have a fault."""
    kinds: tuple[str, ...] | None = None
    """Faults that take turns; none named: all of the catalogue."""
    window: Window
    """When they begin, unless `windows` says otherwise for a kind."""
    windows: dict[str, Window] = Field(default_factory=dict)
    interventions: Share = Field(default_factory=Share)


NONE = Mix(
    about="no faults",
    share=0.0,
    window=Window.model_validate({"from": timedelta(0), "to": timedelta(days=1)}),
)


def load(name: str, catalogue: Catalogue) -> Mix:
    """Return `none`, `default`, or the mix of a YAML file.

    Raises:
        FileInvalid: there is no such file, or it does not fit.
    """
    if name == "none":
        return NONE
    if name == "default":
        packaged = files("simulators.campaign") / "default.yaml"
        return _parsed(packaged.read_text(encoding="utf-8"), "default.yaml", catalogue)
    path = Path(name)
    if path.suffix not in {".yaml", ".yml"} or not path.is_file():
        raise FileInvalid(
            [f"faults {name}: expected none, default, or a file that ends .yaml"]
        )
    return _parsed(path.read_text(encoding="utf-8"), path.name, catalogue)


def _parsed(text: str, source: str, catalogue: Catalogue) -> Mix:
    known = ", ".join(sorted(catalogue.faults))

    def unknown(mix: Mix) -> Iterator[tuple[tuple[int | str, ...], str]]:
        for n, kind in enumerate(mix.kinds or ()):
            if kind not in catalogue.faults:
                yield ("kinds", n), f"{kind}: expected one of {known}"
        for kind in mix.windows:
            if kind not in catalogue.faults:
                yield ("windows", kind), f"{kind}: expected one of {known}"

    return parse(text, source, Mix, unknown)


def kind_of(
    mix: Mix, catalogue: Catalogue, seed: int, number: int, without: frozenset[str]
) -> str | None:
    """Return the fault of batch `number` (from 1); None: it has none.

    Every kind comes once before any comes again, in an order that is drawn.
    """
    block, place = divmod(number - 1, BLOCK)
    faulty = round(mix.share * BLOCK)
    order = _random(seed, _DRAWS_BLOCK, block).permutation(BLOCK)
    chosen = sorted(int(n) for n in order[:faulty])
    if place not in chosen:
        return None
    kinds = sorted(set(mix.kinds or catalogue.faults) - without)
    if not kinds:
        return None
    turn, at = divmod(block * faulty + chosen.index(place), len(kinds))
    return str(_random(seed, _DRAWS_KINDS, turn).permutation(kinds)[at])


def planned(  # noqa: PLR0913  what a draw depends on
    mix: Mix,
    catalogue: Catalogue,
    *,
    seed: int,
    number: int,
    vessel: str,
    before_culture: timedelta,
    culture: timedelta,
    without: frozenset[str] = frozenset(),
) -> Planned | None:
    """Return the fault of batch `number`, its delay counted from the batch's start.

    Args:
        mix: what to choose from.
        catalogue: of the faults.
        seed: of the campaign.
        number: of the batch, from 1.
        vessel: it runs in.
        before_culture: from the start of the batch to inoculation.
        culture: from inoculation to harvest; no fault outlasts it, unless its
            shortest ramp or duration does.
        without: faults that the process cannot have.
    """
    kind = kind_of(mix, catalogue, seed, number, without)
    if kind is None:
        return None
    fault = catalogue.faults[kind]
    draws = _random(seed, _DRAWS_FAULT, number)
    window = mix.windows.get(kind, mix.window)
    until = min(window.until, culture - _HOUR)
    begins = _between(draws, min(window.since, until), until)
    left = culture - begins
    magnitude = _reachable(_size(draws, fault), fault, left)
    ramp = max(_length(draws, fault.ramp, left), fault.ramp_of(magnitude))
    ramp = min(ramp, max(left, fault.ramp.low), fault.ramp.high)
    span = fault.duration
    longer = span.model_copy(update={"low": min(max(span.low, ramp), span.high)})
    return Planned(
        fault=kind,
        vessel=vessel,
        delay=before_culture + begins,
        magnitude=magnitude,
        ramp=ramp,
        duration=_length(draws, longer, left),
    )


def _reachable(size: float, fault: Fault, left: timedelta) -> float:
    """Return the size, or less where the batch is too short for its slowest growth."""
    per_day = fault.magnitude.most_per_day
    if per_day is None:
        return size
    most = max(0.999 * per_day * (left / timedelta(days=1)), fault.magnitude.low)
    return max(min(size, most), -most)


def _size(draws: np.random.Generator, fault: Fault) -> float:
    """Return a magnitude of its range, small ones as likely as large ones."""
    low, high = fault.magnitude.low, fault.magnitude.high
    if low > 0.0:
        size = low * (high / low) ** draws.random()
    else:
        size = low + (high - low) * draws.random()
    size = min(max(float(f"{size:.3g}"), low), high)
    return -size if fault.magnitude.signed and draws.random() < 0.5 else size


def _length(draws: np.random.Generator, span: Span, most: timedelta) -> timedelta:
    """Return a length of its range, short ones as likely as long ones."""
    low = max(span.low, min(timedelta(minutes=1), span.high))
    high = max(min(span.high, most), low)
    if high == low:
        return span.low if span.high == span.low else low
    factor = (high / low) ** draws.random()
    return min(timedelta(seconds=round((low * factor).total_seconds())), high)


def _between(
    draws: np.random.Generator, since: timedelta, until: timedelta
) -> timedelta:
    span = max((until - since).total_seconds(), 0.0)
    return since + timedelta(seconds=round(span * draws.random()))


def _random(seed: int, *what: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([seed, *what]))
