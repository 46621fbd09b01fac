"""From a deviation to a person: a fault, an explained alarm, a hand on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from deploy.embedded.simulated import watched
from shared.plant import parse_plant, render_plant
from simulators.faults.record import FILE, read
from tests.system.site import Site, to_us, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.site import Variant

PARTS = ("check", "tag", "expected", "since", "quality", "moved", "trend", "advice")
TRIPPED = "BR102"
SCENARIO = {
    "about": "Five faults on three vessels: three in the past, two soon after it.",
    "faults": [
        {"fault": "S07", "vessel": "BR103", "delay": "PT2H", "alarm_within": "PT30M"},
        {"fault": "A01", "vessel": TRIPPED, "delay": "PT4H", "alarm_within": "PT4H"},
        {"fault": "H02", "vessel": "BR101", "delay": "PT3H"},
        {
            "fault": "C01",
            "vessel": "BR101",
            "after": "live",
            "delay": "PT5S",
            "duration": "PT4M",
            "alarm_within": "PT1M",
        },
        {
            "fault": "A06",
            "vessel": TRIPPED,
            "after": "live",
            "delay": "PT10S",
            "duration": "PT4M",
            "alarm_within": "PT2M",
        },
    ],
}
"""Limits fixed before the first run; the slow drifts are played in tests/evaluation."""
ALARMS = {
    "S07": "BR103/TIC-101.PV/frozen",
    "A01": "BR102/residual/feed balance",
    "C01": "BR101/no-data",
    "A06": "BR102/SIC-101.PV/limit-ll",
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


def found(site: Site) -> dict[str, dict[str, Any]]:
    """Return the urgent alarms of all vessels by check."""
    vessels = ("BR101", "BR102", "BR103")
    return {a["check"]: a for vessel in vessels for a in urgent(site, vessel)}


def hold_against_the_truth(site: Site, alarms: dict[str, dict[str, Any]]) -> None:
    """Check each alarm: its vessel, its delay, a tag of the signature, every part."""
    path = site.folder / "simulator" / FILE
    truth = {one["fault"]: one for one in read(path).values()}
    for fault, check in ALARMS.items():
        alarm, true = alarms[check], truth[fault]
        delay_s = (to_us(alarm["raised"]) - to_us(true["onset"])) / 1e6
        assert 0 <= delay_s <= true["alarm_within_s"], (fault, delay_s)
        vessel, _, tag = alarm["explanation"]["tag"].partition("/")
        assert vessel == true["vessel"]
        assert tag in true["signature"] or not true["signature"]
        said = [alarm["explanation"][part] for part in PARTS]
        assert all(part not in {None, ""} for part in said)
        assert alarm["simulated"] is True
    about_ph = [check for check in alarms if "AIC-101" in check or "pH" in check]
    assert not about_ph, "a calibration must stay silent"


@pytest.mark.timeout(400)
def test_faults_become_explained_alarms_in_time_and_outlive_the_monitor(
    tmp_path: Path, variant: Variant
) -> None:
    scenario = tmp_path / "faults.yaml"
    scenario.write_text(yaml.safe_dump(SCENARIO))
    simulator = {
        "HISTORY": "PT10H",
        "CATCHUP_STEP": "PT1M",
        "VESSELS": "3",
        "INSTRUMENTS": "core",
        "SCENARIO": str(scenario),
    }
    with Site(tmp_path / "site", variant, simulator=simulator) as site:
        begin(site)
        tripped = ALARMS["A06"]
        alarm = until(
            "the trip is an alarm", lambda: found(site).get(tripped), timeout_s=150
        )
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
        checks = set(ALARMS.values())
        until("every fault is an alarm", lambda: checks <= found(site).keys())
        hold_against_the_truth(site, found(site))
