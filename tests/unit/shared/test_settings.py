from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

import pytest
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from shared.settings import (
    BusSettings,
    DatabaseSettings,
    ServiceSettings,
    SettingsInvalid,
    Timeouts,
    known_variables,
)


class ApiLike(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="FEDBATCH_API_")
    service: ClassVar[str] = "api"

    bus: BusSettings
    timeouts: Timeouts = Timeouts()
    passwords: dict[str, SecretStr] = Field(default_factory=dict)


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDBATCH_API_BUS__URL", "local:/tmp/log")


def test_a_schema_name_that_postgresql_reserves_is_refused() -> None:
    with pytest.raises(ValueError, match="does not begin with pg_"):
        DatabaseSettings(dsn=SecretStr("postgresql://h/d"), namespace="pg_plant")


def test_sections_are_read_from_nested_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FEDBATCH_API_TIMEOUTS__RETRY", "PT0.5S")
    monkeypatch.setenv("FEDBATCH_API_PASSWORDS__PLANT", "secret")
    settings = ApiLike.load()
    assert settings.bus.url == "local:/tmp/log"
    assert settings.timeouts.retry == timedelta(seconds=0.5)
    assert "secret" not in repr(settings)


def test_a_misspelt_variable_names_the_nearest_right_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FEDBATCH_API_BUS__PREFX", "x")
    with pytest.raises(SettingsInvalid) as caught:
        ApiLike.load()
    assert "FEDBATCH_API_BUS__PREFX" in str(caught.value)
    assert "nearest is FEDBATCH_API_BUS__PREFIX" in str(caught.value)


def test_a_misspelt_service_is_an_error_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDBATCH_APPI_BUS__URL", "x")
    with pytest.raises(SettingsInvalid, match="FEDBATCH_API_BUS__URL"):
        ApiLike.load()


def test_variables_of_another_service_are_none_of_our_business(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FEDBATCH_COLLECTOR_ANYTHING", "x")
    assert ApiLike.load().bus.url == "local:/tmp/log"


def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FEDBATCH_API_BUS__URL")
    with pytest.raises(SettingsInvalid, match="FEDBATCH_API_BUS: Field required"):
        ApiLike.load()


def test_a_wrong_value_is_named_with_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FEDBATCH_API_BUS__URL", "redis://x")
    with pytest.raises(SettingsInvalid, match="FEDBATCH_API_BUS__URL"):
        ApiLike.load()


def test_known_variables_are_all_there() -> None:
    known = known_variables(ApiLike)
    assert "FEDBATCH_API_BUS__URL" in known
    assert "FEDBATCH_API_PASSWORDS__*" in known
    assert "FEDBATCH_API_LOG_LEVEL" in known
