"""Cards of the checks of one tag alone: limit, rate, frozen, noise, quality."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from shared.checks import Frozen, Limit, Noise, Quality, Rate, TagChecks
from tests.evaluation.card import Card
from tests.evaluation.card_runs import instrument, watched
from tests.neighbours.watched import BAD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    Measure = Callable[[], Card]
    Change = Callable[[NDArray[np.float64], float], NDArray[np.float64]]

TAGS = 30
QUIET_S = 6 * 3600
"""Seconds without a change."""
BEFORE_S, AFTER_S = 1800, 3600
"""Seconds before a change and after it."""


def of_tags() -> Iterator[tuple[str, Measure]]:
    """Yield detectors with what measures their cards."""
    yield "none", _none
    sigma = "steps, in deviations of a reading"
    yield "limit", partial(
        _card, "limit", "4 deviations away, for 60 s",
        TagChecks(limits=(Limit(side="h", value=4.0, deadband=1.0),)),
        _stepped, (3.0, 5.0, 8.0), sigma,
    )  # fmt: skip
    yield "limit", partial(
        _card, "limit", "4 deviations away, at once",
        TagChecks(limits=(Limit(side="h", value=4.0, deadband=1.0, on_delay_s=0),)),
        _stepped, (3.0, 5.0, 8.0), sigma,
    )  # fmt: skip
    yield "rate", partial(
        _card, "rate", "8 deviations a minute, at once",
        TagChecks(rate=Rate(per_min=8.0, on_delay_s=0)),
        _rising, (6.0, 9.0, 16.0), "rises, in deviations a minute",
    )  # fmt: skip
    yield "frozen", partial(
        _card, "frozen", "15 min; resolution of 4 deviations",
        TagChecks(frozen=Frozen(after_s=900)),
        _stuck, (1.0,), "the value stands", resolution=4.0,
    )  # fmt: skip
    yield "noise", partial(
        _card, "noise", "0.3 to 3 deviations over 10 min, for 60 s",
        TagChecks(noise=Noise(least=0.3, most=3.0)),
        _scattered, (0.1, 4.0, 10.0), "scatter, in times the usual",
    )  # fmt: skip
    yield "quality", _quality


def _none() -> Card:
    found = watched(instrument(np.random.default_rng(20), 3600, TAGS), 1.0)
    return Card("none", "no check at all", 0.0, 0, "", {}, found.cpu_us)


def _card(
    detector: str,
    setting: str,
    check: TagChecks,
    change: Change,
    sizes: Sequence[float],
    meaning: str,
    *,
    resolution: float = 0.0,
) -> Card:
    random = np.random.default_rng(20)
    quiet = watched(_shown(instrument(random, QUIET_S, TAGS), resolution), 1.0, check)
    delays = {}
    for size in sizes:
        values = instrument(random, BEFORE_S + AFTER_S, TAGS)
        values[BEFORE_S:] = change(values[BEFORE_S:], size)
        found = watched(_shown(values, resolution), 1.0, check)
        delays[size] = found.delays(BEFORE_S)
    return Card(
        detector,
        setting,
        float(QUIET_S * TAGS),
        quiet.count,
        meaning,
        delays,
        quiet.cpu_us,
    )


def _shown(values: NDArray[np.float64], resolution: float) -> NDArray[np.float64]:
    return np.round(values / resolution) * resolution if resolution else values


def _stepped(values: NDArray[np.float64], size: float) -> NDArray[np.float64]:
    return values + size


def _rising(values: NDArray[np.float64], size: float) -> NDArray[np.float64]:
    return values + size * np.arange(len(values))[:, np.newaxis] / 60.0


def _stuck(values: NDArray[np.float64], size: float) -> NDArray[np.float64]:
    return np.broadcast_to(values[0] * size, values.shape)


def _scattered(values: NDArray[np.float64], size: float) -> NDArray[np.float64]:
    return values * size


def _quality() -> Card:
    check, random = TagChecks(quality=Quality()), np.random.default_rng(21)

    def bad(rows: int, share: float) -> NDArray[np.uint32]:
        found = random.random((rows, TAGS)) < share
        return np.where(found, BAD, 0).astype(np.uint32)

    values = instrument(random, QUIET_S, TAGS)
    quiet = watched(values, 1.0, check, status=bad(QUIET_S, 0.05))
    delays = {}
    for share in (0.3, 0.5, 1.0):
        said = np.concatenate([bad(BEFORE_S, 0.05), bad(AFTER_S, share)])
        found = watched(values[: len(said)], 1.0, check, status=said)
        delays[share] = found.delays(BEFORE_S)
    return Card(
        "quality", "20 % of 5 min; 5 % bad as usual", float(QUIET_S * TAGS),
        quiet.count,
        "share of bad readings", delays, quiet.cpu_us,
    )  # fmt: skip
