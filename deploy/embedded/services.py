"""The services of one embedded plant: modules, order, and each one's settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.embedded.processes import Service
from deploy.settings import inherited_environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from deploy.embedded.folder import DataFolder

SIMULATOR = "simulator"
COLLECTOR = "collector"
ARCHIVER = "archiver"
MONITOR = "monitor"
NOTIFIER = "notifier"
API = "api"
MODULES = {
    SIMULATOR: "simulators",
    COLLECTOR: "services.ingest.collect",
    ARCHIVER: "services.ingest.archive",
    MONITOR: "services.monitor",
    NOTIFIER: "services.api.notify",
    API: "services.api",
}
"""What `python -m` runs, in the order of the way that a reading takes."""

TARGETS = ("FEDBATCH_NOTIFIER_WEBHOOKS__", "FEDBATCH_NOTIFIER_MAILS__")
"""Beginnings of the variables that name somebody to tell."""
PUBLIC_URL = "FEDBATCH_NOTIFIER_PUBLIC_URL"

SCENARIO = "demo"
"""Faults of the simulated plant: slow ones in its history, a trip soon after it."""
SCENARIO_VESSELS = 3
"""Vessels that the scenario names."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Where the log and the database of this plant are."""

    bus: str
    """URL of the log."""
    dsn: str
    """DSN of the database, with its password: for environments only."""


def simulator(
    folder: DataFolder, *, port: int, vessels: int, history: timedelta
) -> Service:
    """Return the simulated plant, served on `port`."""
    settings = {
        "DATA": str(folder.simulator),
        "PORT": str(port),
        "VESSELS": str(vessels),
        "HISTORY": f"PT{int(history.total_seconds())}S",
        "CATCHUP_STEP": "PT60S",
    }
    if vessels >= SCENARIO_VESSELS:
        settings["SCENARIO"] = SCENARIO
    return _service(SIMULATOR, settings)


def collector(folder: DataFolder, neighbours: Neighbours) -> Service:
    """Return the collector; with a local log its spool is the log."""
    return _service(
        COLLECTOR,
        {"BUS__URL": neighbours.bus, "SPOOL": str(folder.spool)},
    )


def archiver(neighbours: Neighbours) -> Service:
    """Return the archiver."""
    return _service(
        ARCHIVER, {"BUS__URL": neighbours.bus, "DATABASE__DSN": neighbours.dsn}
    )


def monitor(folder: DataFolder, neighbours: Neighbours) -> Service:
    """Return the monitor; its checkpoints are in the data folder."""
    return _service(MONITOR, {"BUS__URL": neighbours.bus, "STATE": str(folder.monitor)})


def notifier(neighbours: Neighbours, *, port: int) -> Service | None:
    """Return who pushes alarms; None where the environment names nobody to tell."""
    environment = inherited_environment(NOTIFIER)
    if not any(name.startswith(TARGETS) for name in environment):
        return None
    settings = {"DATABASE__DSN": neighbours.dsn}
    if PUBLIC_URL not in environment:
        settings["PUBLIC_URL"] = f"http://127.0.0.1:{port}"
    return _service(NOTIFIER, settings)


def api(neighbours: Neighbours, *, port: int) -> Service:
    """Return the HTTP API, on loopback."""
    return _service(
        API,
        {
            "BUS__URL": neighbours.bus,
            "DATABASE__DSN": neighbours.dsn,
            "PORT": str(port),
        },
    )


def _service(name: str, settings: Mapping[str, str]) -> Service:
    prefix = f"FEDBATCH_{name.upper()}_"
    given = {prefix + key: value for key, value in settings.items()}
    return Service(
        name,
        MODULES[name],
        {
            **inherited_environment(name),
            **given,
            f"{prefix}STOP_WITH_PARENT": "true",
            "PYTHONUNBUFFERED": "1",
        },
    )
