"""The command line: help at once, one clear block for a named situation."""

from __future__ import annotations

import resource
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from deploy.command.__main__ import situation
from deploy.command.options import OptionInvalid, OptionMissing, bus_settings, duration
from deploy.command.options import database_settings as database
from shared.domain import Unavailable
from shared.plant import PlantInvalid

_PAGE = Path(__file__).parents[3] / "docs" / "plant-yaml.md"
_COMMANDS = (
    *("check", "apply", "discover", "doctor", "migrate", "demo", "run"),
    *("ledger verify", "dead-letter list", "dead-letter show", "dead-letter replay"),
    *("simulate fault list", "simulate fault inject", "simulate fault clear"),
    *("simulate fault active", "simulate write", "simulate campaign"),
    *("simulate serve", "simulate batch hold", "simulate batch abort"),
)


def fedbatch(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.command", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def _modules_after_import(module: str) -> set[str]:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_importing_the_command_loads_no_driver_and_no_model_library() -> None:
    loaded = _modules_after_import("deploy.command.__main__")
    assert "typer" in loaded
    assert not loaded & {"asyncua", "aiokafka", "asyncpg", "pydantic", "numpy", "httpx"}


def test_help_answers_quickly() -> None:
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert fedbatch("--help").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
        times.append(spent)
    assert min(times) < 2.0


@pytest.mark.parametrize("command", _COMMANDS)
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    text = fedbatch(*command.split(), "--help").stdout
    assert "Example" in text
    assert f"fedbatch {command}" in " ".join(text.split())


def test_a_valid_plant_is_described(tmp_path: Path) -> None:
    example = _PAGE.read_text().split("```yaml\n")[1].split("```")[0]
    (tmp_path / "plant.yaml").write_text(example)
    done = fedbatch("check", str(tmp_path / "plant.yaml"))
    assert done.returncode == 0
    assert "1 server(s), 1 vessel(s), 4 tag(s)" in done.stdout


def test_faults_come_with_file_and_line_and_without_a_traceback(tmp_path: Path) -> None:
    plant = tmp_path / "plant.yaml"
    plant.write_text("site: s\nservers:\n- name: a\n  url: http://wrong\n")
    done = fedbatch("check", str(plant))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("fedbatch: plant invalid\n")
    assert f"{plant}:4: servers[0].url" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = fedbatch("check", str(tmp_path / "nowhere.yaml"))
    assert done.returncode == 2
    assert "nowhere.yaml: expected plant.yaml in UTF-8" in done.stderr


def test_an_unknown_option_is_refused() -> None:
    done = fedbatch("demo", "--vesels", "3")
    assert done.returncode == 2
    assert "--vesels" in done.stderr


def test_lengths_of_time_have_units() -> None:
    assert duration("3d", "--history") == timedelta(days=3)
    assert duration("1h30m", "--history") == timedelta(minutes=90)


@pytest.mark.parametrize("text", ["", "3", "3 d", "-1d", "0d", "3w", "d"])
def test_other_lengths_are_refused_by_the_name_of_the_option(text: str) -> None:
    with pytest.raises(OptionInvalid, match="--history"):
        duration(text, "--history")


def test_an_option_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDBATCH_COMMAND_BUS__URL", "kafka://one:9092")
    monkeypatch.setenv("FEDBATCH_COMMAND_BUS__TLS", "true")
    assert bus_settings(None).url == "kafka://one:9092"
    assert bus_settings("kafka://two:9092").url == "kafka://two:9092"
    assert bus_settings("kafka://two:9092").tls


def test_what_is_missing_is_named_with_both_ways_to_give_it() -> None:
    with pytest.raises(OptionMissing, match="FEDBATCH_COMMAND_BUS__URL"):
        bus_settings(None)
    with pytest.raises(OptionMissing, match="--database"):
        database(None)


def test_a_wrong_bus_is_refused_with_the_expected_form() -> None:
    with pytest.raises(OptionInvalid, match="--bus"):
        bus_settings("amqp://host")


def test_a_situation_is_named_in_words() -> None:
    assert situation(PlantInvalid(["x"])) == "plant invalid"
    assert situation(Unavailable("x")) == "unavailable"
