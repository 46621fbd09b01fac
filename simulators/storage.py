"""Files that are replaced whole: a reader sees the old one or the new one."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from shared.domain import FedbatchError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class FileDamaged(FedbatchError):  # noqa: N818
    """A file of ours does not hold what we write."""


def replace_json(path: Path, body: Mapping[str, Any], *, durable: bool = False) -> None:
    """Write `body` in place of what `path` holds.

    Args:
        path: the file; its folder exists.
        body: what JSON can hold; floats are kept exactly.
        durable: return only when it would survive a power failure.
    """
    fresh = path.with_name(path.name + ".new")
    with fresh.open("w", encoding="utf-8") as file:
        json.dump(body, file)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    fresh.replace(path)
    if durable:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read_json(path: Path) -> dict[str, Any] | None:
    """Return what `path` holds; None when there is no such file.

    Raises:
        FileDamaged: it is not a JSON object.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        body = json.loads(text)
    except ValueError as error:
        raise FileDamaged(f"{path}: expected JSON: {error}") from error
    if not isinstance(body, dict):
        raise FileDamaged(f"{path}: expected a JSON object, found {text:.60}")
    return body
