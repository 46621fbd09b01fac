"""The comparisons as a picture: speeds on a logarithmic axis, ratios beside."""

from __future__ import annotations

import base64
import html
from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tests.benchmarks.results import HEAD, OURS, shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.benchmarks.results import Comparison

_OURS_COLOUR, _PEER_COLOUR = "#1f6f8b", "#b8bec6"
_BAR_INCHES = 0.3


def draw(comparisons: Sequence[Comparison], machine: str, to: Path) -> None:
    """Write the picture as PNG."""
    bars = sum(2 + len(each.goals) for each in comparisons)
    figure = Figure(figsize=(9, 1.3 + _BAR_INCHES * bars), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    at, ticks, names = 0.0, [], []
    for each in comparisons:
        title = f"{each.stage}, {each.case}" if each.case else each.stage
        axes.text(
            0.005,
            at,
            title,
            fontsize=9,
            weight="bold",
            va="center",
            transform=axes.get_yaxis_transform(),
        )
        for name in (OURS, *each.goals):
            at += 1
            speed = each.speed(name)
            colour = _OURS_COLOUR if name == OURS else _PEER_COLOUR
            axes.barh(at, speed, height=0.75, color=colour)
            said = f" {shown(speed)}"
            if name != OURS:
                said += f"   fedbatch: {each.ratio(name).said()}"
                said += " its cost" if each.goals[name].at_most else ""
            axes.text(speed, at, said, fontsize=8, va="center")
            ticks.append(at)
            names.append(name)
        at += 1.3
    speeds = [each.speed(name) for each in comparisons for name in (OURS, *each.goals)]
    axes.set_xscale("log")
    axes.set_xlim(min(speeds) / 3, max(speeds) * 30)
    axes.set_ylim(at - 0.5, -0.8)
    axes.set_yticks(ticks, names, fontsize=8)
    axes.set_xlabel(
        "readings per CPU second (medians; ratios paired, with range)", fontsize=8
    )
    axes.tick_params(axis="x", labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.text(0.01, 0.002, machine, fontsize=6, color="#555555")
    figure.get_layout_engine().set(rect=(0, 0.02, 1, 0.98))  # type: ignore[union-attr,call-arg]
    figure.savefig(to, dpi=90)


def page(
    comparisons: Sequence[Comparison], machine: str, picture: Path, to: Path
) -> None:
    """Write the table with the picture in it as one HTML file."""
    data = base64.b64encode(picture.read_bytes()).decode()
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in HEAD)
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
        for each in comparisons
        for row in each.rows()
    )
    notes = "".join(
        f"<li>{html.escape(note)}</li>" for each in comparisons for note in each.notes
    )
    to.write_text(
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<title>fedbatch: benchmarks</title><style>"
        "body{font:15px/1.5 sans-serif;max-width:62em;margin:2em auto;padding:0 1em}"
        "table{border-collapse:collapse}td,th{padding:.2em .7em;text-align:left;"
        "border-bottom:1px solid #ddd}img{max-width:100%}</style>"
        f"<h1>Benchmarks</h1><p>{html.escape(machine)}</p>"
        f"<table><tr>{head}</tr>{rows}</table>"
        f'<p><img alt="The same figures as bars" src="data:image/png;base64,{data}">'
        f"</p><ul>{notes}</ul></html>"
    )
