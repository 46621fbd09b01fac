"""What is asked of a method, and the table of what methods said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from services.monitor.evaluation.choosing import candidates
from services.monitor.evaluation.manifest import DatasetInvalid, parse_manifest
from services.monitor.evaluation.questions import (
    AS_RECORDED,
    CROP,
    TRANSFORMS,
    questions,
)
from services.monitor.evaluation.reading import Dataset
from services.monitor.evaluation.recording import Recording
from services.monitor.evaluation.report import as_text, write_report
from services.monitor.evaluation.table import TOGETHER, scored

if TYPE_CHECKING:
    from pathlib import Path

TRAINING = 200


def recording(name: str, seed: int, *, rows: int = 400) -> Recording:
    """Return two tags around 10 with a step in the last quarter."""
    values = 10.0 + np.random.default_rng(seed).standard_normal((rows, 2))
    fault = np.arange(rows) >= rows * 3 // 4
    values[fault] += 12.0
    return Recording(f"{name}.csv", name[0], values, fault)


def dataset(*scored: Recording, training: tuple[Recording, ...] = (), **more: Any) -> (
    Dataset
):  # fmt: skip
    content = {
        "name": "rig", "time": {"row_s": 1}, "label": {"column": "x"},
        "training": {"files": ["n*"]} if training else {"rows": TRAINING},
        "scored": ["*"], **more,
    }  # fmt: skip
    manifest = parse_manifest(json.dumps(content), "test")
    return Dataset(manifest, ("a", "b"), training, scored)


def test_each_recording_is_asked_about_after_its_own_past() -> None:
    whole = recording("a1", 1)
    (question,) = questions(dataset(whole))[AS_RECORDED]
    np.testing.assert_array_equal(question.training[0], whole.rows[:TRAINING])
    np.testing.assert_array_equal(question.scored[0].rows, whole.rows[TRAINING:])
    assert question.scored[0].fault.sum() == 100
    with pytest.raises(DatasetInvalid, match=r"a2\.csv: 200 rows; expected more"):
        questions(dataset(recording("a2", 1, rows=200)))


def test_the_transforms_move_double_and_remove_the_fault() -> None:
    asked = questions(dataset(recording("a1", 1), transforms=True))
    assert list(asked) == [AS_RECORDED, *(name for name, _ in TRANSFORMS)]
    begins = {k: int(np.argmax(q[0].scored[0].fault)) for k, q in asked.items()}
    counts = {k: int(q[0].scored[0].fault.sum()) for k, q in asked.items()}
    assert begins[AS_RECORDED] == begins["permuted channels"] == 100
    assert begins["cropped start"] == 100 - CROP + 50  # in training for 50 rows
    assert begins["normal rows added"] == 100 + 2 * TRAINING
    assert counts["two anomalies"] == 2 * counts[AS_RECORDED]
    assert counts["no anomaly"] == 0


def test_batches_are_left_out_in_turn_with_the_same_noise() -> None:
    normal = tuple(recording(f"n{i}", i) for i in range(6))
    more = {"leave_out": 2, "noise": 0.01, "aligned": True}
    asked = questions(dataset(recording("f1", 9), training=normal, **more))
    each = asked[AS_RECORDED]
    assert [len(q.training) for q in each] == [4, 4, 4]
    assert [q.scored[0].name for q in each] == ["n0.csv", "n2.csv", "n4.csv"]
    np.testing.assert_array_equal(each[0].scored[-1].rows, each[1].scored[-1].rows)
    np.testing.assert_array_equal(each[0].scored[0].rows, each[1].training[0])
    noise = each[0].scored[-1].rows - recording("f1", 9).rows
    assert 0.0 < noise.std() < 0.2
    with pytest.raises(DatasetInvalid, match="expected at least 9"):
        questions(dataset(training=normal, leave_out=3))


def test_the_table_has_every_method_on_every_transform(tmp_path: Path) -> None:
    data = dataset(*(recording(f"a{i}", i) for i in range(2)), transforms=True)
    lines = scored(data, lambda _: None)
    kinds = {line.kind for line in lines}
    assert kinds == {AS_RECORDED, TOGETHER, *(name for name, _ in TRANSFORMS)}
    methods = [line.method for line in lines if line.kind == TOGETHER]
    assert methods[:5] == [
        "fedbatch levels, learning", "fedbatch levels, frozen",
        "always", "clock", "timer",
    ]  # fmt: skip
    ours = next(line for line in lines if line.kind == TOGETHER)
    parts = [line for line in lines if line.method == ours.method][:-1]
    rows = [p.merit.rows for p in parts if p.kind != AS_RECORDED]
    assert ours.merit.rows.hit == sum(r.hit for r in rows)
    assert ours.merit.rows.balanced > 75.0
    page = write_report(data, lines, tmp_path / "report")
    assert ours.method in page.read_text()
    figures = json.loads((tmp_path / "report" / "evaluation.json").read_text())
    assert len(figures) == len(lines)
    assert (tmp_path / "report" / "evaluation.png").stat().st_size > 10_000
    assert ours.method in as_text(data, lines)


def test_settings_are_chosen_on_the_other_groups_only() -> None:
    data = dataset(recording("a1", 1), recording("b1", 2), choose=True)
    lines = scored(data, lambda _: None, only_own=True)
    assert lines[0].method == "fedbatch levels, chosen on the other groups"
    assert lines[0].merit.rows.balanced > 90.0
    alone = dataset(recording("a1", 1), choose=True)
    with pytest.raises(DatasetInvalid, match="expected two groups"):
        scored(alone, lambda _: None)


def test_the_candidates_are_the_same_each_time_and_never_relearn() -> None:
    first, again = candidates(), candidates()
    np.testing.assert_array_equal(first.away, again.away)
    assert not first.leak.any()
