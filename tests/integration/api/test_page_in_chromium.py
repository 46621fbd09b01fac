"""The page at `/` in a real browser: values, trends, live alarms, acknowledgement."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest_asyncio

from services.api.moments import now_us
from shared.events import AlarmState, Cause, CommandKind
from tests.conftest import absent
from tests.integration.api.conftest import served
from tests.integration.api.stored import T0, Client, Row, S, StoredPlant, block
from tests.integration.api.test_commands import logged, with_keys
from tests.neighbours.chromium import chromium
from tests.neighbours.missing import NeighbourMissing
from tests.neighbours.said import raised, went_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.api.settings import ApiSettings
    from tests.neighbours.chromium import Page

PICTURES = os.environ.get("PAGE_PICTURES")
"""Folder for pictures of the page, to look at."""


@pytest_asyncio.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Page]:
    try:
        async with chromium(tmp_path / "browser") as page:
            yield page
    except NeighbourMissing as missing:
        absent(missing)


async def fill(plant: StoredPlant) -> None:
    """Store an hour of readings up to now."""
    now = (now_us() - T0) / S
    rows: list[Row] = [
        (1, now - 3600 + 10 * i, 37.0 + i % 60 / 100) for i in range(361)
    ]
    acid: list[Row] = [(2, now - 3600 + 10 * i, 7.0 - i / 3600) for i in range(361)]
    context: list[Row] = [(3, now - 60, "CHO-2231"), (4, now - 60, "growth")]
    await plant.put(block(*rows, *acid, *context, (100, now, 1.0), (200, now, 1.0)))


async def test_the_page_shows_the_plant_and_an_alarm_is_acknowledged_on_it(
    plant: StoredPlant, api: Client, browser: Page
) -> None:
    await fill(plant)
    old = raised(now_us() - 600 * S, "BR102", "TIC-102.PV", priority=3)
    await plant.put_events(old)
    base = str(api.http.base_url).rstrip("/")
    await browser.open(base)
    await browser.until("document.querySelectorAll('.vessel').length == 2")
    row = "document.querySelector('[data-tag=\"BR101/TIC-101.PV\"]')"
    assert await browser.until(
        f"{row}.querySelector('.value').textContent.includes('Cel')"
    )
    points = f"{row}.querySelector('polyline').getAttribute('points')"
    await browser.until(f"{points}?.split(' ').length > 50")
    doing = "document.querySelector('[data-vessel=BR101] .doing').textContent"
    assert await browser.until(doing) == "CHO-2231 · growth"
    await browser.until("document.querySelectorAll('.alarm').length == 1")
    await browser.until("document.querySelector('#live').className == 'pill good'")
    alarm = raised(now_us() - 60 * S, priority=1)
    await plant.say(alarm)  # live only: it is not stored
    item = f"document.querySelector('[data-alarm=\"{alarm.alarm}\"]')"
    text = await browser.until(f"{item}?.textContent")
    for words in ("1 urgent", "BR101", "TIC-101.PV 37.8, expected at most 37.5 Cel"):
        assert words in text
    for words in (
        "Look at the jacket.",
        "AIC-101.PV 7.1 → 6.9 (4.2 sigma)",
        "simulated",
    ):
        assert words in text
    assert await browser.value("document.title") == "(2) fedbatch"
    await pictures(browser)
    await browser.value("document.querySelector('#actor').value = 'Anna B.'")
    await browser.value(f"{item}.querySelector('button').click()")
    await browser.until(f"{item}.textContent.includes('acknowledging')")
    async for _ in api.until("/health/live"):
        if commands := await logged(plant):
            break
    (command,) = commands
    assert (command.kind, command.alarm) == (CommandKind.ACKNOWLEDGE, alarm.alarm)
    assert command.actor == "unauthenticated:Anna B."
    seen = went_on(alarm, Cause.ACKNOWLEDGED, AlarmState.ACKNOWLEDGED, actor="Anna B.")
    await plant.say(seen)
    await browser.until(f"!{item}.querySelector('button')")
    await plant.say(went_on(seen, Cause.RETURNED, AlarmState.NORMAL))
    await browser.until(f"!{item}")
    foreign = [url for url in browser.asked if not url.startswith((base, "data:,"))]
    assert foreign == []
    refused = [said for said in browser.complaints if "503" not in said]
    assert refused == []  # 503 is the readiness of this plant without instruments


async def test_with_keys_the_browser_signs_in_and_a_viewer_may_only_look(
    plant: StoredPlant, settings: ApiSettings, browser: Page
) -> None:
    alarm = raised(now_us() - 60 * S, priority=1)
    await plant.put_events(alarm)
    locked = with_keys(settings)
    key = locked.keys["viewer"].get_secret_value()
    async with served(locked) as api:
        base = str(api.http.base_url).rstrip("/")
        await browser.open(base.replace("//", f"//viewer:{key}@"))
        await browser.until("document.title.includes('fedbatch')")
        await browser.open(base)  # the browser remembers name and key
        await browser.until("document.querySelector('#live')?.className == 'pill good'")
        await browser.until("document.querySelectorAll('.vessel').length == 2")
        await browser.until("document.querySelector('.alarm button') !== null")
        await browser.value("document.querySelector('.alarm button').click()")
        said = await browser.until("document.querySelector('.refused')?.textContent")
    assert "role viewer may not POST" in said
    assert await logged(plant) == []


async def pictures(browser: Page) -> None:
    """Take pictures where somebody wants to look at them."""
    if PICTURES is not None:
        folder = Path(PICTURES)
        for scheme in ("light", "dark"):
            await browser.picture(folder / f"page-{scheme}.png", scheme=scheme)
        narrow = folder / "page-narrow.png"
        await browser.picture(narrow, scheme="light", width=420)
