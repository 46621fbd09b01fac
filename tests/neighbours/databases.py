"""Fixtures for tests that run on both databases: plain PostgreSQL and TimescaleDB."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from pydantic import SecretStr

from deploy.embedded.postgres import EmbeddedPostgres
from shared.settings import DatabaseSettings

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def plain_dsn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the DSN of an embedded PostgreSQL without any extension."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("plain"))
    server.start()
    try:
        yield server.dsn
    finally:
        server.stop()
        server.discard()


@pytest.fixture(
    params=["plain", pytest.param("timescale", marks=pytest.mark.timescale)]
)
def database(request: pytest.FixtureRequest, fresh: str) -> DatabaseSettings:
    """Return settings of a schema that does not exist yet, on each database."""
    dsn = cast("str", request.getfixturevalue(f"{request.param}_dsn"))
    return DatabaseSettings(dsn=SecretStr(dsn), namespace=fresh)
