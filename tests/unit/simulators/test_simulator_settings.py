"""Settings of the simulated plant."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from shared.settings import SettingsInvalid
from simulators.settings import PlaybackSettings, SimulatorSettings
from simulators.start import endpoint, pace


def checked(folder: Path, **given: Any) -> SimulatorSettings:
    return SimulatorSettings.model_validate({"data": folder} | given)


def test_defaults_are_those_of_the_demo(tmp_path: Path) -> None:
    settings = checked(tmp_path)
    assert settings.vessel_names == ("BR101", "BR102", "BR103")
    assert settings.history == timedelta(days=3)
    assert pace(settings).catchup_step == 60_000_000
    assert pace(settings).period == 1_000_000
    assert pace(settings).wait is None


def test_the_environment_is_read_and_misspelt_names_are_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FEDBATCH_SIMULATOR_DATA", str(tmp_path))
    monkeypatch.setenv("FEDBATCH_SIMULATOR_CATCHUP_STEP", "PT30S")
    monkeypatch.setenv("FEDBATCH_SIMULATOR_PASSWORD", "hidden")
    monkeypatch.setenv("FEDBATCH_SIMULATOR_USER", "collector")
    settings = SimulatorSettings.load()
    assert settings.catchup_step == timedelta(seconds=30)
    assert endpoint(settings).accounts[0].password == "hidden"
    assert "hidden" not in repr(settings) + repr(endpoint(settings))
    monkeypatch.setenv("FEDBATCH_SIMULATOR_VESSEL", "3")
    with pytest.raises(SettingsInvalid, match="FEDBATCH_SIMULATOR_VESSELS"):
        SimulatorSettings.load()


@pytest.mark.parametrize(
    "guard",
    [{}, {"encrypted": True}, {"user": "u", "password": "p"}],
)
def test_an_unguarded_server_listens_on_this_machine_only(
    tmp_path: Path, guard: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError, match=r"host 0\.0\.0\.0 is reachable"):
        checked(tmp_path, host="0.0.0.0", **guard)


def test_a_guarded_or_opened_server_may_listen_anywhere(tmp_path: Path) -> None:
    checked(tmp_path, host="0.0.0.0", encrypted=True, user="u", password="p")
    checked(tmp_path, host="0.0.0.0", open=True)
    checked(tmp_path, host="::1")


def test_a_user_needs_a_password(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="expected both or none"):
        checked(tmp_path, user="u")


def test_playback_has_the_same_variables_and_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FEDBATCH_SIMULATOR_DATA", str(tmp_path))
    monkeypatch.setenv("FEDBATCH_SIMULATOR_FILE", str(tmp_path / "run.csv"))
    monkeypatch.setenv("FEDBATCH_SIMULATOR_COLUMNS", "pH=R1.pH;R - CER=R1.CER")
    monkeypatch.setenv("FEDBATCH_SIMULATOR_TIME_UNIT", "min")
    settings = PlaybackSettings.load()
    assert settings.layout.tags == {"R1.pH": "pH", "R1.CER": "R - CER"}
    assert settings.layout.time.unit == "min"


def test_shards_share_the_vessels_of_a_site_each_once(tmp_path: Path) -> None:
    site = {"processes": "cho=3,ecoli=2", "shards": 3}
    parts = [checked(tmp_path, **site, shard=n).suites for n in (1, 2, 3)]
    assert parts == [
        {"cho": ("BR101",)},
        {"cho": ("BR102", "BR103")},
        {"ecoli": ("BR104", "BR105")},
    ]
    with pytest.raises(ValidationError, match="shard 4: expected 1 to shards=3"):
        checked(tmp_path, **site, shard=4)
    with pytest.raises(ValidationError, match="shards 6: expected at most 5 vessels"):
        checked(tmp_path, processes="cho=3,ecoli=2", shards=6)
