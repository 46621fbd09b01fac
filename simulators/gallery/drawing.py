"""Draws the gallery's pictures with matplotlib; small, quiet and alike."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from simulators.gallery.panels import OF, TRUE
from simulators.gallery.runs import unit_of
from simulators.tags import ASSAY

if TYPE_CHECKING:
    from pathlib import Path

    from simulators.gallery.runs import Curves

INK, QUIET, GRID = "#22313f", "#a9b4bf", "#e8ecef"
BLUE, RED, GREEN, GOLD, PLUM = "#1d6fa5", "#c8452f", "#3a8f5d", "#d99a2b", "#7a4d8b"
SHADE = "#fdf3df"
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.titlesize": 8.5,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
}
COLOURS = 48
"""Of a picture; drawings need no more, and files get small."""


def keep(figure: Figure, path: Path) -> None:
    """Write a picture as a PNG with few colours."""
    raw = io.BytesIO()
    figure.savefig(raw, dpi=100, facecolor="white")
    with Image.open(raw) as picture:
        few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        few.save(path, optimize=True)


def fault(name: str, faulty: Curves, clean: Curves, lasts_h: float, path: Path) -> None:
    """Draw one fault beside its twin."""
    shown = OF[name]
    with mpl.rc_context(STYLE):
        count = len(shown.curves)
        figure = Figure(figsize=(9.0, 2.15), layout="constrained")
        for place, curve in enumerate(shown.curves):
            axes = figure.add_subplot(1, count, place + 1)
            window = shown.before_h, shown.after_h
            _panel(axes, curve, (faulty, clean), window)
            axes.axvspan(0.0, min(lasts_h, shown.after_h), color=SHADE, lw=0, zorder=0)
            _hours(axes, shown.before_h, shown.after_h)
        keep(figure, path)


def _panel(
    axes: Any,  # noqa: ANN401
    curve: str,
    both: tuple[Curves, Curves],
    window: tuple[float, float],
) -> None:
    hidden = curve in TRUE
    for curves, colour, width in ((both[1], QUIET, 1.3), (both[0], BLUE, 1.1)):
        hours, values = curves.of(curve)
        within = (hours >= -window[0]) & (hours <= window[1])
        hours, values = hours[within], values[within]
        if curve in ASSAY:
            axes.plot(hours, values, "o", ms=4.5, color=colour, mec="white", mew=0.5)
        else:
            paint = RED if hidden and colour is BLUE else colour
            axes.plot(hours, values, lw=width, color=paint)
    truth = " (hidden)" if hidden else ""
    axes.set_title(unit_of(curve) + truth)
    _roomy(axes, curve)


def _roomy(axes: Any, curve: str) -> None:  # noqa: ANN401
    """Leave noise small where nothing happens."""
    least = {"AIC-101": 0.12, "true pH": 0.12, "TIC-101.PV": 0.6, "true temp": 0.6,
             "AIC-102.PV": 8.0, "true oxygen": 8.0, "WIT-101": 12.0, "AIT-131": 0.6,
             "AIT-132": 0.6, "TIC-102": 2.0, "FIC-121": 4.0}  # fmt: skip
    low, high = axes.get_ylim()
    wanted = next((v for k, v in least.items() if curve.startswith(k)), 0.0)
    if curve == "AIC-101.OUT":
        wanted = 10.0
    if curve == "AIC-101.RAW":
        wanted = 6.0
    if high - low < wanted:
        middle = 0.5 * (low + high)
        axes.set_ylim(middle - wanted / 2, middle + wanted / 2)
    axes.ticklabel_format(axis="y", useOffset=False)


def _hours(axes: Any, before: float, after: float) -> None:  # noqa: ANN401
    axes.set_xlim(-before, after)
    if after <= 3.0:
        factor, unit = 60.0, "min"
    elif after > 72.0:
        factor, unit = 1.0 / 24.0, "days"
    else:
        factor, unit = 1.0, "h"
    axes.xaxis.set_major_formatter(lambda x, _: f"{round(x * factor, 6) + 0.0:g}")
    span = (after + before) * factor
    step = next(s for s in (1, 2, 5, 10, 20, 30, 60) if span / s <= 8)
    first = np.ceil(-before * factor / step) * step
    axes.set_xticks(np.arange(first, after * factor + 1e-9, step) / factor)
    axes.set_xlabel(f"{unit} since the onset", labelpad=1)


def process(batch: Curves, path: Path) -> None:
    """Draw one batch: what cells do, what loops do."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.0, 6.6), layout="constrained")
        axes = figure.subplots(4, 2, sharex=True).ravel()
        days = batch.hours / 24.0
        true, get = batch.true, batch.of
        _lines(axes[0], days, {"viable cells, 1e9/L": (true["viable"], BLUE)})
        _dots(axes[0], batch, "LAB.VCD", BLUE)
        _lines(axes[1], days, {
            "glucose": (true["glucose"], GREEN),
            "lactate, mmol/L": (true["lactate"], RED),
        })  # fmt: skip
        _lines(axes[2], days, {"antibody, g/L": (true["antibody"], PLUM)})
        _dots(axes[2], batch, "LAB.TITER", PLUM)
        _lines(axes[3], days, {
            "temperature": (get("TIC-101.PV")[1], RED),
            "jacket, °C": (get("TIC-102.PV")[1], GOLD),
        })  # fmt: skip
        axes[3].set_ylim(15, 45)
        _lines(axes[4], days, {"pH": (get("AIC-101.PV")[1], BLUE)})
        axes[4].set_ylim(6.85, 7.15)
        _lines(axes[5], days, {
            "base, mL/min": (get("FIC-122.PV")[1], PLUM),
            "carbon dioxide, L/min": (get("FIC-113.PV")[1], QUIET),
        })  # fmt: skip
        _lines(axes[6], days, {
            "oxygen, % air": (get("AIC-102.PV")[1], BLUE),
            "loop output, %": (get("AIC-102.OUT")[1], GOLD),
        })  # fmt: skip
        _lines(axes[7], days, {
            "stirrer / 10, 1/min": (get("SIC-101.PV")[1] / 10.0, QUIET),
            "air": (get("FIC-111.PV")[1], BLUE),
            "oxygen, L/min": (get("FIC-112.PV")[1], RED),
        })  # fmt: skip
        for one in axes:
            _phases(one)
        for one in axes[6:]:
            one.set_xlabel("days of culture", labelpad=1)
        keep(figure, path)


