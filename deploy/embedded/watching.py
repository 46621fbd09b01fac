"""Looks at a plant through its HTTP API, as any user would."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

import httpx

from deploy.alarms.alarm import Alarm, alarm_of
from deploy.embedded.view import Picture, VesselLine

if TYPE_CHECKING:
    from deploy.embedded.view import ServiceLine

MOST_VESSELS = 16
"""Vessels that are shown; the others are only counted."""
KEYS = {
    "T Cel": "TIC-101.PV",
    "pH": "AIC-101.PV",
    "DO %": "AIC-102.PV",
    "cells pF/cm": "AIT-104.PV",
}
"""What is shown of vessels that have these tags; of others the first four numbers."""
_GAPS_EVERY_S = 5.0
_MOST_ALARMS = 200
_RATE_OVER_S = 10.0
_RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class Shown:
    """Which tags of one vessel are shown, by full name."""

    vessel: str
    values: tuple[str, ...]
    batch: str | None
    phase: str | None

    @property
    def tags(self) -> list[str]:
        """All of them."""
        return [*self.values, *(tag for tag in (self.batch, self.phase) if tag)]


class Watch:
    """Asks the API for what the view shows.

    Bounded by: the newest answers and ten seconds of counts. When full: n/a. Order:
    n/a. Duplicates: n/a. Retries: at the next look, the stream after 1 s; both for
    ever. On cancel: the stream's connection is closed.
    """

    def __init__(self, url: str, history_s: float | None) -> None:
        """Prepare; `history_s` is how long a simulated plant's past is, s."""
        self.url = url
        self._client = httpx.AsyncClient(base_url=url, trust_env=False, timeout=5.0)
        self._picture = Picture(now=time.time())
        self._history_s = history_s
        self._shown: list[Shown] = []
        self._configuration: int | None = None
        self._gaps_at = float("-inf")
        self._counted: deque[tuple[float, int]] = deque()
        self._seen = 0
        self._counting: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._counting = asyncio.create_task(self._count())
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._counting is not None:
            self._counting.cancel()
            with suppress(asyncio.CancelledError):
                await self._counting
        await self._client.aclose()

    @property
    def example(self) -> str | None:
        """A tag to try a question with; None before one is known."""
        values = (tag for shown in self._shown for tag in shown.values)
        return next(values, None)

    async def look(self, services: tuple[ServiceLine, ...]) -> Picture:
        """Return how the plant is now; with the last known where the API is silent."""
        try:
            if not self._shown:
                await self._choose()
            vessels = await self._vessels()
            ready = await self._ready()
            await self._gaps()
            alarms = await self._alarms()
        except (httpx.HTTPError, ValueError, KeyError) as error:
            trouble = f"the API does not answer: {error or type(error).__name__}"
            self._picture = replace(self._picture, trouble=trouble)
        else:
            self._picture = replace(
                self._picture, vessels=vessels, alarms=alarms, trouble=ready
            )
        self._picture = replace(
            self._picture,
            now=time.time(),
            services=services,
            seen=self._seen,
            per_s=self._rate(),
        )
        return self._picture

    async def _get(self, path: str, **query: Any) -> dict[str, Any]:  # noqa: ANN401
        answer = await self._client.get(path, params=query)
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return body

    async def _choose(self) -> None:
        vessels = (await self._get("/vessels"))["vessels"]
        tags = (await self._get("/tags"))["tags"]
        self._shown, headings = choose(vessels[:MOST_VESSELS], tags)
        self._picture = replace(self._picture, headings=headings)

    async def _vessels(self) -> tuple[VesselLine, ...]:
        tags = [tag for shown in self._shown for tag in shown.tags]
        if not tags:
            return ()
        body = await self._get("/current", tag=tags, rows=True)
        if body["configuration"] != self._configuration:
            self._configuration = body["configuration"]
            await self._choose()
            return self._picture.vessels
        rows = {row["tag"]: row for row in body["rows"]}
        lines = tuple(vessel_line(shown, rows) for shown in self._shown)
        if self._history_s is not None and self._picture.history_from is None:
            times = [line.newest for line in lines if line.newest is not None]
            if times:
                begin = max(min(times), time.time() - self._history_s)
                self._picture = replace(self._picture, history_from=begin)
        return lines

    async def _ready(self) -> str:
        """Return what is red, empty when nothing is; notes when a value is stored."""
        answer = await self._client.get("/health/ready")
        body = answer.json()
        if body["status"] == "ready":
            ages = [c["age_s"] for c in body["checks"] if c["age_s"] is not None]
            self._picture = replace(self._picture, stored=True, age_s=max(ages))
            return ""
        red = [c for c in body["checks"] if not c["ok"]]
        return "; ".join(f"{c['name']}: {c['detail']}" for c in red)

    async def _gaps(self) -> None:
        if time.monotonic() - self._gaps_at < _GAPS_EVERY_S:
            return
        gaps = (await self._get("/gaps", start="*-30d"))["gaps"]
        last = f"{gaps[-1]['cause']} {gaps[-1]['start'][:19]}Z" if gaps else ""
        self._picture = replace(self._picture, gaps=len(gaps), last_gap=last)
        self._gaps_at = time.monotonic()

    async def _alarms(self) -> tuple[Alarm, ...]:
        body = await self._get("/alarms", limit=_MOST_ALARMS)
        return tuple(alarm_of(each) for each in body["alarms"])

    async def _count(self) -> None:
        """Count the readings of the live stream, for ever."""
        while True:
            with suppress(httpx.HTTPError):
                async with self._client.stream(
                    "GET", "/stream?type=readings", timeout=30.0
                ) as answer:
                    async for line in answer.aiter_lines():
                        self._add(line)
            await asyncio.sleep(_RETRY_S)

    def _add(self, line: str) -> None:
        if not line.startswith("data: "):
            return
        body = json.loads(line.removeprefix("data: "))
        rows = len(body.get("time", ()))
        self._seen += rows
        self._counted.append((time.monotonic(), rows))

    def _rate(self) -> float:
        since = time.monotonic() - _RATE_OVER_S
        while self._counted and self._counted[0][0] < since:
            self._counted.popleft()
        return sum(rows for _, rows in self._counted) / _RATE_OVER_S


