"""Neighbours for the whole run: one broker, one database; fresh names per test."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from pydantic import SecretStr

from deploy.embedded.postgres import EmbeddedPostgres
from shared.settings import DatabaseSettings
from tests.neighbours.instrument import free_port
from tests.neighbours.missing import NeighbourMissing
from tests.neighbours.node_opcua import NodeOpcua, install
from tests.times import Times

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.neighbours.kafka import KafkaBroker
    from tests.neighbours.timescale import TimescaleServer


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the file that takes the seconds spent by each kind of test."""
    parser.addoption("--times", type=Path, default=None, help="write seconds by kind")


def pytest_configure(config: pytest.Config) -> None:
    """Count times, and keep the tests that share neighbours in one worker."""
    config.pluginmanager.register(Times(report=config.getoption("--times")))


def absent(neighbour: NeighbourMissing) -> NoReturn:
    """Skip on a user's machine; fail where CI=true."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"neighbour missing: {neighbour}", pytrace=False)
    pytest.skip(f"neighbour missing: {neighbour}")


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """Return the one Apache Kafka broker of this run."""
    from tests.neighbours.kafka import KafkaBroker

    try:
        with KafkaBroker(tmp_path_factory.mktemp("kafka")) as broker:
            yield broker
    except NeighbourMissing as missing:
        absent(missing)


@pytest.fixture(scope="session")
def kafka_bootstrap(kafka_broker: KafkaBroker) -> str:
    """Return host:port of the broker."""
    return kafka_broker.bootstrap


@pytest.fixture(scope="session")
def timescale_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[TimescaleServer]:
    """Return the one TimescaleDB server of this run."""
    from tests.neighbours.timescale import TimescaleServer

    try:
        with TimescaleServer(tmp_path_factory.mktemp("timescale")) as server:
            yield server
    except NeighbourMissing as missing:
        absent(missing)


@pytest.fixture(scope="session")
def timescale_dsn(timescale_server: TimescaleServer) -> str:
    """Return the DSN of the TimescaleDB server."""
    return timescale_server.dsn


@pytest.fixture(scope="session")
def plain_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[EmbeddedPostgres]:
    """Return the one plain PostgreSQL of this run, as the embedded default has it."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("plain"))
    server.start()
    try:
        yield server
    finally:
        server.stop()
        server.discard()


@pytest.fixture(scope="session")
def plain_dsn(plain_server: EmbeddedPostgres) -> str:
    """Return the DSN of the plain PostgreSQL."""
    return plain_server.dsn


@pytest.fixture(
    params=["plain", pytest.param("timescale", marks=pytest.mark.timescale)]
)
def database(request: pytest.FixtureRequest, fresh: str) -> DatabaseSettings:
    """Return settings of a schema that does not exist yet, on each database."""
    dsn = str(request.getfixturevalue(f"{request.param}_dsn"))
    return DatabaseSettings(dsn=SecretStr(dsn), namespace=fresh)


@pytest.fixture(scope="session")
def node_modules() -> None:
    """Install the npm packages of the node-opcua neighbour."""
    try:
        install()
    except NeighbourMissing as missing:
        absent(missing)


@pytest.fixture
def node_opcua(node_modules: None, tmp_path: Path) -> Iterator[NodeOpcua]:
    """Return a running node-opcua server."""
    with NodeOpcua(free_port(), tmp_path / "node") as server:
        yield server


@pytest.fixture
def fresh() -> str:
    """Return a name that no other test uses: for topics and schemas."""
    return f"t{uuid.uuid4().hex[:12]}"