def _lines(axes: Any, days: Any, curves: dict[str, Any]) -> None:  # noqa: ANN401
    for label, (values, colour) in curves.items():
        axes.plot(days, values, lw=1.1, color=colour, label=label)
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.01, 0.97), ncols=3, borderaxespad=0.0,
        handlelength=1.2, columnspacing=1.0,
    )  # fmt: skip


def _dots(axes: Any, batch: Curves, assay: str, colour: str) -> None:  # noqa: ANN401
    hours, values = batch.of(assay)
    axes.plot(hours / 24.0, values, "o", ms=3.8, color=colour, mec="white", mew=0.6)


def _phases(axes: Any) -> None:  # noqa: ANN401
    axes.set_xlim(-0.55, 14.4)
    for begin, end in ((3.0, 5.0), (14.0, 14.4)):
        axes.axvspan(begin, end, color=SHADE, lw=0, zorder=0)


def variety(batches: list[Curves], path: Path) -> None:
    """Draw how batches differ."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.0, 2.3), layout="constrained")
        wanted = (("viable", BLUE), ("lactate", RED), ("antibody", PLUM))
        for place, (name, colour) in enumerate(wanted):
            axes = figure.add_subplot(1, 3, place + 1)
            for batch in batches:
                axes.plot(
                    batch.hours / 24.0,
                    batch.true[name],
                    lw=0.8,
                    color=colour,
                    alpha=0.6,
                )
            axes.set_title(TRUE[name])
            axes.set_xlim(0.0, 14.0)
            axes.set_xlabel("days of culture", labelpad=1)
        keep(figure, path)
