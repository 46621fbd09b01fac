"""The picture of the cards: how soon each size is found, and how well a rate is met."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

    from tests.evaluation.card import Card
    from tests.evaluation.chosen_rate import Met

INK = ("#1f7a5a", "#2f6db0", "#a8452f", "#c9a227", "#6a4c93", "#5b6b7b")


def draw(cards: list[Card], rates: list[Met], path: Path) -> None:
    """Write a PNG with both panels."""
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False}):
        figure = Figure(figsize=(10.5, 4.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        _delays(left, [c for c in cards if c.detector.startswith("residual")])
        _rates(right, rates)
        figure.savefig(path, dpi=120)


def _delays(axes: Axes, cards: list[Card]) -> None:
    for ink, card in zip(INK, cards, strict=False):
        sizes = list(card.delays)
        hours = [float(np.median(card.delays[size])) / 3600.0 for size in sizes]
        label = f"{card.detector.partition(', ')[2]}, {card.setting.partition(';')[0]}"
        axes.plot(sizes, hours, "o-", color=ink, label=label)
    axes.set(
        xlabel="step, in deviations of a 5 min average", ylabel="median delay, h",
        yscale="log", title="Residuals: how soon a step is found",
    )  # fmt: skip
    _plain(axes.yaxis, (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0))
    axes.legend(frameon=False, fontsize=8)


def _plain(axis: Axis, ticks: tuple[float, ...]) -> None:
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())


def _rates(axes: Axes, rates: list[Met]) -> None:
    asked = sorted({m.asked for m in rates})
    kinds = sorted({(m.window_s, m.learned) for m in rates})
    for ink, kind in zip(INK, kinds, strict=False):
        mine = [m for m in rates if (m.window_s, m.learned) == kind]
        label = f"{kind[1]} windows of {kind[0]} s"
        axes.plot([m.asked for m in mine], [m.measured for m in mine], "o-",
                  color=ink, label=label)  # fmt: skip
    line = np.array([asked[0] / 2.0, asked[-1] * 2.0])
    axes.fill_between(
        line, 0.5 * line, 1.5 * line, color="#dfe6ea", label="within 50 %"
    )
    axes.set(
        xlabel="false alarms a week, chosen", ylabel="measured on fresh seeds",
        xscale="log", yscale="log", title="The chosen rate is met",
    )  # fmt: skip
    for axis in (axes.xaxis, axes.yaxis):
        _plain(axis, (0.1, 0.2, 0.5, 1.0, 2.0, 5.0))
    axes.legend(frameon=False, fontsize=8)
