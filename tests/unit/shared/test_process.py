from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[3]

SERVICE = """
import asyncio, sys
from typing import ClassVar
from pydantic_settings import SettingsConfigDict
from shared.domain import FedbatchError
from shared.process import run
from shared.settings import ServiceSettings

class S(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="FEDBATCH_API_")
    service: ClassVar[str] = "api"

async def main(settings):
    BODY

sys.exit(run(S.load, main, "api"))
"""


def start(body: str) -> subprocess.Popen[str]:
    text = SERVICE.replace("BODY", textwrap.indent(body, "    ").strip())
    return subprocess.Popen(
        [sys.executable, "-c", text],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_signal_ends_the_service_in_order_with_code_0() -> None:
    with start(
        "print('ready', flush=True)\n"
        "try:\n    await asyncio.Event().wait()\n"
        "finally:\n    print('closed', flush=True)"
    ) as service:
        assert service.stdout is not None
        assert service.stdout.readline() == "ready\n"
        service.send_signal(signal.SIGTERM)
        out, err = service.communicate(timeout=20)
    assert service.returncode == 0
    assert out == "closed\n"
    assert json.loads(err)["message"] == "stopped"


def test_a_named_situation_is_one_line_and_code_2() -> None:
    with start("raise FedbatchError('log /x: not there')") as service:
        _, err = service.communicate(timeout=20)
    assert service.returncode == 2
    assert err == "api: FedbatchError: log /x: not there\n"


def test_a_named_situation_inside_a_task_group_is_found() -> None:
    with start(
        "async def fail():\n    raise FedbatchError('inner')\n"
        "async with asyncio.TaskGroup() as group:\n    group.create_task(fail())"
    ) as service:
        _, err = service.communicate(timeout=20)
    assert service.returncode == 2
    assert err == "api: FedbatchError: inner\n"


def test_an_unknown_error_shows_its_traceback_and_code_1() -> None:
    with start("raise RuntimeError('surprise')") as service:
        _, err = service.communicate(timeout=20)
    assert service.returncode == 1
    assert "Traceback" in err
    assert "surprise" in err
