"""Reads the recordings that a dataset.yaml describes."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import TYPE_CHECKING

import numpy as np

from services.monitor.evaluation.manifest import (
    DatasetInvalid,
    Manifest,
    Table,
    parse_manifest,
)
from services.monitor.evaluation.recording import Recording

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

NAME = "dataset.yaml"


@dataclass(frozen=True)
class Dataset:
    """A folder's recordings in memory."""

    manifest: Manifest
    tags: tuple[str, ...]
    training: tuple[Recording, ...]
    """Normal recordings; empty where each scored recording brings its own past."""
    scored: tuple[Recording, ...]


def read_dataset(folder: Path, said: Path | None = None) -> Dataset:
    """Read everything that dataset.yaml of a folder names.

    Args:
        folder: holds the recordings.
        said: what they are, where it is not `dataset.yaml` of the folder.

    Raises:
        DatasetInvalid: what, where and what was expected.
    """
    path = said or folder / NAME
    try:
        manifest = parse_manifest(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetInvalid(f"{path}: expected a file in UTF-8: {error}") from error
    files = sorted(
        str(f.relative_to(folder))
        for f in folder.rglob("*")
        if f.is_file() and f.name != NAME
    )
    normal = _chosen(files, manifest.training.files, path)
    scored = [f for f in _chosen(files, manifest.scored, path) if f not in normal]
    reader = _Reader(folder, manifest)
    training = tuple(reader.recording(f) for f in normal)
    recordings = tuple(reader.recording(f) for f in scored)
    return Dataset(manifest, reader.tags, training, recordings)


def _chosen(files: Sequence[str], patterns: Iterable[str], path: Path) -> list[str]:
    found: list[str] = []
    for pattern in patterns:
        matching = [f for f in files if fnmatch(f, pattern) and f not in found]
        if not matching and not any(fnmatch(f, pattern) for f in files):
            raise DatasetInvalid(
                f"{path}: no file matches {pattern!r}; the folder has "
                f"{', '.join(files[:5]) or 'no files'}"
            )
        found += matching
    return found


class _Reader:
    """Reads files of one data set; all must have the tags of the first."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._folder, self._manifest = folder, manifest
        self.tags: tuple[str, ...] = ()

    def recording(self, name: str) -> Recording:
        manifest = self._manifest
        columns, table = read_table(self._folder / name, name, manifest.table)
        self.tags = self.tags or self._tags_of(columns)
        if missing := [tag for tag in self.tags if tag not in columns]:
            raise DatasetInvalid(
                f"{self._folder / name}: no column {missing[0]!r}; "
                f"it has {', '.join(columns[:12])}"
            )
        rows = table[:, [columns.index(tag) for tag in self.tags]]
        fault = self._fault(name, columns, table)
        aside = any(fnmatch(name, p) for p in manifest.aside)
        return Recording(name, _group(name, manifest), rows, fault, aside)

    def _tags_of(self, columns: Sequence[str]) -> tuple[str, ...]:
        manifest = self._manifest
        label = manifest.label.column if manifest.label else None
        other = {manifest.time.column, label, *manifest.ignore}
        return manifest.tags or tuple(c for c in columns if c not in other)

    def _fault(
        self, name: str, columns: Sequence[str], table: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        label = self._manifest.label
        fault = np.zeros(len(table), np.bool_)
        if label is None:
            return fault
        if label.column is not None and label.column in columns:
            column = table[:, columns.index(label.column)]
            fault[:] = np.nan_to_num(column) != 0
            return fault
        if label.column is not None and not self._is_normal(name):
            raise DatasetInvalid(
                f"{self._folder / name}: no label column {label.column!r}"
            )
        if label.from_row is not None and any(fnmatch(name, p) for p in label.files):
            fault[label.from_row - 1 :] = True
        return fault

    def _is_normal(self, name: str) -> bool:
        return any(fnmatch(name, p) for p in self._manifest.training.files)


def _group(name: str, manifest: Manifest) -> str:
    for group, pattern in manifest.groups.items():
        if fnmatch(name, pattern):
            return group
    return name.split("/", maxsplit=1)[0] if "/" in name else "all"


def read_table(
    path: Path, name: str, form: Table
) -> tuple[list[str], NDArray[np.float64]]:
    """Return the columns' names and their numbers, [row, column]; text is NaN.

    Lines with another number of fields than the first (notes at the end of an
    export) and lines without any number are left out.

    Raises:
        DatasetInvalid: the file cannot be read or has no numbers.
    """
    try:
        lines = path.read_text(encoding=form.encoding).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetInvalid(f"{path}: {error}") from error
    split = None if form.separator == "space" else form.separator
    cells = [line.split(split) for line in lines if line.strip()]
    head, body = cells[: form.header], cells[form.header :]
    width = len(head[0]) if head else len(body[0]) if body else 0
    parsed = [_numbers(row, form.decimal) for row in body if len(row) == width]
    table = np.array([row for row in parsed if not np.isnan(row).all()], float)
    if table.size == 0:
        raise DatasetInvalid(f"{path}: expected rows of numbers, found none")
    if any(fnmatch(name, p) for p in form.transposed):
        table = table.T
    if head:
        return [c.strip() for c in head[0]], table
    names = form.names or tuple(f"C{i + 1}" for i in range(table.shape[1]))
    if len(names) != table.shape[1]:
        raise DatasetInvalid(
            f"{path}: {table.shape[1]} columns; names has {len(names)}"
        )
    return list(names), table


def _numbers(cells: Sequence[str], decimal: str) -> NDArray[np.float64]:
    texts = [c.replace(",", ".") for c in cells] if decimal == "," else cells
    with contextlib.suppress(ValueError):
        return np.array(texts, float)
    return np.array([_number(c) for c in texts], float)


def _number(text: str) -> float:
    with contextlib.suppress(ValueError):
        return float(text)
    return float("nan")
