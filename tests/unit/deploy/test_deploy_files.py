"""Compose file, image recipe and example environments agree with the programs."""

from __future__ import annotations

import json
import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from deploy.settings import CommandSettings
from services.api.notify.settings import NotifierSettings
from services.api.settings import ApiSettings
from services.ingest.archive.settings import ArchiverSettings
from services.ingest.collect.settings import CollectorSettings
from services.monitor.settings import MonitorSettings
from shared.settings import ServiceSettings
from simulators.settings import SimulatorSettings
from tests.conftest import absent
from tests.neighbours.missing import NeighbourMissing

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SETTINGS: dict[str, type[ServiceSettings]] = {
    "collector": CollectorSettings,
    "archiver": ArchiverSettings,
    "monitor": MonitorSettings,
    "notifier": NotifierSettings,
    "api": ApiSettings,
    "simulator": SimulatorSettings,
    "command": CommandSettings,
}
OURS = {n: s for n, s in COMPOSE["services"].items() if "env_file" in s}


def variables(example: Path, start: str = "^") -> dict[str, str]:
    """Return what an example sets in lines that begin with the pattern `start`."""
    found = re.findall(start + r"(FEDBATCH_\w+)=(.*)$", example.read_text(), re.M)
    return {name: value or "a-value-of-sixteen" for name, value in found}


def test_every_service_has_an_example_and_every_example_a_service() -> None:
    found = {p.name.partition(".")[0] for p in (DEPLOY / "env").glob("*.env.example")}
    assert found == set(SETTINGS)
    assert {s["env_file"][0] for s in OURS.values()} == {
        f"env/{name}.env" for name in SETTINGS
    }


@pytest.mark.parametrize("start", ["^", "^(?:# )?"], ids=["as-it-is", "everything-on"])
@pytest.mark.parametrize("service", SETTINGS)
def test_an_example_is_read_by_the_real_settings(
    service: str, start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [n for n in os.environ if n.startswith("FEDBATCH_")]:
        monkeypatch.delenv(name)
    example = DEPLOY / "env" / f"{service}.env.example"
    for name, value in variables(example, start).items():
        monkeypatch.setenv(name, value)
    assert SETTINGS[service].load().service == service


def test_ports_and_secrets_are_those_of_the_settings() -> None:
    api = variables(DEPLOY / "env" / "api.env.example")
    port = api["FEDBATCH_API_PORT"]
    assert COMPOSE["services"]["api"]["ports"] == [f"{port}:{port}"]
    assert f":{port}/" in COMPOSE["services"]["api"]["healthcheck"]["test"][-1]
    for part in ("CERTIFICATE", "KEY"):
        secret = Path(api[f"FEDBATCH_API_TLS__{part}"]).name
        assert secret in COMPOSE["services"]["api"]["secrets"]
        assert secret in COMPOSE["secrets"]


@pytest.mark.parametrize("name", OURS)
def test_hosts_in_an_example_are_services(name: str) -> None:
    example = DEPLOY / (OURS[name]["env_file"][0] + ".example")
    for value in variables(example).values():
        for host in re.findall(r"(?:kafka://|@)([\w-]+):\d+", value):
            assert host in COMPOSE["services"]


@pytest.mark.parametrize("name", OURS)
def test_a_service_runs_a_module_or_command_that_exists(name: str) -> None:
    service = OURS[name]
    command = [*service.get("entrypoint", []), *service["command"]]
    if command[0] == "python":
        assert find_spec(f"{command[2]}.__main__") is not None
    else:
        assert command[0] == "fedbatch"


@pytest.mark.parametrize("name", OURS)
def test_our_services_run_without_privileges(name: str) -> None:
    service = OURS[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service


def test_images_are_built_for_extras_that_exist() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    for service in OURS.values():
        assert f"\n{service['build']['args']['SERVICE']} = [" in project


def test_the_compose_file_follows_the_published_specification() -> None:
    package = find_spec("check_jsonschema")
    place = None if package is None else package.origin
    if place is None:
        absent(NeighbourMissing("compose specification: pip install check-jsonschema"))
    vendor = Path(str(place)).parent / "builtin_schemas" / "vendor"
    schema = json.loads((vendor / "compose-spec.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(COMPOSE)
    broken = {**COMPOSE, "services": {"api": {"imge": "x"}}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate(broken)


def test_the_image_is_built_from_the_lock_and_does_not_run_as_root() -> None:
    recipe = (DEPLOY / "Dockerfile").read_text()
    assert "--require-hashes --constraint lock/runtime.txt" in recipe
    assert not re.search(r"https?://|index-url", recipe)
    final = recipe[recipe.rindex("\nFROM") :]
    assert re.search(r"^USER 10001:10001$", final, re.M)
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", recipe, re.M)
    kept = (ROOT / ".dockerignore").read_text().splitlines()
    for source in " ".join(copied).split():
        assert (ROOT / source).exists()
        assert f"!{source}" in kept
