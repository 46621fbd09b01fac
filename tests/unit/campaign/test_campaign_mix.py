"""Which batch has which fault: drawn once for ever, and always of the catalogue."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from simulators.campaign import mix
from simulators.faults import catalogue
from simulators.faults.located import FileInvalid
from simulators.faults.scenario import Planned

KNOWN = catalogue.load()
DEFAULT = mix.load("default", KNOWN)
CULTURE = timedelta(days=14)


def drawn(number: int, seed: int = 1, chosen: mix.Mix = DEFAULT) -> Planned | None:
    return mix.planned(
        chosen,
        KNOWN,
        seed=seed,
        number=number,
        vessel="BR101",
        before_culture=timedelta(hours=13),
        culture=CULTURE,
    )


def test_three_of_five_batches_have_a_fault() -> None:
    faulty = [number for number in range(1, 101) if drawn(number) is not None]
    assert len(faulty) == 60
    assert faulty != list(range(1, 61))


def test_every_kind_comes_before_any_comes_again() -> None:
    kinds = [one.fault for number in range(1, 201) if (one := drawn(number))]
    every = len(KNOWN.faults)
    for turn in range(len(kinds) // every):
        part = kinds[turn * every : (turn + 1) * every]
        assert sorted(part) == sorted(KNOWN.faults)


def test_a_draw_depends_on_seed_and_number_only() -> None:
    assert [drawn(n) for n in range(1, 21)] == [drawn(n) for n in range(1, 21)]
    assert [drawn(n) for n in range(1, 21)] != [drawn(n, seed=2) for n in range(1, 21)]


@pytest.mark.parametrize("kind", sorted(KNOWN.faults))
def test_what_is_drawn_is_what_the_catalogue_allows(kind: str) -> None:
    only = DEFAULT.model_copy(update={"share": 1.0, "kinds": (kind,)})
    for number in range(1, 101):
        one = drawn(number, chosen=only)
        assert one is not None
        assert one.fault == kind
        fault = KNOWN.faults[kind]
        assert list(fault.misfits(one.magnitude, one.ramp, one.duration)) == []


@pytest.mark.parametrize("kind", ["S01", "S04"])
def test_a_slow_fault_lasts_until_it_has_grown(kind: str) -> None:
    only = DEFAULT.model_copy(update={"share": 1.0, "kinds": (kind,)})
    for number in range(1, 101):
        one = drawn(number, chosen=only)
        assert one is not None
        assert one.duration is not None
        assert one.ramp is not None
        assert one.duration >= one.ramp
        assert one.delay + one.duration <= timedelta(hours=13) + CULTURE


def test_none_means_none() -> None:
    assert all(drawn(n, chosen=mix.load("none", KNOWN)) is None for n in range(1, 41))


def test_a_mix_of_ones_own_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "about: trips\nshare: 1.0\nkinds: [A06]\nwindow: {from: P5D, to: P6D}\n"
    )
    one = drawn(3, chosen=mix.load(str(path), KNOWN))
    assert one is not None
    assert one.fault == "A06"
    begins = one.delay - timedelta(hours=13)
    assert timedelta(days=5) <= begins <= timedelta(days=6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("share: 2\nwindow: {from: P1D, to: P2D}\nabout: x\n", "share"),
        ("share: 1\nkinds: [X9]\nwindow: {from: P1D, to: P2D}\nabout: x\n", "X9: exp"),
        ("share: 1\nwindow: {from: P2D, to: P1D}\nabout: x\n", "expected 0 <= from"),
        ("share: 1\nwindow: {from: P1D, to: P2D}\nwindows: {X9: {from: P1D, to: P2D}}"
         "\nabout: x\n", "X9: expected one of"),
    ],
)  # fmt: skip
def test_a_wrong_mix_is_refused_with_line_and_field(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(FileInvalid, match=message):
        mix.load(str(path), KNOWN)


def test_an_unknown_name_says_what_there_is() -> None:
    with pytest.raises(FileInvalid, match=r"expected none, default, or a file"):
        mix.load("many", KNOWN)
