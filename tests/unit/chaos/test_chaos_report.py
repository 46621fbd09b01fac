"""The table at the end of a chaos run."""

from __future__ import annotations

from tests.chaos.report import Report, Round, Struck
from tests.chaos.schedule import Fault, Kind

S = 1_000_000


def struck(seconds: float, flows: float, target: str = "broker") -> Struck:
    fault = Fault(0, 7, Kind.KILL, target, 1.0)
    return Struck("plant", fault, int(seconds * S), int(flows * S))


def test_faults_of_a_kind_are_one_line_with_the_worst_of_them() -> None:
    report = Report(9, [struck(5, 2), struck(8.25, 1), struck(3, 3, "api")])
    lines = report.table().splitlines()
    assert [line.split() for line in lines if line.startswith("kill")] == [
        ["kill", "-9", "of", "api", "plant", "1", "3.0", "s", "3.0", "s"],
        ["kill", "-9", "of", "broker", "plant", "2", "8.2", "s", "2.0", "s"],
    ]


def test_a_round_that_did_not_hold_is_said_with_its_reason() -> None:
    good = Round("plant", 7, 3, "generated 9 lost 0", 2, held=True)
    bad = Round("embedded", 10, 2, "lost 1", 0, held=False, failed="seed 11: no data")
    report = Report(5, [struck(1, 1)], [good, bad])
    assert not report.held
    assert "plant 7 to 9               yes       2  generated 9 lost 0" in (
        report.table()
    )
    assert "embedded 10 to 11          NO        0  lost 1\n    seed 11: no data" in (
        report.table()
    )


def test_how_long_it_takes_is_said_once_some_are_over() -> None:
    report = Report(10, [struck(1, 1)] * 5)
    assert report.progress(60) == "[5/10, 1.0 min, 1 left]"
    assert report.held
