"""What the list of alarms looks like: a screen, a few lines, or plain text. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from deploy.alarms.alarm import age, clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from deploy.alarms.alarm import Alarm
    from deploy.alarms.selection import Listed

PRIORITIES = {
    1: "bold white on red",
    2: "bold black on dark_orange",
    3: "black on cyan",
    4: "white on grey37",
}
_KEYS = (("↑ ↓", "select"), ("a", "acknowledge"), ("q", "quit"))
_MOST_MOVED = 4
_DETAIL_LINES = 14
"""Lines that the explanation, the title and the keys take."""
_LEAST_ROWS = 3


def plain(alarm: Alarm, now: float) -> str:
    """Return one line, for a terminal that is none."""
    parts = [
        f"P{alarm.priority}",
        alarm.state,
        f"{alarm.vessel}: {alarm.words}",
        f"since {clock(alarm.since, now)} UTC",
        *(["simulated"] if alarm.simulated else []),
        f"look at first: {alarm.advice}",
    ]
    return "  ".join(parts)


def screen(listed: Listed, height: int) -> RenderableType:
    """Return the whole screen.

    Args:
        listed: what to show.
        height: lines of the terminal; the list is cut to fit, around the selection.
    """
    rows = max(_LEAST_ROWS, height - _DETAIL_LINES)
    parts: list[RenderableType] = [_title(listed), Text("")]
    if listed.alarms:
        parts.append(_table(listed, rows))
    else:
        parts.append(_nothing(listed))
    if listed.current is not None:
        parts += [Text(""), explained(listed.current, listed.url, listed.now)]
    parts.append(_foot(listed))
    return Group(*parts)


def few(alarms: Sequence[Alarm], now: float, most: int) -> RenderableType:
    """Return the first alarms in two lines each: what, and what to look at first."""
    if not alarms:
        return Text("no alarms", style="green")
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column(no_wrap=True, justify="right")
    for alarm in alarms[:most]:
        table.add_row(
            _priority(alarm),
            Text(alarm.vessel, style=_style(alarm)),
            Text(alarm.words, style=_style(alarm)),
            Text(f"{alarm.state_words}  {age(now - alarm.since)}", style="dim"),
        )
        table.add_row("", "", Text(alarm.advice, style="dim italic"), "")
    if len(alarms) > most:
        table.add_row("", "", Text(f"and {len(alarms) - most} more", style="dim"), "")
    return table


def explained(alarm: Alarm, url: str, now: float) -> Panel:
    """Return the explanation of one alarm."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    lasted = f"{clock(alarm.since, now)} UTC, {age(now - alarm.since)} ago"
    facts.add_row("look at first", Text(alarm.advice, style="bold"))
    facts.add_row("check", alarm.check)
    facts.add_row("since", lasted)
    if alarm.batch:
        phase = f", phase {alarm.phase}" if alarm.phase else ""
        facts.add_row("batch", f"{alarm.batch}{phase}")
    facts.add_row("quality", alarm.quality)
    facts.add_row("also moved", _moved(alarm))
    facts.add_row("trend", Text(f"{url}{alarm.trend}", style="cyan"))
    parts: list[RenderableType] = [facts]
    if alarm.advisory:
        said = "advisory: a model that still learns decided this"
        parts.insert(0, Text(said, style="magenta"))
    title = Text(f" {alarm.vessel}  {alarm.words} ", style="bold")
    if alarm.simulated:
        title.append("simulated ", style="magenta")
    border = "red" if alarm.priority == 1 else "dark_orange"
    if alarm.priority > 2 or alarm.is_gone:
        border = "grey50"
    return Panel(
        Group(*parts),
        title=title,
        title_align="left",
        border_style=border,
        padding=(0, 1),
    )


def _title(listed: Listed) -> Table:
    row = Table.grid(expand=True)
    row.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    row.add_column(justify="right", no_wrap=True)
    count = f"{len(listed.alarms)}{'+' if listed.more else ''}"
    said = Text("alarms ", style="bold")
    said.append(f" {count} listed", style="default")
    if listed.unseen:
        said.append(f"   {listed.unseen} not acknowledged", style="bold red")
    row.add_row(said, Text(f"{clock(listed.now, listed.now)} UTC", style="dim"))
    return row


def _table(listed: Listed, rows: int) -> Table:
    table = Table(box=None, expand=True, padding=(0, 1), header_style="dim")
    for heading in ("", "state", "vessel"):
        table.add_column(heading, no_wrap=True)
    table.add_column("what", no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column("since", no_wrap=True, justify="right")
    table.add_column("", no_wrap=True, justify="right")
    first = _first_row(listed.index, len(listed.alarms), rows)
    for alarm in listed.alarms[first : first + rows]:
        table.add_row(
            _priority(alarm),
            Text(_state(alarm, listed), style=_style(alarm)),
            Text(alarm.vessel, style=_style(alarm)),
            Text(alarm.words, style=_style(alarm)),
            Text(clock(alarm.since, listed.now), style="dim"),
            Text(age(listed.now - alarm.since), style="dim"),
            style="on grey23" if alarm is listed.current else "",
        )
    return table


def _first_row(selected: int, count: int, rows: int) -> int:
    """Return which alarm is at the top, so that the selected one is in the middle."""
    return max(0, min(selected - rows // 2, count - rows))


def _nothing(listed: Listed) -> Padding:
    if not listed.asked:
        return Padding(Text("asking ...", style="dim"), (1, 2))
    return Padding(Text("no alarms", style="bold green"), (1, 2))


def _priority(alarm: Alarm) -> Text:
    return Text(f" {alarm.priority} ", style=PRIORITIES.get(alarm.priority, "reverse"))


def _state(alarm: Alarm, listed: Listed) -> str:
    """Return the state with a mark that does without colour."""
    sent = (alarm.id, alarm.state) in listed.sent
    mark = "●" if alarm.is_unseen else "○"
    return f"{mark} {'acknowledging' if sent else alarm.state_words}"


def _style(alarm: Alarm) -> str:
    if alarm.is_unseen and not alarm.is_gone:
        return "bold"
    return "dim" if alarm.is_gone else ""


def _moved(alarm: Alarm) -> Text:
    if not alarm.moved:
        return Text("no other tag of the vessel", style="dim")
    shown = alarm.moved[:_MOST_MOVED]
    lines = [
        f"{each.tag.removeprefix(f'{alarm.vessel}/')} {each.before:.5g} → "
        f"{each.now:.5g} ({abs(each.sigmas):.1f} sigma)"
        for each in shown
    ]
    rest = len(alarm.moved) - len(shown)
    return Text("   ".join(lines) + (f"   and {rest} more" if rest else ""))


def _foot(listed: Listed) -> Table:
    row = Table.grid(expand=True)
    row.add_column(no_wrap=True)
    row.add_column(justify="right", no_wrap=True, overflow="ellipsis", ratio=1)
    text = Text(" ")
    for key, what in _KEYS:
        text.append(f" {key} ", style="reverse").append(f" {what}   ", style="dim")
    said = Text(listed.trouble, style="red") if listed.trouble else Text(listed.notice)
    row.add_row(text, said)
    return row
