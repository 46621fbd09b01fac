"""The picture of an evaluation: what each method reaches, and when ours alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from services.monitor.evaluation.blind import BLIND
from services.monitor.evaluation.recording import events

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from services.monitor.evaluation.reading import Dataset
    from services.monitor.evaluation.table import Line

OURS, THEIRS, SEES_NOTHING = "#1f7a5a", "#5b6b7b", "#c9a227"
FAULT = "#f0c9c2"
MOST = 24
"""Recordings whose alarms are drawn."""


def draw(dataset: Dataset, lines: Sequence[Line], path: Path) -> None:
    """Write a PNG with both panels."""
    first = [line for line in lines if line.kind == lines[0].kind]
    shown = _each_once(first[0])
    height = 1.6 + 0.26 * max(len(shown), 2 * len(first) // 2)
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False}):
        figure = Figure(figsize=(13, max(height, 4.5)), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[1, 1.25])
        _bars(left, first, windows=dataset.manifest.aligned)
        _alarms(right, first[0], shown, dataset)
        figure.suptitle(f"{dataset.manifest.name}, {first[0].kind}")
        figure.savefig(path, dpi=130)


def _bars(axes: Axes, lines: Sequence[Line], *, windows: bool) -> None:
    """Draw what each method reaches, with its false alarms beside it."""
    labelled = any(line.merit.events for line in lines)
    if not labelled:
        values = [line.merit.rows.far for line in lines]
        axes.set_xlabel("rows with a false alarm, %")
    elif windows:
        values = [line.merit.events_hit for line in lines]
        axes.set_xlabel("labelled windows hit, % (beside: FAR of faultless recordings)")
    else:
        values = [line.merit.rows.balanced for line in lines]
        axes.axvline(50.0, color="#999", lw=0.8, ls=":")
        axes.set_xlabel("balanced accuracy of rows, % (50 is blind)")
    colors = [
        OURS if line.ours else SEES_NOTHING if line.method in BLIND else THEIRS
        for line in lines
    ]
    place = np.arange(len(lines))[::-1]
    axes.barh(place, values, color=colors, height=0.7)
    axes.set_yticks(place, [line.method for line in lines])
    for y, line, value in zip(place, lines, values, strict=True):
        far = line.merit.far_faultless if windows else line.merit.rows.far
        text = f" {value:.1f}" + (f" (FAR {far:.1f})" if labelled else "")
        axes.text(value, y, text, va="center", fontsize=8)
    axes.set_xlim(0, max(values) * 1.25 + 1e-9)


def _each_once(line: Line) -> list[int]:
    """Return which answers to draw: each recording once, evenly chosen."""
    seen: dict[str, int] = {}
    for i, answer in enumerate(line.answers):
        seen.setdefault(answer.recording.name, i)
    kept = list(seen.values())
    step = max(1, -(-len(kept) // MOST))
    return kept[::step]


def _alarms(axes: Axes, line: Line, shown: Sequence[int], dataset: Dataset) -> None:
    """Draw the labels as bands and our alarms as lines, a recording a row."""
    hours = dataset.manifest.time.row_s / 3600.0
    for y, i in enumerate(reversed(shown)):
        answer = line.answers[i]
        for window in events(answer.recording.fault):
            width = (window.stop - window.start) * hours
            axes.barh(y, width, left=window.start * hours, color=FAULT, height=0.8)
        for run in events(answer.alarm):
            width = (run.stop - run.start) * hours
            axes.barh(y, width, left=run.start * hours, color=OURS, height=0.35)
        axes.plot(
            [0, len(answer.alarm) * hours], [y, y], color="#bbb", lw=0.5, zorder=0
        )
    names = [line.answers[i].recording.name for i in reversed(shown)]
    axes.set_yticks(np.arange(len(names)), names, fontsize=8)
    axes.set_xlabel("hours from the first scored row")
    axes.set_title(
        f"{line.method}: alarms (green) in labelled faults (red)", fontsize=9
    )