def choose(
    vessels: list[dict[str, Any]], tags: list[dict[str, Any]]
) -> tuple[list[Shown], tuple[str, ...]]:
    """Return the tags to show of each vessel, and the headings of their values."""
    by_vessel: dict[str, list[dict[str, Any]]] = {v["name"]: [] for v in vessels}
    for tag in tags:
        if tag["vessel"] in by_vessel and not tag["retired"]:
            by_vessel[tag["vessel"]].append(tag)
    known = all(
        {f"{name}/{key}" for key in KEYS.values()} <= {tag["name"] for tag in own}
        for name, own in by_vessel.items()
    )
    shown = [
        Shown(
            vessel=vessel["name"],
            values=tuple(f"{vessel['name']}/{key}" for key in KEYS.values())
            if known
            else _first_numbers(by_vessel[vessel["name"]]),
            batch=vessel["batch_tag"],
            phase=vessel["phase_tag"],
        )
        for vessel in vessels
    ]
    return shown, tuple(KEYS) if known else ("", "", "", "")


def _first_numbers(tags: list[dict[str, Any]]) -> tuple[str, ...]:
    numbers = [tag for tag in tags if tag["type"] == "number"]
    each = [tag for tag in numbers if tag["report"] == "each"]
    return tuple(tag["name"] for tag in (each or numbers)[: len(KEYS)])


def vessel_line(shown: Shown, rows: dict[str, dict[str, Any]]) -> VesselLine:
    """Return a vessel's line from the rows of its tags, by full name."""
    named = tuple(tag.partition("/")[2] for tag in shown.values)
    plain = named == tuple(KEYS.values())
    cells = [_number(rows[tag]["value"]) for tag in shown.values]
    if not plain:
        cells = [f"{name} {cell}" for name, cell in zip(named, cells, strict=True)]
    times = [_seconds(rows[tag]["time"]) for tag in shown.values]
    known = [moment for moment in times if moment is not None]
    return VesselLine(
        vessel=shown.vessel,
        batch=_text(rows, shown.batch),
        phase=_text(rows, shown.phase),
        values=tuple(cells),
        newest=max(known, default=None),
    )


def _text(rows: dict[str, dict[str, Any]], tag: str | None) -> str:
    if tag is None:
        return ""
    row = rows[tag]
    return str(row["text"] or ("" if row["value"] is None else f"{row['value']:g}"))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _seconds(moment: str | None) -> float | None:
    return None if moment is None else datetime.fromisoformat(moment).timestamp()
