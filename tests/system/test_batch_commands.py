"""A site of two servers, and operators who hold, release and abort batches there."""

from __future__ import annotations

import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from shared.events import digest
from tests.system.site import COMMAND, ROOT, Site, free_port, to_us, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.system.site import Variant

SERVICES = ("archiver", "api", "monitor", "collector")


@contextmanager
def served(site: Site) -> Iterator[list[str]]:
    """Serve two vessels by two processes; yield their URLs, in the vessels' order."""
    folder = site.folder / "simulated"
    options = ("--processes", "cho=2", "--servers", "2", "--core", "--history", "2m")
    place = ("--data", str(folder), "--port", str(free_port()))
    with (site.folder / "serve.log").open("ab") as log:
        process = subprocess.Popen(
            [str(COMMAND), "simulate", "serve", *options, *place],
            cwd=ROOT, env=site.environment("command"), stdout=log, stderr=log,
        )  # fmt: skip
    try:
        plant = folder / "plant.yaml"
        until("plant.yaml of both servers", plant.exists, timeout_s=120)
        site.plant_yaml.write_text(plant.read_text())
        servers = yaml.safe_load(plant.read_text())["servers"]
        yield [server["url"] for server in servers]
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def reaches(site: Site, vessel: str, *expected: str) -> None:
    """Wait until the batch in a vessel went through these states and no others."""
    until(
        f"{vessel} was {expected}",
        lambda: states(site, vessel) == list(expected),
        timeout_s=90,
    )


def tells(site: Site, vessel: str, *expected: str) -> None:
    """Wait for the events of these states; their ids name what happened."""

    def told() -> list[dict[str, Any]]:
        found = said(site, vessel)
        same = [event["state"] for event in found] == list(expected)
        return found if same else []

    for one in until(f"events of {vessel}", told, timeout_s=90):
        place = (vessel, one["batch"], None, True, to_us(one["time"]))
        assert one["id"] == digest(*place, one["state"])


def batch(site: Site, vessel: str) -> dict[str, Any]:
    """Return the batch in a vessel, as the API shows it; empty before it knows it."""
    answer = site.get("/batches", vessel=vessel)
    found = answer.json()["batches"] if answer.is_success else []
    return found[-1] if found else {}


def states(site: Site, vessel: str) -> list[str]:
    """Return the states of that batch in order."""
    return [state["name"] for state in batch(site, vessel).get("states", ())]


def said(site: Site, vessel: str) -> list[dict[str, Any]]:
    """Return the events that say a state of a batch of a vessel."""
    asked = {"type": "batch", "vessel": vessel, "start": "*-1d"}
    events: list[dict[str, Any]] = site.get("/events", **asked).json()["events"]
    return [event for event in events if event["state"] is not None]


@pytest.mark.timeout(300)
def test_what_operators_do_to_batches_is_in_batches_and_events(
    tmp_path: Path, embedded: Variant
) -> None:
    with Site(tmp_path / "site", embedded, source="") as site, served(site) as urls:
        site.command("migrate")
        site.apply()
        site.start(*SERVICES)
        until("the API answers", lambda: site.get("/health/live").is_success)
        for vessel in ("BR101", "BR102"):
            reaches(site, vessel, "Running")
        first, second = (batch(site, vessel)["batch"] for vessel in ("BR101", "BR102"))
        assert first != second

        def command(what: str, vessel: str, url: str) -> str:
            return site.command("simulate", "batch", what, vessel, "--url", url).stdout

        assert command("hold", "BR101", urls[0]) == f"BR101: batch {first} is Held\n"
        answer = command("abort", "BR102", urls[1])
        assert answer == f"BR102: batch {second} is Aborting\n"
        reaches(site, "BR101", "Running", "Held")
        reaches(site, "BR102", "Running", "Aborting")
        command("restart", "BR101", urls[0])
        tells(site, "BR101", "Running", "Held", "Running")
        tells(site, "BR102", "Running", "Aborting")
        aborted = batch(site, "BR102")
        assert aborted["state"] == "Aborting"
        assert aborted["phases"][-1]["name"] == "Harvest"
