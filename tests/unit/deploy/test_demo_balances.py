"""The balances and causes that come with the simulated CHO vessels."""

from __future__ import annotations

import pytest

from deploy.embedded.simulated import watched
from shared.plant import (
    Heartbeat,
    Plant,
    Server,
    Tag,
    Vessel,
    parse_plant,
    render_plant,
)
from simulators.faults import catalogue
from simulators.tags import CORE, TAGS, Kind
from simulators.tags import Tag as Simulated

TYPES = {Kind.DOUBLE: "number", Kind.INT32: "number", Kind.BOOLEAN: "boolean"}


def demo(tags: tuple[Simulated, ...]) -> Plant:
    """Return plant.yaml of one simulated vessel with these tags."""
    made = tuple(
        Tag.model_validate(
            {
                "id": number,
                "name": tag.name,
                "node": f"ns=2;s={tag.name}",
                "type": TYPES[tag.kind],
                "report": "each" if tag.each else "change",
            }
        )
        for number, tag in enumerate(TAGS, 1)
        if tag in tags
    )
    server = Server(name="sim", url="opc.tcp://h:1/", heartbeat=Heartbeat(id=999))
    vessel = Vessel(name="BR101", server="sim", partition=0, tags=made)
    return watched(Plant(site="s", servers=(server,), vessels=(vessel,)), None)


def test_a_vessel_with_all_tags_has_balances_in_place_of_what_they_better() -> None:
    (vessel,) = demo(TAGS).vessels
    names = {residual.name for residual in vessel.residuals}
    assert {"charge balance", "oxygen balance", "heat balance", "vent"} <= names
    assert not {"oxygen transfer", "pH demand", "weight balance"} & names
    assert len(vessel.causes) >= 40


def test_a_vessel_with_the_core_tags_only_has_none_of_it() -> None:
    (vessel,) = demo(CORE).vessels
    names = {residual.name for residual in vessel.residuals}
    assert {"oxygen transfer", "weight balance"} <= names
    assert not vessel.causes


def test_formulas_hold_their_soft_sensors_and_survive_plant_yaml() -> None:
    plant = demo(TAGS)
    found = {r.name: r.formula or "" for r in plant.vessels[0].residuals}
    assert found["oxygen balance"].startswith("volume = [WIT-101.PV] / 1.01; ")
    assert found["vent"].count("our =") == 0
    assert parse_plant(render_plant(plant)) == plant


@pytest.mark.parametrize("kind", ["sensor", "actuator"])
def test_each_fault_of_an_instrument_or_machine_has_a_cause_with_its_tag(
    kind: str,
) -> None:
    blamed = {(c.kind.value, c.tag) for c in demo(TAGS).vessels[0].causes}
    faults = catalogue.load().faults.values()
    wanted = {(kind, fault.target) for fault in faults if str(fault.kind) == kind}
    assert wanted <= blamed
