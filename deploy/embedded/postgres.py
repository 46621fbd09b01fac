"""PostgreSQL as a child process: made on first use, stopped with its parent.

A data folder holds `cluster` (PostgreSQL's own files), `password` (0600), `port`,
`lock` and `postgres.log`. Connections come over loopback TCP and always need the
password. fsync stays on. Linux only.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from deploy.embedded.binaries import (
    Binaries,
    find_binaries,
    private_folder,
    reachable,
    readable_copy,
    server_user,
)
from deploy.embedded.kept import free_port, fresh_log, last_port, stored_password
from deploy.embedded.kernel import EndWithParent, alive, children, send, start_time
from shared.domain import FedbatchError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

_log = logging.getLogger(__name__)

USER = "fedbatch"
DATABASE = "postgres"
SETTINGS: dict[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "50",
    "shared_buffers": "512MB",
    "wal_buffers": "64MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "jit": "off",
}
"""Where they differ from PostgreSQL's defaults; durability is left as it comes.

After a checkpoint each page is logged whole at its next change, and every tag has a
page of the index that changes all the time: checkpoints are rare, and whole pages are
not compressed (pglz, the only method that the wheel has, held all readings up for 6 s).
"""

_TIMESCALE_SETTINGS = {
    "shared_preload_libraries": "timescaledb",
    "timescaledb.telemetry_level": "off",
    "timescaledb.max_background_workers": "4",
}
_START_S = 120.0
"""Recovery after a crash may take this long on a busy machine."""
_STOP_S = 60.0
_HAND_OVER_S = 20.0
"""How long a server that lost its parent may need to end."""
_TRIES = 20
"""Launches in a row, for ports taken and processes still ending."""


class DataFolderInUse(FedbatchError):  # noqa: N818
    """Another process runs a server on this data folder."""


class DataFolderOfOtherVersion(FedbatchError):  # noqa: N818
    """The data folder was made by another major version of PostgreSQL."""


class ServerDidNotStart(FedbatchError):  # noqa: N818
    """PostgreSQL ended while starting; the message carries the end of its log."""


@asynccontextmanager
async def embedded_postgres(
    data: Path,
    *,
    port: int = 0,
    libraries: Path | None = None,
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[str]:
    """Run a server on `data` for the length of the block; yield its DSN.

    Enter it in the main thread: the server ends with the thread that started it.

    Args:
        data: folder, made when missing.
        port: preferred port; 0 prefers the last run's. A taken one is replaced.
        libraries: folder of an unpacked TimescaleDB package, if there is one.
        settings: server settings on top of SETTINGS.

    Raises:
        EmbeddedPostgresMissing: the wheel is not installed.
        DataFolderInUse: another server runs there.
        DataFolderOfOtherVersion: made by another major version.
        ServerDidNotStart: with the end of its log.
    """
    server = EmbeddedPostgres(data, port=port, libraries=libraries, settings=settings)
    await asyncio.to_thread(server.prepare)
    try:
        while not await asyncio.to_thread(server.ready, server.launch()):
            _log.warning("PostgreSQL could not start at once; trying %d", server.port)
        yield server.dsn
    finally:
        await asyncio.to_thread(server.stop)


class EmbeddedPostgres:
    """One data folder and the server on it; port and password outlive restarts.

    `start` belongs in the main thread. Not for use from several threads at once.
    """

    def __init__(
        self,
        data: Path,
        *,
        port: int = 0,
        libraries: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._data = data.absolute()
        self._libraries = libraries
        self._extra = dict(settings or {})
        self._settings: dict[str, str] = {}
        self._user = server_user()
        self._cluster = self._data / "cluster"
        self._binaries: Binaries | None = None
        self._password = ""
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._tries = 0
        self.port = port

    @property
    def dsn(self) -> str:
        """Connects as the owner of the database; contains the password."""
        return f"postgresql://{USER}:{self._password}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def pid(self) -> int | None:
        """The server's main process; None while it is down."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Prepare, launch and wait until connections are accepted; see `prepare`."""
        self.prepare()
        while not self.ready(self.launch()):
            _log.warning("PostgreSQL could not start at once; trying %d", self.port)

    def prepare(self) -> None:
        """Take the folder's lock and make its database when there is none (blocking).

        Raises:
            DataFolderInUse: another process holds the lock.
            DataFolderOfOtherVersion: the database is of another major version.
            ServerDidNotStart: initdb failed.
        """
        self._data.mkdir(parents=True, exist_ok=True)
        self._cluster = self._place_of_cluster()
        self._take_lock()
        try:
            self._binaries = find_binaries()
            self._password = stored_password(self._data / "password")
            self._settings = {**SETTINGS, **self._timescale(), **self._extra}
            if not self._cluster.exists():
                self._initialise(self._binaries)
            self._check_version(self._binaries)
            self.port = self.port or last_port(self._data / "port")
        except BaseException:
            self._drop_lock()
            raise

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the server process from this thread; `ready` waits for it."""
        if self._binaries is None:
            raise ServerDidNotStart(f"{self._data}: expected prepare() before launch()")
        arguments = [f"--{name}={value}" for name, value in self._settings.items()]
        command = [str(self._binaries.folder / "postgres"), "-D", str(self._cluster)]
        with fresh_log(self._data / "postgres.log") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                [*command, f"--port={self.port}", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                preexec_fn=EndWithParent(),  # noqa: PLW1509  one prepared system call
                **self._user,
            )
        return self._process

    def ready(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait until the server accepts connections; False when to launch it again.

        That is so when its port is taken (another one is chosen) and while processes
        of a killed server still end.

        Raises:
            ServerDidNotStart: it ended or took longer than two minutes.
        """
        status = self._cluster / "postmaster.pid"
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            if process.poll() is not None:
                return self._explain()
            lines = status.read_text().splitlines() if status.exists() else []
            if len(lines) > 7 and int(lines[0]) == process.pid and "ready" in lines[7]:
                (self._data / "port").write_text(f"{self.port}\n")
                self._tries = 0
                return True
            time.sleep(0.02)
        self.stop()
        raise ServerDidNotStart(f"{self._data}: not ready after {_START_S:.0f} s")

    def stop(self) -> None:
        """Stop the server (its clients are disconnected) and give up the lock."""
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                _log.warning("PostgreSQL did not stop in %.0f s; killing it", _STOP_S)
                self.kill()
        self._process = None
        self._drop_lock()

    def kill(self) -> None:
        """End every process of the server at once, as a power cut would."""
        process = self._process
        if process is None:
            return
        family = [process.pid, *children(process.pid)]
        for pid in family:
            send(pid, signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + _HAND_OVER_S
        while any(alive(pid) for pid in family) and time.monotonic() < deadline:
            time.sleep(0.01)
        self._process = None
        self._drop_lock()

    def discard(self) -> None:
        """Delete the stopped server's folder with all its data, wherever that is."""
        shutil.rmtree(self._cluster, ignore_errors=True)
        if self._cluster.parent != self._data:
            shutil.rmtree(self._cluster.parent, ignore_errors=True)
        shutil.rmtree(self._data, ignore_errors=True)

    async def ended(self) -> int:
        """Wait until the server has ended by itself; return its exit code."""
        process = self._process
        if process is None:
            raise ServerDidNotStart(f"{self._data}: expected a running server")
        return await asyncio.to_thread(process.wait)

    def _explain(self) -> bool:
        """Return False when trying again may help, else raise with the log."""
        with (self._data / "postgres.log").open("rb") as log:
            log.seek(self._log_start)
            said = log.read().decode(errors="replace")[-1500:]
        self._process = None
        self._tries += 1
        if self._tries <= _TRIES and "Address already in use" in said:
            self.port = free_port()
            return False
        if self._tries <= _TRIES and "is still in use" in said:
            time.sleep(_HAND_OVER_S / _TRIES)
            return False
        self._drop_lock()
        raise ServerDidNotStart(f"{self._data}: PostgreSQL ended: {said}")

    def _take_lock(self) -> None:
        """Hold `lock` (pid and start time) and wait for an orphaned server to end."""
        self._lock = (self._data / "lock").open("a+")
        deadline = time.monotonic() + _HAND_OVER_S
        while not self._locked() or _postmaster(self._cluster) is not None:
            if time.monotonic() > deadline:
                self._lock.seek(0)
                owner = self._lock.read().strip() or "unknown"
                self._drop_lock()
                raise DataFolderInUse(
                    f"{self._data}: a server already runs here (pid and start time of "
                    f"its owner: {owner}): expected one owner of a data folder"
                )
            time.sleep(0.05)
        self._lock.truncate(0)
        self._lock.write(f"{os.getpid()} {start_time(os.getpid())}\n")
        self._lock.flush()

    def _locked(self) -> bool:
        if self._lock is None:
            return False
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _drop_lock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _place_of_cluster(self) -> Path:
        """Return where PostgreSQL's files go: inside `data` where its user gets."""
        if not self._user or reachable(self._data, self._user):
            return self._data / "cluster"
        place = private_folder(self._data, self._user) / "cluster"
        _log.warning(
            "%s cannot be reached by PostgreSQL's user; its files are in %s",
            self._data,
            place,
        )
        return place

    def _timescale(self) -> dict[str, str]:
        if self._libraries is None or self._binaries is None:
            return {}
        major = self._binaries.major
        folder = self._libraries
        if self._user:
            folder = readable_copy((folder / "usr",))
        share = folder / "usr" / "share" / "postgresql" / major
        if not (share / "extension" / "timescaledb.control").exists():
            return {}
        return {
            **_TIMESCALE_SETTINGS,
            "extension_control_path": f"{share}:$system",
            "dynamic_library_path": f"{folder}/usr/lib/postgresql/{major}/lib:$libdir",
        }

    def _initialise(self, binaries: Binaries) -> None:
        """Make the database under another name first: half of one is never used."""
        scratch = self._cluster.with_name("cluster.new")
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700)
        with tempfile.NamedTemporaryFile("w", prefix="fedbatch-") as secret:
            secret.write(self._password)
            secret.flush()
            if self._user:
                os.chown(scratch, self._user["user"], self._user["group"])
                os.fchown(secret.fileno(), self._user["user"], self._user["group"])
            made = subprocess.run(
                [
                    *(f"{binaries.folder}/initdb", "-D", str(scratch), "-U", USER),
                    *("-A", "scram-sha-256", f"--pwfile={secret.name}"),
                    *("-E", "UTF8", "--locale=C.UTF-8", "--data-checksums"),
                ],
                capture_output=True,
                text=True,
                check=False,
                cwd="/",
                **self._user,
            )
        if made.returncode != 0:
            raise ServerDidNotStart(f"{scratch}: initdb failed: {made.stderr[-800:]}")
        scratch.rename(self._cluster)

    def _check_version(self, binaries: Binaries) -> None:
        found = (self._cluster / "PG_VERSION").read_text().strip()
        if found != binaries.major:
            raise DataFolderOfOtherVersion(
                f"{self._data}: made by PostgreSQL {found}, expected "
                f"{binaries.major}: dump it with version {found} and restore it into "
                "a new folder, or install the fedbatch release that made it"
            )


def _postmaster(cluster: Path) -> int | None:
    """Return the pid of a server that still runs on `cluster`."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
        pid = int(lines[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError, IndexError):
        return None
    return pid if str(cluster).encode() in command else None
