"""Starting a simulated plant: anew in the past, or from the state of the last run."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from shared.domain import US_PER_S, FedbatchError
from simulators.faults import catalogue, scenario
from simulators.faults.injections import Injections
from simulators.loop import STATE_FILE, Mode, Pace
from simulators.organisms import organism
from simulators.plant import Layout, Plant, StateUnusable, begin
from simulators.servers.flat import Endpoint
from simulators.storage import read_json

if TYPE_CHECKING:
    from pathlib import Path

    from simulators.settings import SimulatorSettings

_log = logging.getLogger(__name__)
_US = timedelta(microseconds=1)
VERSION = 2
"""Of the state file."""


class StateOfAnotherPlant(FedbatchError):  # noqa: N818
    """The data folder belongs to a plant with other settings."""


@dataclass(frozen=True, slots=True)
class Start:
    """A plant at the first instant to publish."""

    plant: Plant
    mode: Mode
    hole: tuple[int, int] | None
    """Simulated time that was never published, us UTC; None for a new plant."""


def pace(settings: SimulatorSettings) -> Pace:
    """Return how fast time goes."""
    return Pace(
        catchup_step=settings.catchup_step // _US,
        period=round(US_PER_S / settings.rate_hz),
        wait=None if settings.wait is None else settings.wait // _US,
    )


def endpoint(settings: SimulatorSettings) -> Endpoint:
    """Return where and for whom to listen."""
    secret = settings.password
    return Endpoint(
        host=settings.host,
        port=settings.port,
        encrypted=settings.encrypted,
        user=settings.user,
        password="" if secret is None else secret.get_secret_value(),
        certificates=settings.data,
    )


def start(settings: SimulatorSettings, now: int) -> Start:
    """Return the plant to run; `now` is the clock, us UTC.

    A new plant starts `history` ago. One that was live goes on at `now`: the time
    between is not published. One that was catching up goes on after the last instant
    that may have been published.

    Raises:
        StateOfAnotherPlant: the saved state does not fit the settings.
        FileDamaged: the state file cannot be read.
        FileInvalid: the scenario does not fit.
    """
    injections = _faults(settings)
    layout = _layout(settings)
    path = settings.data / STATE_FILE
    body = read_json(path)
    if body is None:
        return _anew(settings, layout, injections, now)
    plant = Plant(layout, now, injections)
    try:
        _check_version(body)
        _check_scenario(body["plant"], injections)
        plant.restore(body["plant"])
        saved, live = plant.now, bool(body["live"])
        published_before = int(body["published_before"])
    except (StateUnusable, KeyError, TypeError, ValueError) as error:
        raise StateOfAnotherPlant(_what_to_do(path, error)) from error
    period = pace(settings).period
    resumed = now // period * period if live else min(published_before, now)
    if saved > now:
        raise StateOfAnotherPlant(
            f"{path}: saved at {saved} us, which is ahead of the clock ({now} us); "
            "expected a time that has passed"
        )
    plant.fast_forward(resumed)
    _log.info("resumed; %.0f s were not published", (plant.now - saved) / US_PER_S)
    return Start(plant, Mode.LIVE if live else Mode.WAITING, (saved, plant.now))


def _layout(settings: SimulatorSettings) -> Layout:
    kind = organism(settings.process)
    return Layout(
        vessels=settings.vessel_names,
        seed=settings.seed,
        design=kind.design,
        recipe=kind.recipe,
        process=kind.process,
        tags=kind.tags,
    )


def _check_version(body: dict[str, Any]) -> None:
    if body.get("version") != VERSION:
        raise StateUnusable(f"version {body.get('version')}: expected {VERSION}")


def _check_scenario(body: dict[str, Any], injections: Injections) -> None:
    saved = body.get("faults", {}).get("scenario", "")
    if saved != injections.scenario:
        expected, found = injections.scenario[:12] or "none", saved[:12] or "none"
        raise StateUnusable(
            f"scenario of the saved plant: expected {expected}, found {found}"
        )


def _faults(settings: SimulatorSettings) -> Injections:
    known, vessels = catalogue.load(), settings.vessel_names
    chosen = settings.scenario
    process = settings.process
    wanted = None if chosen is None else scenario.load(chosen, known, vessels, process)
    return Injections(known, vessels, wanted, process)


def _anew(
    settings: SimulatorSettings, layout: Layout, injections: Injections, now: int
) -> Start:
    history, step = settings.history // _US, settings.catchup_step // _US
    first = (now - history) // step * step
    if history <= 0:
        period = pace(settings).period
        return Start(begin(layout, now // period * period, injections), Mode.LIVE, None)
    return Start(begin(layout, first, injections), Mode.WAITING, None)


def _what_to_do(path: Path, error: Exception) -> str:
    return (
        f"{path}: {error}; expected the state of a plant with these settings: "
        "use its settings, or another data folder"
    )
