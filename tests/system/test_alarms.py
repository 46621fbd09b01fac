"""From a deviation to a person: a fault, an explained alarm, a hand on it."""

from __future__ import annotations

from datetime import timedelta
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
VESSELS = ("BR101", "BR102", "BR103")
TRIPPED, CUT = "BR102", "BR101"
SCENARIO = {
    "about": "Every fault of the first alarms on three vessels, the slow ones in the "
    "past; limits fixed before the first run.",
    "faults": [
        {"fault": "S07", "vessel": "BR103", "delay": "PT4H", "alarm_within": "PT30M"},
        {"fault": "A01", "vessel": "BR103", "delay": "PT14H", "alarm_within": "PT4H"},
        {"fault": "H02", "vessel": "BR101", "delay": "PT10H"},
        {
            "fault": "S04",
            "vessel": "BR101",
            "delay": "PT60H",
            "magnitude": 0.15,
            "ramp": "P3D",
            "alarm_within": "P3D",
        },
        {
            "fault": "S01",
            "vessel": "BR102",
            "delay": "PT72H",
            "magnitude": 0.1,
            "ramp": "P4D",
            "alarm_within": "P3D",
        },
        {
            "fault": "A06",
            "vessel": TRIPPED,
            "after": "live",
            "delay": "PT5S",
            "duration": "PT4M",
            "alarm_within": "PT2M",
        },
        {
            "fault": "C01",
            "vessel": CUT,
            "after": "live",
            "delay": "PT8S",
            "duration": "PT4M",
            "alarm_within": "PT1M",
        },
    ],
}
"""Limits fixed before the first run."""
CALIBRATED = timedelta(hours=6)
"""For so long after a calibration its instrument may say nothing urgent."""


def begin(site: Site) -> None:
    """Start a plant with the alarm set of the demo, watched from its first reading."""

    def described(found: str) -> str:
        return render_plant(watched(parse_plant(found), None))

    services = ("archiver", "api", "monitor", "collector")
    site.begin(described=described, services=services)


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


def journal(site: Site) -> list[dict[str, Any]]:
    """Return the urgent alarms of all vessels, oldest first."""
    alarms = [alarm for vessel in VESSELS for alarm in urgent(site, vessel)]
    return sorted(alarms, key=lambda alarm: alarm["raised"])


def truth(site: Site) -> list[dict[str, Any]]:
    """Return what was done to the plant, one entry for each fault."""
    return list(read(site.folder / "simulator" / FILE).values())


def alarm_of(fault: dict[str, Any], site: Site) -> dict[str, Any] | None:
    """Return the first urgent alarm of the fault's vessel that names its tags."""
    named = {*fault["signature"], fault["target"]}
    for alarm in journal(site):
        vessel, _, tag = alarm["explanation"]["tag"].partition("/")
        silence = alarm["check"] == f"{fault['vessel']}/no-data"
        of_it = tag in named if fault["target"] else silence
        since = to_us(alarm["raised"]) >= fault["onset_us"]
        if vessel == fault["vessel"] and of_it and since:
            return alarm
    return None


def hold_against_the_truth(site: Site) -> None:
    """Check each alarm: its vessel, its tag, its delay, every part of its words."""
    for fault in truth(site):
        if fault["expected"] == "alarm":
            alarm = alarm_of(fault, site)
            assert alarm is not None, fault["fault"]
            delay_s = (to_us(alarm["raised"]) - fault["onset_us"]) / 1e6
            print(f"{fault['fault']}: {alarm['check']} after {delay_s:.0f} s")
            assert delay_s <= fault["alarm_within_s"], (fault["fault"], delay_s)
            said = [alarm["explanation"][part] for part in PARTS]
            assert None not in said
            assert "" not in said
            assert alarm["simulated"] is True
        else:
            end = fault["onset_us"] + CALIBRATED // timedelta(microseconds=1)
            alarm = alarm_of(fault, site)
            assert alarm is None or to_us(alarm["raised"]) > end
    for alarm in journal(site):
        vessel = alarm["explanation"]["tag"].partition("/")[0]
        causes = [
            fault
            for fault in truth(site)
            if fault["vessel"] == vessel and fault["expected"] == "alarm"
        ]
        raised = to_us(alarm["raised"])
        assert any(fault["onset_us"] <= raised for fault in causes), alarm


@pytest.mark.timeout(500)
def test_every_fault_is_an_explained_alarm_in_time_and_outlives_the_monitor(
    tmp_path: Path, variant: Variant
) -> None:
    scenario = tmp_path / "faults.yaml"
    scenario.write_text(yaml.safe_dump(SCENARIO))
    simulator = {
        "HISTORY": "P6D",
        "CATCHUP_STEP": "PT5M",
        "VESSELS": str(len(VESSELS)),
        "INSTRUMENTS": "core",
        "KEEP": "0",
        "SCENARIO": str(scenario),
    }
    with Site(tmp_path / "site", variant, simulator=simulator) as site:
        begin(site)

        def trip() -> dict[str, Any] | None:
            begun = [one for one in truth(site) if one["state"] == "at work"]
            trips = [alarm_of(one, site) for one in begun if one["fault"] == "A06"]
            return trips[0] if trips else None

        alarm = until("the trip is an alarm", trip, timeout_s=300)
        site.kill("monitor")
        assert acknowledge(site, alarm["alarm"]).status_code == 202
        site.start("monitor")
        until(
            "the acknowledgement given while the monitor was down has its effect",
            lambda: (
                site.get(f"/alarms/{alarm['alarm']}").json()["state"] == "acknowledged"
            ),
        )
        entries = site.get(f"/alarms/{alarm['alarm']}").json()["journal"]
        causes = [entry["cause"] for entry in entries]
        assert causes.count("raised") == 1
        assert causes.count("acknowledged") == 1
        assert acknowledge(site, alarm["alarm"]).json()["repeated"] is True
        cut = next(one for one in truth(site) if one["fault"] == "C01")
        until("the cut is an alarm", lambda: alarm_of(cut, site), timeout_s=120)
        hold_against_the_truth(site)
