"""dataset.yaml and the files it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from services.monitor.evaluation.manifest import DatasetInvalid, parse_manifest
from services.monitor.evaluation.reading import read_dataset

if TYPE_CHECKING:
    from pathlib import Path

LABELLED = """\
name: rig
table: {separator: ";", decimal: ","}
time: {column: when, row_s: 2}
ignore: [valve]
label: {column: wrong}
training: {rows: 50}
scored: ["a/*.csv", "b/*.csv"]
"""


def folder(path: Path, manifest: str, **files: str) -> Path:
    (path / "dataset.yaml").write_text(manifest)
    for name, text in files.items():
        file = path / name.replace("__", "/").replace("_csv", ".csv")
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    return path


def test_columns_time_and_label_are_told_apart(tmp_path: Path) -> None:
    text = (
        "when;flow;valve;wrong\n1.1. 10:00;1,5;9;0\n1.1. 10:02;n/a;9;1\nend of file\n"
    )
    data = read_dataset(folder(tmp_path, LABELLED, a__1_csv=text, b__2_csv=text))
    assert data.tags == ("flow",)
    first, second = data.scored
    np.testing.assert_array_equal(first.rows, [[1.5], [np.nan]])
    assert first.fault.tolist() == [False, True]
    assert (first.name, first.group, second.group) == ("a/1.csv", "a", "b")


def test_rows_and_columns_may_be_exchanged_and_labels_begin_at_a_row(
    tmp_path: Path,
) -> None:
    manifest = """\
name: published
table: {separator: space, header: 0, transposed: [n.dat]}
time: {row_s: 180}
label: {files: ["f*.dat"], from_row: 3}
training: {files: [n.dat]}
scored: ["f*.dat"]
aside: [f2.dat]
"""
    folder(tmp_path, manifest)
    (tmp_path / "n.dat").write_text(" 1 2 3 4\n 5 6 7 8\n")
    (tmp_path / "f1.dat").write_text("1 5\n2 6\n3 7\n")
    (tmp_path / "f2.dat").write_text("1 5\n2 6\n3 7\n")
    data = read_dataset(tmp_path)
    (normal,) = data.training
    np.testing.assert_array_equal(normal.rows, [[1, 5], [2, 6], [3, 7], [4, 8]])
    assert not normal.fault.any()
    assert data.tags == ("C1", "C2")
    assert [r.fault.tolist() for r in data.scored] == [[False, False, True]] * 2
    assert [r.aside for r in data.scored] == [False, True]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ("training: {rows: 50}", "training: {}", ),
        ("training: {rows: 50}", "training: {rows: 3}"),
        ("row_s: 2", "row_s: fast"),
    ],
)  # fmt: skip
def test_a_wrong_manifest_names_line_and_field(changed: str, said: str) -> None:
    text = LABELLED.replace(changed, said)
    line = next(i for i, row in enumerate(text.splitlines(), 1) if said in row)
    with pytest.raises(DatasetInvalid, match=rf"folder:{line}: (training|time)"):
        parse_manifest(text, "folder")


def test_what_is_missing_is_named_with_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(DatasetInvalid, match=r"dataset\.yaml: expected a file"):
        read_dataset(tmp_path)
    folder(tmp_path, LABELLED, a__1_csv="when;flow;wrong\n1;2;0\n")
    with pytest.raises(DatasetInvalid, match=r"no file matches 'b/\*\.csv'.*a/1\.csv"):
        read_dataset(tmp_path)
    folder(tmp_path, LABELLED, b__1_csv="when;pressure;wrong\n1;2;0\n")
    with pytest.raises(DatasetInvalid, match="no column 'flow'; it has when, pressure"):
        read_dataset(tmp_path)
    folder(tmp_path, LABELLED, b__1_csv="when;flow\n1;2\n")
    with pytest.raises(DatasetInvalid, match="no label column 'wrong'"):
        read_dataset(tmp_path)
    folder(tmp_path, LABELLED, b__1_csv="when;flow;wrong\n")
    with pytest.raises(DatasetInvalid, match="expected rows of numbers"):
        read_dataset(tmp_path)
