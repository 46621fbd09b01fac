"""A picture of the catalogue: how long after it can be seen each fault is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.evaluation.catalogue_score import CLASSES, caused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from tests.evaluation.catalogue_score import Outcome

SOONEST_H, LATEST_H, MISSED_H = 0.01, 300.0, 600.0
COLOURS = dict(zip(CLASSES, ("#1b6ca8", "#c1440e", "#2e7d32", "#7b3fa0"), strict=True))
PLAIN = "#9a9a9a"


def drawn(outcomes: Sequence[Outcome], file: Path) -> None:
    """Draw our delays above those of the plain alarm set, a line for each fault.

    Only alarms that tell of the fault count.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    scored = [caused(o) for o in outcomes if o.is_scored]
    names = sorted({o.truth.fault for o in scored if o.truth}, reverse=True)
    figure, axes = pyplot.subplots(figsize=(9.0, 0.26 * len(names) + 1.6))
    for line, name in enumerate(names):
        _line(axes, line, [o for o in scored if o.truth and o.truth.fault == name])
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(-0.7, len(names) - 0.3)
    axes.set_xscale("log")
    axes.set_xlim(0.7 * SOONEST_H, 1.6 * MISSED_H)
    axes.axvline(24.0, color="black", linewidth=0.6, linestyle=":")
    axes.axvline(400.0, color="black", linewidth=0.6)
    ticks = {0.01: "at once", 0.1: "6 min", 1: "1 h", 10: "10 h", 24: "1 day",
             100: "100 h", MISSED_H: "never"}  # fmt: skip
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.minorticks_off()
    axes.grid(axis="y", linewidth=0.3)
    axes.set_xlabel("after it could first be seen")
    for kind, colour in COLOURS.items():
        axes.plot([], [], "o", color=colour, label=f"fedbatch, {kind}")
    axes.plot([], [], "|", color=PLAIN, markersize=9, label="plain alarm set")
    axes.legend(
        loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=5, fontsize=7,
        frameon=False,
    )  # fmt: skip
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    pyplot.close(figure)


def _line(axes: Axes, line: int, mine: Sequence[Outcome]) -> None:
    for number, one in enumerate(sorted(mine, key=lambda o: o.seed)):
        height = line + 0.12 * (number - 0.5 * (len(mine) - 1))
        kind = str(one.truth.kind) if one.truth else ""
        colour = COLOURS.get(kind, "black")
        right = one.first is not None and one.first.verdict == kind
        axes.plot(_place(one.plain_delay_h), height, "|", color=PLAIN, markersize=7)
        axes.plot(
            _place(one.delay_h), height, "o", color=colour, markersize=4,
            markerfacecolor=colour if right else "white",
        )  # fmt: skip


def _place(delay_h: float | None) -> float:
    if delay_h is None:
        return MISSED_H
    return min(max(delay_h, SOONEST_H), LATEST_H)
