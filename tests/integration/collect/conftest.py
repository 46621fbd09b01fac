"""The node-opcua neighbour of these tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import absent
from tests.neighbours.instrument import free_port
from tests.neighbours.missing import NeighbourMissing
from tests.neighbours.node_opcua import NodeOpcua, install

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def node_modules() -> None:
    """Install the npm packages."""
    try:
        install()
    except NeighbourMissing as missing:
        absent(missing)


@pytest.fixture
def node_opcua(node_modules: None, tmp_path: Path) -> Iterator[NodeOpcua]:
    """Return a running node-opcua server."""
    with NodeOpcua(free_port(), tmp_path / "node") as server:
        yield server
