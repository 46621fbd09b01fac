"""Several processes in one site: their vessels, values, faults, batches and state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asyncua import ua
from pydantic import ValidationError

from simulators.faults.located import FileInvalid
from simulators.loop import STATE_FILE
from simulators.procedural import Command, CommandRefused, State
from simulators.servers.batch_desk import BatchDesk
from simulators.servers.roles import Account, Accounts, Known, Role, may_operate
from simulators.servers.variables import of_site
from simulators.settings import SimulatorSettings
from simulators.site import Site, VesselUnknown
from simulators.start import StateOfAnotherPlant, start, users_in

NOW = 1_795_000_000_000_000
SECOND = 1_000_000
MIXED = "cho=2,ecoli=1"


def settings(folder: Path, **changes: Any) -> SimulatorSettings:
    plain = {"data": folder, "processes": MIXED, "history": "PT0S"}
    return SimulatorSettings.model_validate(plain | changes)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return start(settings(tmp_path_factory.mktemp("site")), NOW).site


def test_vessels_are_named_on_through_the_processes(tmp_path: Path) -> None:
    assert settings(tmp_path).suites == {"cho": ("BR101", "BR102"), "ecoli": ("BR103",)}
    assert settings(tmp_path, processes="").suites == {
        "cho": ("BR101", "BR102", "BR103")
    }
    further = settings(tmp_path, processes="", vessels=1, first=1601)
    assert further.vessel_names == ("BR1601",)
    twice = settings(tmp_path, processes="ecoli=1,cho=1,ecoli=2")
    assert twice.suites == {"ecoli": ("BR101", "BR102", "BR103"), "cho": ("BR104",)}
    for wrong in ("yeast=1", "cho", "cho=0", "cho=1;ecoli=1"):
        with pytest.raises(ValidationError, match="processes"):
            settings(tmp_path, processes=wrong)


def test_each_vessel_runs_its_own_process_with_its_own_tags(mixed: Site) -> None:
    served = [v.node for v in of_site("site", "area", mixed.suites)]
    assert "BR101.FIC-123.PV" in served
    assert "BR103.FIC-123.PV" not in served
    found: dict[str, Any] = {}
    for instant in mixed.first():
        columns = instant.columns()
        for row, node in enumerate(columns.nodes.tolist()):
            text = columns.texts.get(row)
            found[served[node]] = columns.numbers[row] if text is None else text
    assert found["BR102.BatchId"].startswith("CHO-")
    assert found["BR103.BatchId"].startswith("ECOLI-")
    assert found["BR103.State"] == "Running"
    assert found["BR103.SIC-101.PV"] > 250.0
    assert found["BR101.SIC-101.PV"] < 200.0
    assert set(found) == set(served) - {"Heartbeat"}


def test_suites_of_one_seed_do_not_share_their_noise(tmp_path: Path) -> None:
    site = start(settings(tmp_path), NOW).site
    before = [suite.plant.values[0, 0] for suite in site.suites]
    site.advance(NOW + SECOND)
    after = [suite.plant.values[0, 0] for suite in site.suites]
    assert not np.isclose(after[0] - before[0], after[1] - before[1], atol=1e-9)


def test_faults_and_writes_go_to_the_vessel_that_is_named(tmp_path: Path) -> None:
    site = start(settings(tmp_path), NOW).site
    fault = site.inject("BR103", "A06", None, None)
    site.operate("BR103.TIC-101.SP", 31.0)
    for n in range(1, 30):
        site.advance(NOW + n * SECOND)
    assert site.shown("BR103", "SIC-101.PV") < 5.0
    assert site.shown("BR101", "SIC-101.PV") > 70.0
    assert site.shown("BR103", "TIC-101.SP") == 31.0
    ((injections, _, changed),) = site.news()
    assert injections.vessels == ("BR103",)
    assert changed[0].id == fault.id == "A06-BR103-1"
    assert site.clear("BR103", "A06") == 1
    with pytest.raises(VesselUnknown, match="expected one of BR101, BR102, BR103"):
        site.inject("BR109", "A06", None, None)


def test_a_scenario_is_held_against_each_vessels_own_process(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(
        "about: x\nfaults:\n  - {fault: P05, vessel: BR103}\n"
        "  - {fault: A06, vessel: BR103}\n"
    )
    mine = settings(tmp_path, scenario=str(path), processes="cho=2,hek293=1")
    planned = start(mine, NOW).site.suites[1].plant.injections.all
    assert {one.fault for one in planned} == {"P05", "A06"}
    other = settings(tmp_path, scenario=str(path))
    with pytest.raises(FileInvalid, match=r"one.yaml:3: faults\[0\].fault: P05"):
        start(other, NOW)


def test_a_saved_site_goes_on_bit_for_bit_and_is_not_another_ones(
    tmp_path: Path,
) -> None:
    given = settings(tmp_path)
    site = start(given, NOW).site
    body = {"version": 3, "live": True, "published_before": 0, "plants": site.to_json()}
    (tmp_path / STATE_FILE).write_text(json.dumps(body))
    again = start(given, NOW + 60 * SECOND).site
    for suite in site.suites:
        suite.plant.fast_forward(NOW + 60 * SECOND)
    for one, other in zip(site.suites, again.suites, strict=True):
        assert one.plant.values.tolist() == other.plant.values.tolist()
    with pytest.raises(StateOfAnotherPlant, match="suites of the saved plant"):
        start(settings(tmp_path, processes="cho=3"), NOW + SECOND)


def test_a_desk_holds_restarts_and_aborts_and_refuses_what_does_not_fit(
    tmp_path: Path,
) -> None:
    site = start(settings(tmp_path), NOW).site
    desk = BatchDesk(site)
    assert desk.done(Command.HOLD, "BR103")[0].Value == "Held"
    assert desk.done(Command.HOLD, "BR103").value == ua.StatusCodes.BadInvalidState
    assert desk.done(Command.HOLD, "X").value == ua.StatusCodes.BadInvalidArgument
    assert site.suites[1].plant.context(0)[4] == State.HELD
    assert site.suites[0].plant.context(0)[4] == State.RUNNING
    assert desk.done(Command.RESTART, "BR103")[0].Value == "Running"
    name = site.suites[1].plant.context(0)[0]
    assert desk.done(Command.ABORT, "BR103")[0].Value == "Aborting"
    site.advance(NOW + SECOND)
    assert site.suites[1].plant.context(0)[:2] == (name, "Harvest")
    with pytest.raises(CommandRefused, match="Abort while Aborting"):
        site.command("BR103", Command.ABORT)


def test_users_have_roles_and_what_is_wrong_with_them_is_told(tmp_path: Path) -> None:
    path = tmp_path / "users.yaml"
    path.write_text("users:\n  - {name: eye, password: see, role: reader}\n")
    (eye,) = users_in(path)
    assert "see" not in repr(eye)
    people = Accounts([eye, Account("hand", "do", Role.OPERATOR)])
    reader, hand = (
        people.get_user(None, *who) for who in (("eye", "see"), ("hand", "do"))
    )
    assert isinstance(reader, Known)
    assert (may_operate(reader), may_operate(hand), may_operate(None)) == (
        False,
        True,
        True,
    )
    assert people.get_user(None, "eye", "do") is None
    path.write_text("users:\n  - {name: eye, password: see, role: boss}\n")
    with pytest.raises(FileInvalid, match=r"users.yaml:2: users\[0\].role"):
        users_in(path)
    with pytest.raises(FileInvalid, match="no such file"):
        users_in(tmp_path / "nobody.yaml")
