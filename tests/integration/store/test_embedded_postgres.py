"""The embedded PostgreSQL under our supervisor: killed, taken, foreign, orphaned."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from deploy.embedded import postgres as room
from deploy.embedded.kernel import alive
from deploy.embedded.postgres import (
    DataFolderInUse,
    DataFolderOfOtherVersion,
    EmbeddedPostgres,
    ServerDidNotStart,
    embedded_postgres,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_ORPHAN = """
import sys
from pathlib import Path
from deploy.embedded.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """Return a started server that is cleared away."""
    server = EmbeddedPostgres(tmp_path / "data")
    server.start()
    yield server
    server.stop()
    server.discard()


async def value_of(dsn: str, query: str) -> object:
    """Return the one value of a query."""
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def execute(dsn: str, statement: str) -> None:
    """Run one statement."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def command_of(pid: int | None) -> str:
    """Return the command line that every user can see."""
    return Path(f"/proc/{pid}/cmdline").read_text()


async def test_it_is_durable_private_and_in_utc(server: EmbeddedPostgres) -> None:
    assert await value_of(server.dsn, "show fsync") == "on"
    assert await value_of(server.dsn, "show synchronous_commit") == "on"
    assert await value_of(server.dsn, "show timezone") == "UTC"
    assert await value_of(server.dsn, "show listen_addresses") == "127.0.0.1"
    trusted = "select count(*) from pg_hba_file_rules where auth_method = 'trust'"
    assert await value_of(server.dsn, trusted) == 0


async def test_the_password_is_needed_and_kept_in_a_private_file(
    server: EmbeddedPostgres, tmp_path: Path
) -> None:
    file = tmp_path / "data" / "password"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text() in server.dsn
    without = re.sub(r":[^:@]+@", ":guess@", server.dsn)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(without)
    assert file.read_text() not in command_of(server.pid)


async def test_what_was_committed_outlives_kill_9_on_the_same_port(
    server: EmbeddedPostgres,
) -> None:
    before = server.dsn
    await execute(before, "create table kept as select 7 as value")
    server.kill()
    server.start()
    assert server.dsn == before
    assert await value_of(before, "select value from kept") == 7
    server.stop()
    server.start()
    assert server.dsn == before
    assert await value_of(before, "select value from kept") == 7


async def test_a_taken_port_is_replaced(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = EmbeddedPostgres(tmp_path / "data", port=port)
        async with embedded_postgres(tmp_path / "data", port=port) as dsn:
            assert f":{port}/" not in dsn
            assert await value_of(dsn, "select 1") == 1
    server.discard()


def test_one_folder_has_one_server(
    server: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_HAND_OVER_S", 0.2)
    with pytest.raises(DataFolderInUse, match=rf"owner: {os.getpid()} \d+\)"):
        EmbeddedPostgres(tmp_path / "data").start()
    assert server.pid is not None


def test_a_folder_of_another_major_version_is_named_and_untouched(
    server: EmbeddedPostgres,
) -> None:
    server.stop()
    version = server._cluster / "PG_VERSION"
    version.write_text("15\n")
    with pytest.raises(DataFolderOfOtherVersion, match=r"PostgreSQL 15, expected \d+"):
        server.start()
    version.write_text("18\n")
    server.start()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "data", settings={"shared_buffers": "a lot"})
    with pytest.raises(ServerDidNotStart, match="shared_buffers"):
        server.start()
    server.discard()


def test_it_ends_with_its_parent_and_starts_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    parent = subprocess.Popen(
        [sys.executable, "-c", _ORPHAN, str(data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    assert parent.stdin is not None
    pid = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    parent.stdin.close()
    server = EmbeddedPostgres(data)
    server.start()
    try:
        assert not alive(pid)
        assert asyncio.run(value_of(server.dsn, "select 1")) == 1
    finally:
        server.stop()
        server.discard()


def test_half_a_first_start_is_never_used(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "data")
    server.start()
    server.stop()
    half = server._cluster.with_name("cluster.new")
    server._cluster.rename(half)
    (half / "global" / "pg_control").unlink()
    server.start()
    assert not half.exists()
    server.stop()
    server.discard()


def test_files_outside_a_temporary_folder_go_when_it_is_gone(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    gone, kept = (EmbeddedPostgres(closed / name) for name in ("gone", "kept"))
    for server in (gone, kept):
        server.start()
        server.stop()
        outside = closed not in server._cluster.parents
        assert outside == (os.geteuid() == 0)
    shutil.rmtree(closed / "gone")
    kept.start()
    kept.stop()
    assert not gone._cluster.exists()
    assert kept._cluster.exists()
    kept.discard()
    assert not kept._cluster.exists()
