"""Instruments: lag, noise, resolution and span."""

from __future__ import annotations

import json

import numpy as np
import pytest

from simulators import units
from simulators.instruments import Instruments
from simulators.tags import TAGS, Tag

PLAIN = Tag("X-1.PV", "x", low=-1000.0, high=1000.0)


def show(
    tag: Tag, truth: list[float], seconds: float = 1.0, seed: int = 1
) -> np.ndarray:
    instruments = Instruments([tag], 1, seed)
    step = round(seconds * 1e6)
    return np.array(
        [
            instruments.read(np.array([[t]]), seconds, n * step)[0, 0]
            for n, t in enumerate(truth)
        ]
    )


def test_without_lag_and_noise_a_reading_is_the_truth() -> None:
    assert show(PLAIN, [1.25, -3.5, 7.125]).tolist() == [1.25, -3.5, 7.125]


def test_a_lag_covers_63_percent_of_a_step_in_its_time_constant() -> None:
    slow = Tag("X-1.PV", "x", low=-1000.0, high=1000.0, lag_s=30.0)
    shown = show(slow, [0.0] + [100.0] * 30)
    assert shown[0] == 0.0
    assert shown[30] == pytest.approx(100.0 * (1.0 - np.exp(-1.0)))


def test_one_coarse_step_equals_many_fine_ones() -> None:
    slow = Tag("X-1.PV", "x", low=-1000.0, high=1000.0, lag_s=30.0)
    fine = show(slow, [0.0] + [100.0] * 60)[-1]
    coarse = show(slow, [0.0, 100.0], seconds=60.0)[-1]
    assert coarse == pytest.approx(fine)


def test_noise_has_its_size_and_wanders() -> None:
    noisy = Tag("X-1.PV", "x", low=-1000.0, high=1000.0, noise=2.0)
    shown = show(noisy, [10.0] * 20_000)
    assert shown.mean() == pytest.approx(10.0, abs=0.2)
    assert shown.std() == pytest.approx(2.0 * np.sqrt(1.0 + 0.3**2), rel=0.05)
    blocks = shown.reshape(-1, 20).mean(axis=1)
    assert blocks.std() > 1.2 * 2.0 / np.sqrt(20)


def test_noise_may_grow_with_the_reading() -> None:
    noisy = Tag("X-1.PV", "x", low=-1000.0, high=1000.0, noise_share=0.01)
    assert show(noisy, [0.0] * 100).tolist() == [0.0] * 100
    assert show(noisy, [500.0] * 5000).std() == pytest.approx(5.0, rel=0.1)


def test_a_reading_is_a_multiple_of_the_resolution() -> None:
    coarse = Tag("X-1.PV", "x", low=-1000.0, high=1000.0, quantum=0.05)
    assert show(coarse, [1.234, 1.27, -0.026]).tolist() == [1.25, 1.25, -0.05]


def test_a_reading_is_clipped_to_its_range() -> None:
    short = Tag("X-1.PV", "x", low=0.0, high=10.0)
    assert show(short, [-5.0, 5.0, 15.0]).tolist() == [0.0, 5.0, 10.0]


def test_saved_instruments_go_on_bit_for_bit() -> None:
    truth = np.full((2, len(TAGS)), 5.0)
    one, other = Instruments(TAGS, 2, 9), Instruments(TAGS, 2, 0)
    one.read(truth, 1.0, 1_000_000)
    other.restore(json.loads(json.dumps(one.to_json())))
    later = 2_000_000
    assert (
        one.read(truth, 1.0, later).tolist() == other.read(truth, 1.0, later).tolist()
    )


def test_a_slow_instrument_holds_its_value_between_two_samples() -> None:
    slow = Tag("X-1.PV", "x", low=-1000.0, high=1000.0, period_s=3.0)
    shown = show(slow, [float(n) for n in range(8)])
    assert shown.tolist() == [0.0, 0.0, 0.0, 3.0, 3.0, 3.0, 6.0, 6.0]


def test_every_unit_has_its_number_or_says_that_there_is_none() -> None:
    assert {tag.unit for tag in TAGS if tag.part in {"PV", "SP", "OUT"}} >= {
        units.DEGREE_CELSIUS, units.WATT, units.GRAM_PER_LITRE, units.NEWTON_METRE,
    }  # fmt: skip
    for tag in TAGS:
        if tag.unit is not None and tag.unit.unit_id == -1:
            assert tag.unit.namespace == units.OWN


@pytest.mark.parametrize(
    ("unit", "number"),
    [
        (units.DEGREE_CELSIUS, 4408652),
        (units.PH, 5321520),
        (units.PERCENT, 20529),
        (units.MILLIBAR, 5063250),
        (units.PER_MINUTE, 5394509),
        (units.LITRE_PER_MINUTE, 19506),
        (units.MILLILITRE_PER_MINUTE, 13361),
        (units.LITRE, 5002322),
        (units.KILOGRAM, 4933453),
        (units.SECOND, 5457219),
        (units.MILLIVOLT, 12890),
        (units.NANOAMPERE, 4404025),
        (units.WATT, 5723220),
        (units.NEWTON_METRE, 20053),
        (units.GRAM_PER_LITRE, 18252),
        (units.MILLIMOLE_PER_LITRE, 5059379),
        (units.MILLISIEMENS_PER_CM, 4732465),
        (units.ONE, 4404786),
        (units.PICOFARAD_PER_CM, -1),
    ],
)
def test_units_have_the_numbers_of_the_unece_list(
    unit: units.Unit, number: int
) -> None:
    assert unit.unit_id == number
