"""A simulated site over several processes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from deploy.command.options import OptionInvalid
from deploy.command.serving import Wanted
from deploy.embedded.sharded import MOST_VESSELS, Shard, shards_for
from deploy.embedded.simulated import watched
from shared.plant import parse_plant


def wanted(processes: str) -> Wanted:
    hour = timedelta(hours=1)
    return Wanted(processes, None, 4840, Path("data"), hour, core=True, seconds=None)


def test_a_site_takes_as_many_processes_as_it_needs() -> None:
    assert shards_for(MOST_VESSELS) == 1
    assert shards_for(MOST_VESSELS + 1) == 2
    vessels = wanted("cho=3000,ecoli=20").vessels()
    assert {process: len(names) for process, names in vessels.items()} == {
        "cho": 3000,
        "ecoli": 20,
    }


def test_a_site_that_is_misspelt_is_refused_with_what_is_expected() -> None:
    with pytest.raises(OptionInvalid, match=r"'yeast=3': expected .* cho=3,ecoli=2"):
        wanted("yeast=3").vessels()


def test_a_shard_has_its_own_port_and_folder_and_the_site_s_settings() -> None:
    shard = Shard(2, 3, 4841, Path("data"))
    service = shard.service(wanted("cho=6").settings)
    given = {
        name.removeprefix("FEDBATCH_SIMULATOR_"): value
        for name, value in service.environment.items()
        if name.startswith("FEDBATCH_SIMULATOR_")
    }
    assert (given["SHARD"], given["SHARDS"], given["PORT"]) == ("2", "3", "4841")
    assert given["DATA"] == "data/simulated-2"
    assert (given["PROCESSES"], given["INSTRUMENTS"]) == ("cho=6", "core")
    assert (shard.name, shard.url) == ("simulated-2", "opc.tcp://127.0.0.1:4841")


def test_vessels_that_cultivate_something_else_get_no_alarms_of_cho() -> None:
    tags = "".join(
        f'[{{id: {n}, name: TIC-101.PV, node: "s=a{n}"}}, '
        f'{{id: {n + 1}, name: TIC-101.SP, node: "s=b{n}"}}]|'
        for n in (2, 4)
    ).split("|")
    plant = parse_plant(
        "site: s\nservers: [{name: a, url: 'opc.tcp://h:1', heartbeat: {id: 1}}]\n"
        "vessels:\n"
        f"- {{name: BR101, server: a, partition: 0, tags: {tags[0]}}}\n"
        f"- {{name: BR102, server: a, partition: 0, tags: {tags[1]}}}\n"
    )
    cho, other = watched(plant, None, ("BR101",)).vessels
    assert cho.tags[0].checks is not None
    assert other == plant.vessels[1]
