"""What a running plant looks like in a terminal: a table, or a plain line. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from rich.console import Group
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from deploy.alarms.view import few

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from deploy.alarms.alarm import Alarm

MOST_ALARMS = 5
"""Alarms that are shown; the others are only counted."""
LIVE_S = 5.0
"""A plant is live when the newest reading of every vessel is younger than this."""


@dataclass(frozen=True, slots=True)
class VesselLine:
    """One vessel now."""

    vessel: str
    batch: str
    phase: str
    values: tuple[str, ...]
    """One per heading of the picture, with what is to be shown."""
    newest: float | None
    """Time of its newest reading, s since 1970 UTC."""


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """One process: its name and what is to be said of it."""

    name: str
    text: str
    well: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything that is shown, as the HTTP API answered it."""

    now: float
    """Wall clock, s since 1970 UTC."""
    headings: tuple[str, ...] = ()
    vessels: tuple[VesselLine, ...] = ()
    seen: int = 0
    """Readings on the live stream since the view began."""
    per_s: float = 0.0
    """The same per second of wall time, lately."""
    stored: bool = False
    """Whether the way to the database has been proven: a heartbeat was stored."""
    age_s: float | None = None
    """Age of the newest stored heartbeat: from the instrument to an answer, s."""
    gaps: int = 0
    """Declared gaps since the plant began."""
    last_gap: str = ""
    history_from: float | None = None
    """Where the simulated history began, s since 1970 UTC; None without a simulator."""
    services: tuple[ServiceLine, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    """Active ones, the most urgent first."""
    trouble: str = ""
    """Why the API did not answer, if it did not."""

    @property
    def newest(self) -> float | None:
        """Time of the newest reading of the vessel that is furthest behind."""
        times = [line.newest for line in self.vessels]
        known = [time for time in times if time is not None]
        return min(known) if known and len(known) == len(times) else None

    @property
    def behind_s(self) -> float | None:
        """How far that reading is behind now, s."""
        return None if self.newest is None else max(0.0, self.now - self.newest)

    @property
    def live(self) -> bool:
        """Whether the plant has caught up with now."""
        return self.behind_s is not None and self.behind_s < LIVE_S

    @property
    def waits(self) -> Alarm | None:
        """The first alarm that nobody has acknowledged."""
        return next((alarm for alarm in self.alarms if alarm.is_unseen), None)

    @property
    def urgent(self) -> int:
        """Active alarms of priority 1 and 2 that nobody has acknowledged."""
        return sum(a.is_unseen and a.priority <= 2 for a in self.alarms)

    @property
    def caught_up(self) -> float:
        """Share of the history that is stored, 0 to 1."""
        if self.history_from is None or self.newest is None:
            return 1.0 if self.live else 0.0
        whole = max(1.0, self.now - self.history_from)
        return min(1.0, max(0.0, (self.newest - self.history_from) / whole))


def plain(picture: Picture) -> str:
    """Return one line, for a terminal that is none."""
    parts = [
        _age(picture),
        f"{picture.per_s:.0f} readings/s",
        f"{picture.seen} readings",
        f"{picture.gaps} gaps",
        f"{len(picture.alarms)} alarms",
        *(f"{line.vessel}: {line.batch} {line.phase}" for line in picture.vessels[:4]),
        *(f"{s.name}: {s.text}" for s in picture.services if not s.well),
    ]
    return "  ".join([*parts, picture.trouble]).rstrip()


def drawn(
    picture: Picture, title: str, urls: Sequence[tuple[str, str]], notice: str = ""
) -> Panel:
    """Return the live view.

    Args:
        picture: what to show.
        title: the first line.
        urls: pairs of a name and an address, or a command to try.
        notice: what became of the last key.
    """
    shown = few(picture.alarms, picture.now, MOST_ALARMS)
    parts: list[RenderableType] = [_vessels(picture), Text(""), shown, Text("")]
    if notice:
        parts += [Text(notice), Text("")]
    parts.append(_flow(picture))
    if not picture.live:
        parts.append(_catching_up(picture))
    parts += [_services(picture), Text(""), _addresses(urls)]
    return Panel(
        Group(*parts),
        title=title,
        subtitle="a acknowledges the first   Ctrl-C stops"
        if picture.waits
        else "Ctrl-C stops",
        border_style=_border(picture),
    )


def _border(picture: Picture) -> str:
    if picture.urgent:
        return "red"
    return "green" if picture.live else "yellow"


def _vessels(picture: Picture) -> Table:
    table = Table(box=None, pad_edge=False, expand=True)
    for heading in ("vessel", "batch", "phase"):
        table.add_column(heading, no_wrap=True)
    for heading in (*picture.headings, "at"):
        table.add_column(heading, justify="right", no_wrap=True)
    for line in picture.vessels:
        at = _clock(line.newest, picture.now)
        table.add_row(line.vessel, line.batch, line.phase, *line.values, at)
    return table


def _flow(picture: Picture) -> Text:
    text = Text(f"{picture.per_s:,.0f} readings/s   {picture.seen:,} readings   ")
    text.append(_age(picture), style="green" if picture.live else "yellow")
    text.append(f"   {picture.gaps} declared gaps")
    if picture.last_gap:
        text.append(f" (last: {picture.last_gap})", style="dim")
    return text


def _age(picture: Picture) -> str:
    if picture.behind_s is None:
        return "no reading yet"
    if not picture.live:
        return f"{_length(picture.behind_s)} behind"
    age_s = picture.behind_s if picture.age_s is None else picture.age_s
    return f"live, {age_s:.1f} s from instrument to answer"


def _catching_up(picture: Picture) -> Table:
    row = Table.grid(padding=(0, 1))
    bar = ProgressBar(total=1.0, completed=picture.caught_up, width=40)
    row.add_row("catching up", bar, f"{picture.caught_up:.0%}")
    return row


def _services(picture: Picture) -> Text:
    text = Text()
    for line in picture.services:
        style = "green" if line.well else "red"
        text.append("● ", style=style).append(f"{line.name} ")
        text.append(f"{line.text}   ", style="dim" if line.well else "red")
    if picture.trouble:
        text.append(f"\n{picture.trouble}", style="red")
    return text


def _addresses(urls: Sequence[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, address in urls:
        table.add_row(Text(name, style="dim"), Text(address, overflow="fold"))
    return table


def _clock(time: float | None, now: float) -> str:
    if time is None:
        return "-"
    known = "%H:%M:%S" if now - time < 43_200 else "%d %b %H:%M"
    return datetime.fromtimestamp(time, UTC).strftime(known)


def _length(seconds: float) -> str:
    whole = timedelta(seconds=int(seconds))
    return f"{whole.days} d {whole.seconds // 3600} h" if whole.days else str(whole)
