"""Which gap is filled next, and what a restart remembers of it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import pytest

from services.ingest.backfill import jobs as backfill_jobs
from services.ingest.backfill.jobs import (
    OVERLAP_US,
    WINDOW_US,
    Job,
    Jobs,
    JobsDamaged,
    recalled,
)
from shared.domain import Gap, GapCause
from shared.wire import NotUnderstood
from shared.wire_filled import Filled, decode_filled, encode_filled

if TYPE_CHECKING:
    from pathlib import Path

T0 = 1_795_000_000_000_000


def gap(start: int, end: int | None, tags: tuple[int, ...] | None = None) -> Gap:
    return Gap("A", GapCause.COLLECTOR_DOWN, T0 + start, end and T0 + end, tags)


def test_the_gap_that_ended_last_comes_first_whatever_came_first(
    tmp_path: Path,
) -> None:
    jobs = Jobs(tmp_path)
    for one in (gap(0, 10), gap(20, 40), gap(15, 30)):
        jobs.add(one)
    order = []
    while (job := jobs.next("A")) is not None:
        order.append(job.gap.start - T0)
        jobs.done(job)
    assert order == [20, 15, 0]


def test_a_gap_without_an_end_or_without_time_is_no_work(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path)
    jobs.add(gap(5, None))
    jobs.add(gap(5, 5))
    assert jobs.next("A") is None


def test_windows_go_back_from_the_end_and_cover_the_gap_with_its_overlap(
    tmp_path: Path,
) -> None:
    jobs = Jobs(tmp_path)
    jobs.add(gap(0, 5 * WINDOW_US // 2))
    covered = []
    while not (job := jobs.next("A")).is_read:  # type: ignore[union-attr]
        assert job is not None
        start, end = job.window()
        covered.append((start - T0, end - T0))
        jobs.put(replace(job, left=start))
    assert covered[0][1] == 5 * WINDOW_US // 2 + OVERLAP_US
    assert covered[-1][0] == -OVERLAP_US
    assert all(later[0] == before[1] for before, later in zip(covered[1:], covered))  # noqa: B905
    assert len(covered) == 3


def test_a_restart_goes_on_where_the_last_window_ended(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path)
    jobs.add(gap(0, 10 * WINDOW_US, (3, 4)))
    job = jobs.next("A")
    assert job is not None
    half = replace(job, left=job.window()[0], rows=7, missing=(4,), reason="why")
    jobs.put(half)
    assert recalled(tmp_path).next("A") == half
    recalled(tmp_path).done(half)
    assert recalled(tmp_path).next("A") is None


def test_the_same_gap_with_a_later_end_is_asked_for_anew(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path)
    jobs.add(gap(0, 10))
    early = jobs.next("A")
    assert early is not None
    jobs.add(gap(0, 20))
    jobs.put(replace(early, rows=99))
    later = jobs.next("A")
    assert later is not None
    assert (later.gap.end, later.rows) == (T0 + 20, 0)
    jobs.done(early)
    assert jobs.next("A") == later


def test_a_gap_that_is_refused_lets_the_others_pass(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path)
    jobs.add(gap(0, 10))
    jobs.add(gap(20, 30))
    refused = jobs.next("A")
    assert refused is not None
    jobs.postpone(refused)
    following = jobs.next("A")
    assert following is not None
    assert following.gap.start == T0
    jobs.done(following)
    again = jobs.next("A")
    assert again is not None
    assert (again.gap.start, again.tries) == (T0 + 20, 1)


def test_beyond_the_bound_the_oldest_gap_is_given_up(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path, most=2)
    for n in range(3):
        jobs.add(gap(10 * n, 10 * n + 5))
    left = []
    while (job := jobs.next("A")) is not None:
        left.append(job.gap.start - T0)
        jobs.done(job)
    assert left == [20, 10]


def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "backfill.json").write_text('{"version": 1}')
    with pytest.raises(JobsDamaged, match="remove the file: the gaps stay declared"):
        recalled(tmp_path)


def test_what_came_of_a_gap_survives_the_wire_and_rubbish_is_named() -> None:
    told = Filled(gap(0, 10, (3,)), 1, (0, 1), (3,), 12, 0, "BadNotSupported")
    headers, value = encode_filled(told)
    assert headers["kind"] == "filled"
    assert decode_filled(value) == told
    with pytest.raises(NotUnderstood, match="filled record"):
        decode_filled(b'{"part": 1}')


def test_of_many_gaps_only_what_changed_is_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = 0
    whole = asdict

    def counted(job: Job) -> dict[str, object]:
        nonlocal made
        made += 1
        return whole(job)

    monkeypatch.setattr(backfill_jobs, "asdict", counted)
    jobs, count = Jobs(tmp_path), 50
    jobs.add(*(gap(n, n + 5, (1, 2, 3)) for n in range(count)))
    kept = json.loads((tmp_path / "backfill.json").read_text())
    assert len(kept["servers"]["A"]) == count
    while (job := jobs.next("A")) is not None:
        read = replace(job, rows=1)
        jobs.put(read)
        jobs.done(read)
    assert made == 2 * count
    assert recalled(tmp_path).next("A") is None
