"""(c): what a server that is not ours sends comes out of the HTTP API bit for bit.

node-opcua sends Double, Float, Int32, Int64, Boolean, String and an enumeration, Good,
Uncertain and Bad; discover, apply, collector, archiver and API are as a user runs them.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.neighbours.node_opcua import NodeOpcua
from tests.system.balance import Row, row
from tests.system.site import Site, free_port, to_iso, to_us, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.neighbours.node_opcua import Sent
    from tests.system.site import Variant

pytestmark = pytest.mark.node

ROUNDS = 24
BAD = 2
"""The two highest bits of a Bad status."""
EXACT = 2**53
"""Whole numbers beyond it are not a double's: they are kept as text."""


@pytest.fixture
def node(node_modules: None, tmp_path: Path) -> Iterator[NodeOpcua]:
    """Return node-opcua as a process."""
    with NodeOpcua(free_port(), tmp_path / "node") as server:
        yield server


def expected(sent: Sent) -> Row:
    """Return the reading that DESIGN says for what was sent."""
    if sent.status >> 30 == BAD:
        return row(sent.time, None, sent.status)
    if sent.name == "String":
        return row(sent.time, None, sent.status, sent.value)
    if sent.name == "Int64" and abs(int(sent.value)) > EXACT:
        return row(sent.time, None, sent.status, sent.value)
    return row(sent.time, float(sent.value), sent.status)


def ask_for_every_change(site: Site) -> None:
    """Edit plant.yaml as a user would: node-opcua samples slowly unless asked."""
    plant = yaml.safe_load(site.plant_yaml.read_text())
    plant["servers"][0] |= {"sampling_interval_ms": 0, "publishing_interval_ms": 200}
    site.plant_yaml.write_text(yaml.safe_dump(plant, sort_keys=False))


def subscribed(site: Site) -> bool:
    """Whether every tag is subscribed without an error."""
    answer = site.get("/tags", vessel="NV1")
    if not answer.is_success:
        return False
    tags = answer.json()["tags"]
    return bool(tags) and all(t["actual"] and not t["error"] for t in tags)


def in_csv(site: Site, tag: str, start: int, end: int) -> list[Row]:
    """Return the stored readings of one tag from an answer in CSV."""
    answer = site.get(
        "/recorded",
        tag=tag,
        start=to_iso(start),
        end=to_iso(end),
        format="csv",
        comments="false",
    )
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["fedbatch-truncated"] == "false"
    return [
        row(
            to_us(line["time"]),
            float(line["value"]) if line["value"] else None,
            int(line["status"]),
            line.get("text") or None,
        )
        for line in csv.DictReader(io.StringIO(answer.text))
    ]


def compare(site: Site, sent: Sequence[Sent]) -> None:
    """Hold every answer against what was sent."""
    first, last = sent[0].time, sent[-1].time
    names = {one.name for one in sent}

    def stored() -> dict[str, list[Row]]:
        return {name: site.recorded(f"NV1/{name}", first, last) for name in names}

    until(
        "everything is stored",
        lambda: all(len(rows) >= ROUNDS for rows in stored().values()),
    )
    for name, rows in stored().items():
        due = [expected(one) for one in sent if one.name == name]
        assert rows == due, name
        assert in_csv(site, f"NV1/{name}", first, last) == due, name
    print(f"generated {len(sent)} stored {sum(map(len, stored().values()))}")
    assert site.gaps(first, last) == []


@pytest.mark.timeout(120)
def test_what_another_server_sends_is_answered_bit_for_bit(
    tmp_path: Path, variant: Variant, node: NodeOpcua
) -> None:
    with Site(tmp_path / "site", variant, source="") as site:
        site.command("migrate")
        site.plant_yaml.write_text(site.command("discover", node.url).stdout)
        ask_for_every_change(site)
        site.apply()
        site.start("archiver", "api", "collector")
        until("every tag is subscribed", lambda: subscribed(site))
        sent = node.send(ROUNDS)
        assert {one.status >> 30 for one in sent} == {0, 1, BAD}
        assert len({one.name for one in sent}) == 7
        compare(site, sent)
        (kind,) = [t for t in site.tags().values() if t["name"] == "Enumeration"]
        assert kind["type"] == "enumeration"
