"""The command's own variables, and what its children take over."""

from __future__ import annotations

import pytest

from deploy.embedded.services import Neighbours, notifier
from deploy.settings import CommandSettings, inherited_environment
from shared.settings import SettingsInvalid, known_variables


def test_sections_that_may_be_absent_have_their_variables() -> None:
    known = known_variables(CommandSettings)
    assert "FEDBATCH_COMMAND_BUS__URL" in known
    assert "FEDBATCH_COMMAND_DATABASE__DSN" in known
    assert "FEDBATCH_COMMAND_PASSWORD" in known


def test_without_variables_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in known_variables(CommandSettings):
        monkeypatch.delenv(name, raising=False)
    settings = CommandSettings.load()
    assert settings.bus is None
    assert settings.database is None


def test_a_misspelt_variable_names_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDBATCH_COMMAND_DATABASE__DNS", "postgresql://x")
    with pytest.raises(SettingsInvalid, match="FEDBATCH_COMMAND_DATABASE__DSN"):
        CommandSettings.load()


def test_children_take_over_their_own_settings_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FEDBATCH_API_TOKEN", "secret")
    monkeypatch.setenv("FEDBATCH_COLLECTOR_LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("LANG", "C.UTF-8")
    inherited = inherited_environment("collector")
    assert inherited["FEDBATCH_COLLECTOR_LOG_LEVEL"] == "DEBUG"
    assert inherited["LANG"] == "C.UTF-8"
    assert "FEDBATCH_API_TOKEN" not in inherited


def test_alarms_are_pushed_only_where_somebody_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plant = Neighbours("local:/log", "postgresql://u@h/d")
    assert notifier(plant, port=8080) is None
    monkeypatch.setenv("FEDBATCH_NOTIFIER_MAILS__SHIFT__HOST", "mail.site.org")
    service = notifier(plant, port=8081)
    assert service is not None
    assert service.module == "services.api.notify"
    given = service.environment
    assert given["FEDBATCH_NOTIFIER_DATABASE__DSN"] == "postgresql://u@h/d"
    assert given["FEDBATCH_NOTIFIER_PUBLIC_URL"] == "http://127.0.0.1:8081"
    monkeypatch.setenv("FEDBATCH_NOTIFIER_PUBLIC_URL", "https://fedbatch.site.org")
    service = notifier(plant, port=8081)
    assert service is not None
    url = service.environment["FEDBATCH_NOTIFIER_PUBLIC_URL"]
    assert url == "https://fedbatch.site.org"
