"""docs/api.md: every shell and Python example runs against a real API."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

from services.api.moments import now_us
from tests.integration.api.stored import T0, Client, Row, S, StoredPlant, block
from tests.neighbours.said import raised

ALARM = raised(now_us())
_PAGE = Path(__file__).parents[3] / "docs" / "api.md"


def examples(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", _PAGE.read_text(), re.DOTALL)


async def _run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()


async def _fill(plant: StoredPlant) -> None:
    now = (now_us() - T0) / S
    rows: list[Row] = [(2, now - 3600 + 2 * i, float(i)) for i in range(1800)]
    await plant.put(block(*rows, (100, now, 1.0), (200, now, 1.0)))
    await plant.put_events(ALARM)


async def test_every_shell_example_gets_an_answer(
    plant: StoredPlant, api: Client
) -> None:
    await _fill(plant)
    base = str(api.http.base_url).rstrip("/")
    lines = [
        line
        for example in examples("sh")
        for line in example.splitlines()
        if line.startswith("curl")
    ]
    assert len(lines) >= 28
    for line in lines:
        said = await _run("sh", "-ec", f"API={base}\nALARM={ALARM.alarm}\n{line}")
        expected = "unknown-tag" if "VP" in line else ""
        assert expected in said
        assert ('"urn:fedbatch' in said) == bool(expected), (line, said)


async def test_the_example_finds_the_alarm_that_it_acts_on(
    plant: StoredPlant, api: Client
) -> None:
    await _fill(plant)
    base = str(api.http.base_url).rstrip("/")
    (line,) = (
        line
        for example in examples("sh")
        for line in example.splitlines()
        if line.startswith("ALARM=")
    )
    said = await _run("sh", "-ec", f"API={base}\n{line}\necho $ALARM")
    assert said.strip() == ALARM.alarm


async def test_the_python_example_reads_every_page(
    plant: StoredPlant, api: Client
) -> None:
    await _fill(plant)
    base = str(api.http.base_url).rstrip("/")
    example, _ = examples("python")
    said = await _run(sys.executable, "-c", f"API = {base!r}\n{example}")
    assert re.search(r"BR101/AIC-101.PV 1[78]\d\d readings", said), said


async def test_the_websocket_example_hears_what_is_logged(
    plant: StoredPlant, api: Client
) -> None:
    base = str(api.http.base_url).rstrip("/")
    _, example = examples("python")
    running = asyncio.create_task(
        _run(sys.executable, "-c", f"API = {base!r}\n{example}")
    )
    while not running.done():  # it may begin to follow at any time
        await plant.log(block((2, 0, 7.0)))
        await asyncio.wait([running], timeout=0.05)
    assert running.result() == "readings ['BR101/AIC-101.PV']\n"
