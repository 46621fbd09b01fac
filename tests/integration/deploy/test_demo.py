"""`fedbatch demo` as a user runs it: start, live, stop, kill, start again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest

from shared.plant import parse_plant
from tests.integration.notify.receivers import SECRET

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(400)
_START_S = 180.0
_CHILDREN = {"simulators", "services.ingest.collect", "services.ingest.archive"}


@asynccontextmanager
async def demo(data: Path, *options: str) -> AsyncIterator[Process]:
    """Run a small demo in its own process; killed if it outlives the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.command", "demo", "--data", str(data)),
        *("--vessels", "1", "--history", "10m", "--port", "18080", "--json", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def event(process: Process, name: str) -> dict[str, Any]:
    """Return the event `name` of the demo, or fail with what it said instead."""
    assert process.stdout is not None
    assert process.stderr is not None
    async with asyncio.timeout(_START_S):
        while line := await process.stdout.readline():
            said: dict[str, Any] = json.loads(line)
            if said["event"] == name:
                return said
    pytest.fail(f"no {name}: {(await process.stderr.read()).decode()}")


def family(process: Process) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


async def ended(processes: list[psutil.Process]) -> bool:
    _, alive = await asyncio.to_thread(psutil.wait_procs, processes, timeout=60)
    return not [p for p in alive if p.status() != psutil.STATUS_ZOMBIE]


async def stopped(process: Process, number: signal.Signals) -> dict[str, Any]:
    children = family(process)
    process.send_signal(number)
    last = await event(process, "end")
    await process.communicate()
    assert process.returncode == 0
    assert await ended(children)
    return last


async def ledger_verified(data: Path) -> str:
    """Return what `fedbatch ledger verify` says of a running demo's database."""
    folder = data / "postgres"
    port = await asyncio.to_thread((folder / "port").read_text)
    password = await asyncio.to_thread((folder / "password").read_text)
    dsn = f"postgresql://fedbatch:{password}@127.0.0.1:{port.strip()}/postgres"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.command", "ledger", "verify", "--days", "2"),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "FEDBATCH_COMMAND_DATABASE__DSN": dsn},
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    return out.decode()


async def test_a_demo_gets_live_answers_over_http_and_stops_cleanly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEDBATCH_NOTIFIER_WEBHOOKS__IT__URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("FEDBATCH_NOTIFIER_WEBHOOKS__IT__SECRET", SECRET)
    async with demo(tmp_path / "demo") as process:
        live = await event(process, "live")
        assert live["first_stored_s"] <= live["live_s"]
        modules = {" ".join(child.cmdline()[2:3]) for child in family(process)}
        assert modules >= _CHILDREN | {"services.api.notify"}
        async with httpx.AsyncClient(base_url=live["url"], trust_env=False) as client:
            question = {"tag": "BR101/TIC-101.PV", "start": "*-10m"}
            answer = (await client.get("/recorded", params=question)).json()
            told = (await client.get("/pushes")).json()["targets"]
        assert [(each["target"], each["active"]) for each in told] == [
            ("webhook it", True)
        ]
        assert len(answer["time"]) >= 9
        assert answer["simulated"] is True
        assert "the ledger agrees" in await ledger_verified(tmp_path / "demo")
        last = await stopped(process, signal.SIGINT)
    assert last["readings"] >= live["readings"]
    assert set(last["restarts"].values()) == {0}


async def recorded_with_gap(url: str) -> dict[str, Any]:
    """Return the last hour of a tag as soon as a gap is declared in it."""
    question = {"tag": "BR101/TIC-101.PV", "start": "*-1h"}
    async with (
        asyncio.timeout(60),
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as client,
    ):
        while True:
            answer: dict[str, Any] = (
                await client.get("/recorded", params=question)
            ).json()
            if answer["gaps"]:
                return answer
            await asyncio.sleep(0.5)


async def test_after_a_kill_of_everything_a_demo_goes_on_with_its_data(
    tmp_path: Path,
) -> None:
    data = tmp_path / "demo"
    async with demo(data) as process:
        await event(process, "live")
        everything = [psutil.Process(process.pid), *family(process)]
        for one in everything:
            with contextlib.suppress(psutil.NoSuchProcess):  # ended with its parent
                one.send_signal(signal.SIGKILL)
        await process.communicate()
        assert await ended(everything)
    before = parse_plant((data / "plant.yaml").read_text())
    async with demo(data) as process:
        live = await event(process, "live")
        answer = await recorded_with_gap(live["url"])
        assert len(answer["time"]) >= 10
        await stopped(process, signal.SIGTERM)
    assert parse_plant((data / "plant.yaml").read_text()).tag_names() == (
        before.tag_names()
    )


async def test_a_demo_ends_by_itself_after_its_time(tmp_path: Path) -> None:
    async with demo(tmp_path / "demo", "--for", "1") as process:
        assert (await event(process, "end"))["at_s"] >= 1
        await process.communicate()
        assert process.returncode == 0


async def test_a_service_that_refuses_its_settings_ends_the_start_with_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEDBATCH_SIMULATOR_VESELS", "3")
    async with demo(tmp_path / "demo") as process:
        _, said = await asyncio.wait_for(process.communicate(), _START_S)
    assert process.returncode == 2
    assert b"fedbatch: service does not start" in said
    assert b"the nearest is FEDBATCH_SIMULATOR_VESSELS" in said
    assert b"Traceback" not in said
