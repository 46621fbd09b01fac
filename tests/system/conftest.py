"""Both variants of log and database, each with a fresh name per test."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.system.site import Variant

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.embedded.postgres import EmbeddedPostgres
    from tests.neighbours.kafka import KafkaBroker
    from tests.neighbours.timescale import TimescaleServer

MakeVariant = Callable[[str], Variant]


@pytest.fixture
def embedded(tmp_path: Path, plain_server: EmbeddedPostgres, fresh: str) -> Variant:
    """Return the embedded default: local log, plain PostgreSQL."""
    return Variant("embedded", f"local:{tmp_path}/log", plain_server.dsn, fresh, "")


@pytest.fixture
def plant(
    kafka_broker: KafkaBroker, timescale_server: TimescaleServer, fresh: str
) -> Variant:
    """Return Apache Kafka and TimescaleDB."""
    return Variant(
        "plant",
        f"kafka://{kafka_broker.bootstrap}",
        timescale_server.dsn,
        fresh,
        f"{fresh}.",
    )


@pytest.fixture(
    params=[
        "embedded",
        pytest.param("plant", marks=[pytest.mark.kafka, pytest.mark.timescale]),
    ]
)
def variant(request: pytest.FixtureRequest) -> Variant:
    """Return each variant in turn."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Variant)
    return found
