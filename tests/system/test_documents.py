"""README and the first pages: every command and program in them is run.

One demo runs; blocks of `bash`, `sh` and `python` are run against it, with the demo's
own addresses in place of those on the page. A block below `<!-- not run: why -->` is
not run; other blocks without a language are not allowed, so that none is forgotten.
`make` is not run here: its targets are looked up in the Makefile.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.system.site import COMMAND, ROOT, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGES = ("README.md", "docs/getting-started.md", "docs/api.md")
RUN = {"bash", "sh", "python"}
_BLOCK = re.compile(r"^(<!-- not run: .+ -->\n+)?```(\w*)\n(.*?)^```$", re.M | re.S)
_WAIT_S = 60


@dataclass(frozen=True, slots=True)
class Example:
    """One block of a page."""

    page: str
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}: {self.text.strip().splitlines()[0]}"


def blocks(page: str) -> list[tuple[bool, Example]]:
    """Return every block of a page, and whether it says that it is not run."""
    found = _BLOCK.findall((ROOT / page).read_text())
    return [(bool(why), Example(page, kind, text)) for why, kind, text in found]


EXAMPLES = [
    example
    for page in PAGES
    for not_run, example in blocks(page)
    if example.language in RUN and not not_run and "$ALARM" not in example.text
]
"""What is done to an alarm needs one: tests/integration/api runs that."""


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that runs."""

    api: str
    opcua: str
    folder: Path
    """Where the examples are run, one after the other."""

    def adapted(self, text: str) -> str:
        """Return an example with this demo's addresses."""
        here = text.replace("http://127.0.0.1:8080", self.api)
        return here.replace("opc.tcp://plc:4840", self.opcua)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Run `fedbatch demo` until it is live."""
    folder = tmp_path_factory.mktemp("documents")
    options = ("--data", folder / "data", "--port", free_port(), "--history", "1h")
    with (folder / "demo.log").open("w") as log:
        process = subprocess.Popen(
            [str(COMMAND), "demo", "--json", *map(str, options)],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert process.stdout is not None
        said = [json.loads(process.stdout.readline()) for _ in ("up", "live")]
        assert [one["event"] for one in said] == ["up", "live"], said
        (written,) = (folder / "data").glob("plant.yaml")
        plant = yaml.safe_load(written.read_text())
        work = folder / "work"
        work.mkdir()
        yield Demo(said[0]["url"], plant["servers"][0]["url"], work)
    finally:
        process.terminate()
        process.communicate(timeout=_WAIT_S)


@pytest.mark.parametrize("page", PAGES[:2])
def test_every_block_is_run_or_says_why_not(page: str) -> None:
    for not_run, example in blocks(page):
        assert not_run or example.language, f"{example}: neither run nor explained"


def test_what_make_is_asked_for_is_in_the_makefile() -> None:
    asked = {
        target
        for page in PAGES
        for target in re.findall(r"\bmake ([a-z]+)", (ROOT / page).read_text())
    }
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    assert {"demo", "test"} <= asked
    assert asked <= targets


@pytest.mark.timeout(180)
@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_an_example_does_what_its_page_says(demo: Demo, example: Example) -> None:
    text = demo.adapted(example.text)
    command = [sys.executable, "-c", f"API = {demo.api!r}\n{text}"]
    if example.language != "python":
        text = re.sub(r"^make .*$", "", text, flags=re.M)
        command = ["bash", "-euo", "pipefail", "-c", text]
    paths = f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=demo.folder,
        env={**os.environ, "PATH": paths, "API": demo.api},
        capture_output=True,
        text=True,
        timeout=_WAIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    wrong = '"type":"urn:fedbatch:' in done.stdout
    assert wrong == (".VP" in text), done.stdout
