"""The report of an evaluation: text, a page, and figures for programs."""

from __future__ import annotations

import html
import json
import math
from typing import TYPE_CHECKING

from services.monitor.evaluation.blind import BLIND
from services.monitor.evaluation.questions import AS_RECORDED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from services.monitor.evaluation.reading import Dataset
    from services.monitor.evaluation.table import Line

PICTURE = "evaluation.png"
PAGE = "evaluation.html"
FIGURES = "evaluation.json"

_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:78rem;
padding:0 1rem;color:#1c2530}table{border-collapse:collapse;margin:1rem 0;width:100%}
th,td{padding:.28rem .6rem;text-align:right;border-bottom:1px solid #dde3e8;
font-variant-numeric:tabular-nums}th{background:#f3f6f8}td:first-child,th:first-child{
text-align:left}tr.ours{background:#e8f3ee;font-weight:600}tr.blind{color:#8a6d1d}
img{max-width:100%}.note{color:#55616d}.wide{overflow-x:auto}
"""


def columns(dataset: Dataset) -> dict[str, Callable[[Line], str]]:
    """Return the columns that a data set can fill, by heading."""
    all_columns: dict[str, Callable[[Line], str]] = {
        "F1": lambda e: _number(e.merit.rows.f1, 3),
        "FAR %": lambda e: _number(e.merit.rows.far, 2),
        "FAR faultless %": lambda e: _number(e.merit.far_faultless, 2),
        "MAR %": lambda e: _number(e.merit.rows.mar, 1),
        "balanced %": lambda e: _number(e.merit.rows.balanced, 1),
        "FDR %": lambda e: _number(e.merit.fdr, 1),
        "detected": lambda e: f"{e.merit.detected}/{e.merit.faulty}",
        "delay, rows": lambda e: _number(e.merit.delay, 1),
        "events hit %": lambda e: _number(e.merit.events_hit, 1),
        "95 % interval": lambda e: "-".join(_number(v, 0) for v in e.events),
        "false alarms/day": lambda e: _number(e.merit.false_per_day, 2),
        "us/row": lambda e: _number(e.us_per_row, 0),
    }
    if dataset.manifest.label is None:
        kept = ("FAR %", "false alarms/day", "us/row")
        return {name: all_columns[name] for name in kept}
    return all_columns


def as_text(dataset: Dataset, lines: Sequence[Line]) -> str:
    """Return the tables for a terminal."""
    shown = columns(dataset)
    width = max(len(line.method) for line in lines)
    parts = [heading(dataset)]
    head = "".join(f"  {name:>8}" for name in shown)
    for kind in kinds(lines):
        parts.append(f"\n{kind:{width}}{head}")
        for line in (one for one in lines if one.kind == kind):
            cells = (f"  {cell(line):>{max(len(n), 8)}}" for n, cell in shown.items())
            parts.append(f"{line.method:{width}}{''.join(cells)}")
    return "\n".join(parts)


def write_report(dataset: Dataset, lines: Sequence[Line], folder: Path) -> Path:
    """Write the page, its picture and the figures; return the page.

    The picture is left out where matplotlib is not installed (extra `plots`).
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = _drawn(dataset, lines, folder / PICTURE)
    figures = [_figures(line) for line in lines]
    (folder / FIGURES).write_text(json.dumps(figures, indent=1) + "\n")
    page = folder / PAGE
    page.write_text(as_page(dataset, lines, picture=PICTURE if drawn else None))
    return page


def _drawn(dataset: Dataset, lines: Sequence[Line], path: Path) -> bool:
    try:
        from services.monitor.evaluation.picture import draw  # noqa: PLC0415  extra
    except ModuleNotFoundError:
        return False
    draw(dataset, lines, path)
    return True


def heading(dataset: Dataset) -> str:
    """Return what was scored, in a line."""
    rows = sum(len(r.rows) for r in dataset.scored)
    return (
        f"{dataset.manifest.name}: {len(dataset.scored)} scored recordings, "
        f"{rows} rows, {len(dataset.tags)} tags, "
        f"{len(dataset.training)} training recordings"
    )


def kinds(lines: Sequence[Line]) -> list[str]:
    """Return the kinds of questions in the order they were asked."""
    return list(dict.fromkeys(line.kind for line in lines))


def as_page(dataset: Dataset, lines: Sequence[Line], picture: str | None) -> str:
    """Return the report as one HTML page beside its picture."""
    name = html.escape(dataset.manifest.name)
    body = [f"<h1>{name}</h1><p>{html.escape(heading(dataset))}</p>"]
    if dataset.manifest.source:
        body.append(f'<p class="note">{html.escape(dataset.manifest.source)}</p>')
    if picture:
        body.append(f'<img src="{picture}" alt="Figures of merit and alarms">')
    body += [_html_table(dataset, kind, lines) for kind in kinds(lines)]
    body.append(_NOTE)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title>'
        f"<style>{_STYLE}</style><body>{''.join(body)}</body></html>\n"
    )


_NOTE = """<p class="note">F1, false alarm rate (FAR), missed alarm rate (MAR) and their
balance are of rows, over all recordings together; FAR faultless: of recordings without
any fault. FDR: faulty rows with an alarm, mean
over recordings; detected and delay: by the first of six alarm rows in a row, without
recordings set aside. Events: labelled windows with enough alarm rows in a row. The
blind methods see no values: what they reach says how far the figure can be had for
nothing; the timer is fitted to the labels it is scored on.</p>"""


def _html_table(dataset: Dataset, kind: str, lines: Sequence[Line]) -> str:
    shown = columns(dataset)
    head = "".join(f"<th>{html.escape(name)}</th>" for name in shown)
    rows = []
    for line in (one for one in lines if one.kind == kind):
        look = "ours" if line.ours else "blind" if line.method in BLIND else ""
        cells = "".join(
            f"<td>{html.escape(cell(line))}</td>" for cell in shown.values()
        )
        rows.append(
            f'<tr class="{look}"><td>{html.escape(line.method)}</td>{cells}</tr>'
        )
    title = "" if kind == AS_RECORDED and len(kinds(lines)) == 1 else f"<h2>{kind}</h2>"
    table = f"<table><tr><th>method</th>{head}</tr>{''.join(rows)}</table>"
    return f'{title}<div class="wide">{table}</div>'


def _figures(line: Line) -> dict[str, object]:
    rows, found = line.merit.rows, line.merit
    values = {
        "f1": rows.f1, "far": rows.far, "far_faultless": found.far_faultless,
        "mar": rows.mar, "balanced": rows.balanced,
        "fdr": found.fdr, "fdr_all": found.fdr_all, "detected": found.detected,
        "faulty": found.faulty, "delay_rows": found.delay,
        "events_hit": found.events_hit, "events": found.events,
        "events_low": line.events[0], "events_high": line.events[1],
        "false_per_day": found.false_per_day, "us_per_row": line.us_per_row,
    }  # fmt: skip
    told = {k: v if math.isfinite(v) else None for k, v in values.items()}
    return {"kind": line.kind, "method": line.method, "ours": line.ours, **told}


def _number(value: float, digits: int) -> str:
    if math.isnan(value):
        return "-"
    return "never" if math.isinf(value) else f"{value:.{digits}f}"
