"""Starting a simulated plant: anew in the past, or from the state of the last run."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import Field, SecretStr

from shared.domain import US_PER_S, FedbatchError
from simulators.faults import catalogue, scenario
from simulators.faults.injections import Injections
from simulators.faults.located import FileInvalid, Part, parse
from simulators.loop import STATE_FILE, VERSION, Mode, Pace
from simulators.organisms import ORGANISMS, organism
from simulators.plant import Layout, Plant, StateUnusable, begin
from simulators.recipes import Numbering
from simulators.servers.flat import Endpoint
from simulators.servers.roles import Account, Role
from simulators.site import Site, Suite, restore
from simulators.storage import read_json

if TYPE_CHECKING:
    from pathlib import Path

    from simulators.settings import SimulatorSettings

_log = logging.getLogger(__name__)
_US = timedelta(microseconds=1)
_SEEDS_APART = 1_000_003
"""Between the suites of a site, so that they do not draw the same noise."""


class StateOfAnotherPlant(FedbatchError):  # noqa: N818
    """The data folder belongs to a plant with other settings."""


@dataclass(frozen=True, slots=True)
class Start:
    """A site at the first instant to publish."""

    site: Site
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
    accounts = [] if settings.users is None else users_in(settings.users)
    if settings.user is not None and settings.password is not None:
        accounts.append(Account(settings.user, settings.password.get_secret_value()))
    return Endpoint(
        host=settings.host,
        port=settings.port,
        encrypted=settings.encrypted,
        accounts=tuple(accounts),
        certificates=settings.data,
        known_clients=settings.known_clients,
    )


class _User(Part):
    name: str = Field(min_length=1)
    password: SecretStr
    role: Role


class _Users(Part):
    users: tuple[_User, ...] = Field(min_length=1)


def users_in(path: Path) -> list[Account]:
    """Return who may connect, from a YAML file.

    Raises:
        FileInvalid: there is no such file, or what is wrong, with its line.
    """
    if not path.is_file():
        raise FileInvalid([f"{path}: no such file; expected users"])
    found = parse(path.read_text("utf-8"), path.name, _Users, lambda _: iter(()))
    return [
        Account(one.name, one.password.get_secret_value(), one.role)
        for one in found.users
    ]


def start(settings: SimulatorSettings, now: int) -> Start:
    """Return the site to run; `now` is the clock, us UTC.

    A new site starts `history` ago. One that was live goes on at `now`: the time
    between is not published. One that was catching up goes on after the last instant
    that may have been published.

    Raises:
        StateOfAnotherPlant: the saved state does not fit the settings.
        FileDamaged: the state file cannot be read.
        FileInvalid: the scenario does not fit.
    """
    made = _layouts(settings)
    path = settings.data / STATE_FILE
    body = read_json(path)
    if body is None:
        return _anew(settings, made, now)
    plants = [Plant(layout, now, injections) for layout, injections in made]
    try:
        _check_version(body)
        bodies = body["plants"] if body["version"] == VERSION else [body["plant"]]
        for saved, plant in zip(bodies, plants, strict=False):
            _check_scenario(saved, plant.injections)
        restore(plants, bodies)
        saved_at, live = plants[0].now, bool(body["live"])
        published_before = int(body["published_before"])
    except (StateUnusable, KeyError, TypeError, ValueError) as error:
        raise StateOfAnotherPlant(_what_to_do(path, error)) from error
    period = pace(settings).period
    resumed = now // period * period if live else min(published_before, now)
    if saved_at > now:
        raise StateOfAnotherPlant(
            f"{path}: saved at {saved_at} us, which is ahead of the clock ({now} us); "
            "expected a time that has passed"
        )
    for plant in plants:
        plant.fast_forward(resumed)
    site = _site(settings, plants)
    _log.info("resumed; %.0f s were not published", (site.now - saved_at) / US_PER_S)
    return Start(site, Mode.LIVE if live else Mode.WAITING, (saved_at, site.now))


def _layouts(settings: SimulatorSettings) -> list[tuple[Layout, Injections]]:
    """Return each suite's layout and its faults to come.

    No two suites, nor those of two shards, draw the same noise.
    """
    return [
        (_layout(settings, process, number), _faults(settings, process))
        for number, process in enumerate(settings.suites)
    ]


def _layout(settings: SimulatorSettings, process: str, number: int) -> Layout:
    kind = organism(process)
    number += (settings.shard - 1) * len(ORGANISMS)
    return Layout(
        vessels=settings.suites[process],
        seed=settings.seed + number * _SEEDS_APART,
        design=kind.design,
        recipe=kind.recipe,
        process=kind.process,
        tags=kind.tags,
        numbering=Numbering(settings.shard, settings.shards),
    )


def _site(settings: SimulatorSettings, plants: list[Plant]) -> Site:
    return Site(
        [
            Suite(plant, settings.tags_of(process), organism(process).assays())
            for process, plant in zip(settings.suites, plants, strict=True)
        ]
    )


def _check_version(body: dict[str, Any]) -> None:
    if body.get("version") not in {2, VERSION}:
        raise StateUnusable(f"version {body.get('version')}: expected {VERSION}")


def _check_scenario(body: dict[str, Any], injections: Injections) -> None:
    saved = body.get("faults", {}).get("scenario", "")
    if saved != injections.scenario:
        expected, found = injections.scenario[:12] or "none", saved[:12] or "none"
        raise StateUnusable(
            f"scenario of the saved plant: expected {expected}, found {found}"
        )


def _faults(settings: SimulatorSettings, process: str) -> Injections:
    known, vessels = catalogue.load(), settings.suites[process]
    if settings.scenario is None:
        return Injections(known, vessels, None, process)
    runs = {name: one for one, names in settings.site_suites.items() for name in names}
    wanted = scenario.load(settings.scenario, known, runs)
    return Injections(known, vessels, wanted, process)


def _anew(
    settings: SimulatorSettings, made: list[tuple[Layout, Injections]], now: int
) -> Start:
    history, step = settings.history // _US, settings.catchup_step // _US
    first, mode = (now - history) // step * step, Mode.WAITING
    if history <= 0:
        period = pace(settings).period
        first, mode = now // period * period, Mode.LIVE
    plants = [begin(layout, first, injections) for layout, injections in made]
    return Start(_site(settings, plants), mode, None)


def _what_to_do(path: Path, error: Exception) -> str:
    return (
        f"{path}: {error}; expected the state of a plant with these settings: "
        "use its settings, or another data folder"
    )
