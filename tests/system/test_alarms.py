"""From a deviation to a person: a fault, an explained alarm, a hand on it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from deploy.embedded.simulated import watched
from shared.plant import parse_plant, render_plant
from tests.system.site import Site, to_us, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.site import Variant

TRIP_WITHIN_S = 120
SIGNATURE = {"SIC-101.PV", "AIC-102.PV", "AIC-102.OUT"}
"""Tags that move when the stirrer trips."""
PARTS = ("check", "tag", "expected", "since", "quality", "moved", "trend", "advice")
SCENARIO = {
    "about": "The stirrer of BR102 trips soon after going live.",
    "faults": [
        {
            "fault": "A06",
            "vessel": "BR102",
            "after": "live",
            "delay": "PT10S",
            "duration": "PT4M",
            "magnitude": 1,
            "alarm_within": f"PT{TRIP_WITHIN_S}S",
        }
    ],
}


def begin(site: Site) -> None:
    """Start a plant with the alarm set of the demo, watched by the monitor."""
    site.begin()
    plant = parse_plant(site.plant_yaml.read_text())
    site.plant_yaml.write_text(render_plant(watched(plant, None)))
    site.apply()
    site.start("monitor")


def urgent(site: Site, vessel: str) -> list[dict[str, Any]]:
    """Return the alarms of priority 1 and 2 of a vessel, as the API lists them."""
    answer = site.get("/alarms", vessel=vessel)
    found = answer.json()["alarms"] if answer.is_success else []
    return [alarm for alarm in found if alarm["priority"] <= 2]


def acknowledge(site: Site, alarm: str) -> httpx.Response:
    """Acknowledge as a person would; the same key every time."""
    return httpx.post(
        f"http://127.0.0.1:{site.api_port}/alarms/{alarm}/acknowledge",
        headers={"X-Fedbatch-Actor": "night shift", "Idempotency-Key": alarm},
        timeout=30,
    )


@pytest.mark.timeout(300)
def test_a_tripped_stirrer_is_an_explained_alarm_that_outlives_the_monitor(
    tmp_path: Path, variant: Variant
) -> None:
    scenario = tmp_path / "trip.yaml"
    scenario.write_text(yaml.safe_dump(SCENARIO))
    simulator = {
        "HISTORY": "PT10M",
        "CATCHUP_STEP": "PT10S",
        "VESSELS": "3",
        "SCENARIO": str(scenario),
    }
    with Site(tmp_path / "site", variant, simulator=simulator) as site:
        begin(site)
        alarms = until(
            "an urgent alarm of BR102", lambda: urgent(site, "BR102"), timeout_s=100
        )
        alarm = alarms[0]
        raised = to_us(alarm["raised"])
        assert alarm["explanation"]["tag"].partition("/")[2] in SIGNATURE
        assert all(alarm["explanation"][part] not in {None, ""} for part in PARTS[:5])
        assert alarm["simulated"] is True
        assert (time.time_ns() // 1000 - raised) / 1e6 < TRIP_WITHIN_S
        site.kill("monitor")
        assert acknowledge(site, alarm["alarm"]).status_code == 202
        site.start("monitor")
        until(
            "the acknowledgement given while the monitor was down has its effect",
            lambda: (
                site.get(f"/alarms/{alarm['alarm']}").json()["state"] == "acknowledged"
            ),
        )
        journal = site.get(f"/alarms/{alarm['alarm']}").json()["journal"]
        causes = [entry["cause"] for entry in journal]
        assert causes.count("raised") == 1
        assert causes.count("acknowledged") == 1
        assert acknowledge(site, alarm["alarm"]).json()["repeated"] is True
