from __future__ import annotations

import pytest

from services.api.moments import duration_us, iso, moment_us
from services.api.problems import Problem, nearest

NOW = 1_790_000_000_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*", NOW),
        ("*-1d", NOW - 86_400_000_000),
        ("*-1h30m", NOW - 5_400_000_000),
        ("*+250ms", NOW + 250_000),
        ("*-1.5s", NOW - 1_500_000),
        ("2026-09-21T14:13:20Z", NOW),
        ("2026-09-21T16:13:20+02:00", NOW),
        ("2026-09-21T14:13:20.000001Z", NOW + 1),
        ("20260921T141320Z", NOW),
    ],
)
def test_times_are_exact_microseconds_of_utc(text: str, expected: int) -> None:
    assert moment_us(text, "start", NOW) == expected


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("2026-09-21T14:13:20", "naive-time"),
        ("2026-09-21", "naive-time"),
        ("now", "time"),
        ("", "time"),
        ("*-", "time"),
        ("*1d", "time"),
        ("*-1month", "duration"),
        ("*-2000w", "time-out-of-range"),
        ("9999-12-31T00:00:00Z", "time-out-of-range"),
    ],
)
def test_what_is_no_time_is_refused_by_kind(text: str, kind: str) -> None:
    with pytest.raises(Problem) as raised:
        moment_us(text, "start", NOW)
    assert (raised.value.status, raised.value.kind) == (400, kind)
    assert "start" in raised.value.detail


@pytest.mark.parametrize(
    ("text", "expected"),
    [("10s", 10_000_000), ("1h30m", 5_400_000_000), ("1w", 604_800_000_000)],
)
def test_durations_are_sums_of_units(text: str, expected: int) -> None:
    assert duration_us(text, "interval") == expected


def test_written_times_read_back() -> None:
    assert iso(NOW) == "2026-09-21T14:13:20Z"
    assert moment_us(iso(NOW + 1), "start", 0) == NOW + 1


def test_nearest_names_ignore_case() -> None:
    assert nearest("br101/tic", ["BR101/TIC", "BR102/XV"], 1) == ["BR101/TIC"]
    assert nearest("zzz", ["BR101"]) == []
