"""Runs the node-opcua server of tests/neighbours/node as a neighbour."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.neighbours.missing import NeighbourMissing

FOLDER = Path(__file__).parent / "node"
URI = "urn:fedbatch:node-neighbour"
_INSTALL_S = 600
_STOP_S = 20


@dataclass(frozen=True, slots=True)
class Sent:
    """One value as the server sent it."""

    name: str
    """Double, Float, Int32, Int64, Boolean, String or Enumeration."""
    value: Any
    """Int64 as decimal text, else as JSON has it."""
    status: int
    time: int
    """Source time, us UTC."""


def install() -> None:
    """Install the npm packages of the lock file, once.

    Raises:
        NeighbourMissing: no Node.js or npm, or the packages cannot be had.
    """
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise NeighbourMissing(f"{program}: install Node.js 18 or later with npm")
    lock = FOLDER / "package-lock.json"
    mark = FOLDER / "node_modules" / ".installed"
    if mark.exists() and mark.read_text() == lock.read_text():
        return
    done = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund"],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        timeout=_INSTALL_S,
        check=False,
    )
    if done.returncode != 0:
        raise NeighbourMissing(f"npm ci in {FOLDER}: {done.stderr.strip()[-500:]}")
    mark.write_text(lock.read_text())


class NodeOpcua:
    """The server as a process; `with` owns it.

    `url` is where it is; `send` makes it send and returns what it sent, in order.
    """

    def __init__(self, port: int, folder: Path, *, history: bool = False) -> None:
        self._port = port
        self._history = history
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        install()
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "stderr.log").open("w") as errors:
            self._process = subprocess.Popen(
                ["node", "server.js", str(self._port), str(self._folder)]
                + ["history"] * self._history,
                cwd=FOLDER,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.url = self._until("ready")[-1]["url"]
        return self

    def __exit__(self, *exc: object) -> None:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

    def send(
        self, rounds: int, *, every_ms: int = 100, good: bool = False
    ) -> list[Sent]:
        """Send that many rounds of one value per variable; block until they are out.

        Statuses are Good, Uncertain, Good, Bad in turn, or all Good. The server folds
        what comes within 50 ms.
        """
        assert self._process is not None
        assert self._process.stdin is not None
        order = {"rounds": rounds, "everyMs": every_ms, "good": good}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return [
            Sent(e["name"], e["value"], e["status"], e["time"])
            for e in self._until("done")
            if e["event"] == "sent"
        ]

    def _until(self, event: str) -> list[dict[str, Any]]:
        """Return what the server says up to and including `event`."""
        assert self._process is not None
        assert self._process.stdout is not None
        said: list[dict[str, Any]] = []
        for line in self._process.stdout:
            if line.startswith("{"):
                said.append(json.loads(line))
                if said[-1]["event"] == event:
                    return said
        errors = (self._folder / "stderr.log").read_text()[-500:]
        raise RuntimeError(f"node-opcua ended before {event!r}: {said[-1:]} {errors}")
