"""From found variables to plant.yaml."""

from __future__ import annotations

from services.ingest.opcua.found import Found, plant_of
from services.ingest.opcua.units import UCUM, UNECE, ucum
from shared.plant import Heartbeat, Plant, Report, Server, parse_plant, render_plant


def server(name: str = "srv", url: str = "opc.tcp://h:1") -> Server:
    return Server(name=name, url=url, heartbeat=Heartbeat(id=1))


def found(path: str, **facts: object) -> Found:
    parts = tuple(path.split("/"))
    base: dict[str, object] = {"type": "number"}
    return Found(node=f"nsu=urn:x;s={'.'.join(parts)}", path=parts, **{**base, **facts})  # type: ignore[arg-type]


def made(*variables: Found, known: Plant | None = None, partitions: int = 4) -> Plant:
    return plant_of(variables, server(), known=known, site=None, partitions=partitions)


FLAT = (
    found("site/Heartbeat"),
    found("site/area/BR1/TIC-101/PV", unit="Cel", range=(0.0, 60.0)),
    found("site/area/BR1/TIC-101/SP"),
    found("site/area/BR1/TIC-101/MODE", integer=True),
    found("site/area/BR1/BatchId", type="string"),
    found("site/area/BR2/TIC-101/PV"),
)


def test_the_flat_profile_gives_vessels_with_loops() -> None:
    plant = made(*FLAT)
    assert plant.site == "site"
    assert [(v.name, v.area) for v in plant.vessels] == [
        ("BR1", "area"),
        ("BR2", "area"),
    ]
    names = [tag.name for tag in plant.vessels[0].tags]
    assert names == ["TIC-101.PV", "TIC-101.SP", "TIC-101.MODE", "BatchId"]
    assert plant.vessels[0].context.batch == "BatchId"
    assert plant.servers[0].heartbeat.node.endswith("s=site.Heartbeat")


def test_a_state_beside_a_batch_is_the_batch_s() -> None:
    plant = made(
        *FLAT,
        found("site/area/BR1/State", type="string"),
        found("site/area/BR2/State", type="string"),
        found("site/area/BR2/Pump/State", type="string"),
    )
    assert [vessel.context.state for vessel in plant.vessels] == ["State", None]


def test_variables_directly_under_a_vessel_are_the_vessel_s() -> None:
    plant = made(
        found("site/area/BR1/TIC-101/PV"),
        found("site/area/BR1/Weight"),
        found("site/area/BR1/Gas/Flow"),
        found("site/area/BR2/Weight"),
        found("site/area/BR2/Temperature"),
        found("site/area/BR3/pH/Value"),
        found("site/area/BR3/pH/Setpoint"),
    )
    assert {v.name: [t.name for t in v.tags] for v in plant.vessels} == {
        "BR1": ["TIC-101.PV", "Weight", "Gas.Flow"],
        "BR2": ["Weight", "Temperature"],
        "BR3": ["pH.Value", "pH.Setpoint"],
    }
    assert {v.area for v in plant.vessels} == {"area"}


def test_measured_values_report_each_sample_and_set_ones_changes() -> None:
    tags = {tag.name: tag for tag in made(*FLAT).vessels[0].tags}
    assert (tags["TIC-101.PV"].reports, tags["TIC-101.PV"].is_stepped) == (
        Report.EACH,
        False,
    )
    for name in ("TIC-101.SP", "TIC-101.MODE", "BatchId"):
        assert (tags[name].reports, tags[name].is_stepped) == (Report.CHANGE, True)


def test_ids_are_unique_and_survive_the_text() -> None:
    plant = made(*FLAT)
    assert sorted(plant.tag_names()) == list(range(1, 7))
    assert parse_plant(render_plant(plant)) == plant


def test_a_known_plant_keeps_its_ids_and_edits() -> None:
    first = made(*FLAT)
    vessel = first.vessels[0]
    edited = vessel.tags[0].model_copy(update={"unit": "K"})
    known = first.model_copy(
        update={
            "vessels": (
                vessel.model_copy(update={"tags": (edited, *vessel.tags[1:])}),
                *first.vessels[1:],
            )
        }
    )
    again = made(*FLAT[:2], found("site/area/BR2/AIC-1/PV"), known=known)
    assert again.vessels[0] == known.vessels[0]
    assert [t.id for t in again.vessels[1].tags] == [6, 7]


def test_new_vessels_go_to_the_partition_with_the_fewest_tags() -> None:
    plant = made(
        found("s/a/V1/A/PV"),
        found("s/a/V1/B/PV"),
        found("s/a/V2/A/PV"),
        found("s/a/V3/A/PV"),
        partitions=2,
    )
    assert [v.partition for v in plant.vessels] == [0, 1, 1]


def test_variables_without_folders_make_one_vessel_named_after_the_server() -> None:
    (vessel,) = made(found("Speed"), found("Flow")).vessels
    assert vessel.name == "srv"
    assert [tag.name for tag in vessel.tags] == ["Speed", "Flow"]


def test_equal_names_are_told_apart() -> None:
    one, other = found("V/Flow rate"), found("V/Flow/rate")
    names = [t.name for v in made(one, other).vessels for t in v.tags]
    assert len(names) == len(set(names)) == 2


def test_names_that_plant_yaml_refuses_are_rewritten() -> None:
    (vessel,) = made(found("Bio réacteur/°C/PV")).vessels
    assert vessel.name == "Bio r_acteur"
    assert vessel.tags[0].name == "C.PV"


def test_every_unit_code_gives_its_ucum() -> None:
    for code, text in UCUM.items():
        number = int.from_bytes(code.encode(), "big")
        assert ucum(UNECE, number, "shown") == text
    assert ucum(UNECE, int.from_bytes(b"ZZ9", "big"), "shown") == "shown"
    assert ucum("urn:own", 4408652, "shown") == "shown"
    assert ucum(None, -1, "pF/cm") == "pF/cm"
