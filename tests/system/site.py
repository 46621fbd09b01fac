"""One whole fedbatch as a user would run it: processes, neighbours, and the HTTP API.

Everything is started as its own process with settings from the environment, so that a
test can kill or restart any of it and see what the others do.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx
import pyarrow as pa
import yaml

from tests.system.balance import DeclaredGap, Row, row

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ROOT = Path(__file__).parents[2]
COMMAND = Path(sys.executable).parent / "fedbatch"
MODULES = {
    "simulator": "simulators",
    "playback": "simulators.playback",
    "collector": "services.ingest.collect",
    "archiver": "services.ingest.archive",
    "monitor": "services.monitor",
    "api": "services.api",
    "notifier": "services.api.notify",
}


@dataclass(frozen=True, slots=True)
class Variant:
    """Which log and which database."""

    name: str
    bus: str
    dsn: str
    namespace: str
    prefix: str


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(
    what: str,
    found: Callable[[], object],
    *,
    timeout_s: float = 60,
    every_s: float = 0.2,
) -> Any:
    """Return the first true result of `found`; fail naming `what` when time is up."""
    end = time.monotonic() + timeout_s
    last: object = None
    while time.monotonic() < end:
        try:
            if last := found():
                return last
        except httpx.TransportError as error:
            last = error
        time.sleep(every_s)
    raise AssertionError(f"not within {timeout_s} s: {what} (last: {last!r:.300})")


def to_us(text: str) -> int:
    """Return an ISO time as us UTC, exactly."""
    moment = datetime.fromisoformat(text)
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * 1_000_000 + moment.microsecond


def to_iso(us: int) -> str:
    """Return us UTC as an ISO time with Z."""
    moment = datetime.fromtimestamp(us // 1_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{us % 1_000_000:06d}Z"


@dataclass(slots=True)
class Site:
    """The processes of one plant over one variant of log and database."""

    folder: Path
    variant: Variant
    simulator: Mapping[str, str] = field(default_factory=dict)
    """More settings of the simulator, without their prefix."""
    source: str = "simulator"
    """Which module serves OPC UA; empty: a server that is not ours."""
    collector: Mapping[str, str] = field(default_factory=dict)
    """More settings of the collector, without their prefix."""
    notifier: Mapping[str, str] = field(default_factory=dict)
    """More settings of the notifier, without their prefix."""
    through: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Module, with its arguments, that runs the module of a process."""
    runner: Sequence[str] = ()
    """Module, with its arguments, that runs the services, such as a profiler."""
    opcua_port: int = field(default_factory=free_port)
    opcua_way: int = 0
    """Port by which clients reach the OPC UA server; 0: its own."""
    api_port: int = field(default_factory=free_port)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def endpoint(self) -> str:
        """URL of the OPC UA server."""
        return f"opc.tcp://127.0.0.1:{self.opcua_way or self.opcua_port}"

    @property
    def plant_yaml(self) -> Path:
        """Where discover writes."""
        return self.folder / "plant.yaml"

    def environment(self, name: str) -> dict[str, str]:
        """Return the whole environment of one process."""
        variant = self.variant
        bus = {"BUS__URL": variant.bus, "BUS__PREFIX": variant.prefix}
        database = {
            "DATABASE__DSN": variant.dsn,
            "DATABASE__NAMESPACE": variant.namespace,
        }
        settings: dict[str, dict[str, str]] = {
            "simulator": {
                "DATA": str(self.folder / "simulator"),
                "PORT": str(self.opcua_port),
                "TRUTH": "true",
                **self.simulator,
            },
            "collector": {
                **bus,
                "SPOOL": str(self.folder / "spool"),
                **self.collector,
            },
            "archiver": {**bus, **database},
            "monitor": {**bus, "STATE": str(self.folder / "monitor")},
            "api": {**bus, **database, "PORT": str(self.api_port)},
            "notifier": {**database, **self.notifier},
            "command": {**bus, **database},
        }
        settings["playback"] = settings["simulator"]
        prefix = "SIMULATOR" if name == "playback" else name.upper()
        clean = {k: v for k, v in os.environ.items() if not k.startswith("FEDBATCH_")}
        given = {f"FEDBATCH_{prefix}_{k}": v for k, v in settings[name].items()}
        return {**clean, **given}

    def start(self, *names: str) -> None:
        """Start processes; each writes its log beside the data."""
        for name in names:
            with (self.folder / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    [
                        *(sys.executable, "-m"),
                        *(*self.through.get(name, self.runner), MODULES[name]),
                    ],
                    cwd=ROOT,
                    env=self.environment(name),
                    stdout=log,
                    stderr=log,
                )

    def kill(self, name: str) -> None:
        """End a process with SIGKILL."""
        self.processes[name].kill()
        self.processes.pop(name).wait()

    def stop(self, name: str, timeout_s: float = 30) -> int:
        """Ask a process to end; return its exit code."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        return process.wait(timeout_s)

    def log(self, name: str) -> str:
        """Return what a process wrote."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def command(
        self, *arguments: str, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run `fedbatch` with the settings of this site."""
        return subprocess.run(
            [str(COMMAND), *arguments],
            cwd=ROOT,
            env=self.environment("command"),
            capture_output=True,
            text=True,
            timeout=90,
            check=check,
        )

    def begin(
        self,
        *,
        described: Callable[[str], str] = lambda text: text,
        services: Sequence[str] = ("archiver", "api", "collector"),
    ) -> None:
        """Bring everything up: source, migrate, discover, apply, services.

        Args:
            described: plant.yaml as it is applied, of what discover found.
            services: what is started; the collector last, since it begins the past.
        """
        if self.source:
            self.start(self.source)
            self.wait_for_port(self.opcua_port)
        self.command("migrate")
        found = self.command("discover", self.endpoint)
        self.plant_yaml.write_text(described(found.stdout))
        self.apply()
        self.start(*services)
        until("the API answers", lambda: self.get("/health/live").is_success)

    def apply(self) -> None:
        """Publish plant.yaml."""
        self.command("apply", str(self.plant_yaml))

    def wait_for_port(self, port: int) -> None:
        """Wait until somebody listens."""

        def listening() -> bool:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", port), 1),
            ):
                return True
            return False

        until(f"port {port} listens", listening)

    def get(self, path: str, **params: Any) -> httpx.Response:
        """Ask the API."""
        return httpx.get(
            f"http://127.0.0.1:{self.api_port}{path}", params=params, timeout=30
        )

    def tags(self) -> dict[str, dict[str, Any]]:
        """Return plant.yaml's tags by full name."""
        plant = yaml.safe_load(self.plant_yaml.read_text())
        return {
            f"{vessel['name']}/{tag['name']}": tag
            for vessel in plant["vessels"]
            for tag in vessel["tags"]
        }

    def only_changes(self) -> frozenset[str]:
        """Return the tags of which the server reports changes only."""
        answer = self.get("/tags").json()["tags"]
        return frozenset(tag["name"] for tag in answer if tag["report"] == "change")

    def stored(self, start: int, end: int) -> dict[str, list[Row]]:
        """Return every stored reading of [start, end] by full tag name."""
        return {name: self.recorded(name, start, end) for name in self.tags()}

    def recorded(self, tag: str, start: int, end: int) -> list[Row]:
        """Return the stored readings of one tag, all pages."""
        rows: list[Row] = []
        query = {"tag": tag, "start": to_iso(start), "end": to_iso(end)}
        while True:
            answer = self.get("/recorded", **query)
            assert answer.is_success, answer.text
            body = answer.json()
            rows += rows_of(body)
            if not body["truncated"]:
                return rows
            query = {**query, "cursor": body["cursor"]}

    def gaps(self, start: int, end: int) -> list[DeclaredGap]:
        """Return the declared gaps that overlap a range."""
        answer = self.get("/gaps", start=to_iso(start), end=to_iso(end))
        assert answer.is_success, answer.text
        return [
            DeclaredGap(
                start=to_us(gap["start"]),
                end=None if gap["end"] is None else to_us(gap["end"]),
                tags=None if gap["tags"] is None else frozenset(gap["tags"]),
                cause=gap["cause"],
            )
            for gap in answer.json()["gaps"]
        ]

    def generated(self) -> dict[str, list[Row]]:
        """Return what the simulator put on record, by full tag name."""
        nodes = {
            tag["node"].partition(";")[2].removeprefix("s="): name
            for name, tag in self.tags().items()
        }
        rows: dict[str, list[Row]] = {name: [] for name in nodes.values()}
        for path in sorted((self.folder / "simulator").glob("truth-*.arrow")):
            for batch in whole_batches(path):
                columns = [
                    batch.column(name).to_pylist()
                    for name in ("node", "time", "value", "status", "text")
                ]
                for node, moment, value, status, text in zip(*columns, strict=True):
                    if node in nodes:
                        rows[nodes[node]].append(row(moment, value, status, text))
        return rows

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *exc: object) -> None:
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        if exc[0] is not None:
            for log in sorted(self.folder.glob("*.log")):
                print(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}")


def rows_of(series: Mapping[str, Sequence[Any]]) -> list[Row]:
    """Return the rows of one /recorded answer."""
    texts = series.get("text") or [None] * len(series["time"])
    return [
        row(to_us(moment), value, status, text)
        for moment, value, status, text in zip(
            series["time"], series["value"], series["status"], texts, strict=True
        )
    ]


def whole_batches(path: Path) -> list[pa.RecordBatch]:
    """Return the whole batches of a stream that may have been cut short by a kill."""
    batches: list[pa.RecordBatch] = []
    with pa.memory_map(str(path)) as source:
        reader = pa.ipc.open_stream(source)
        with contextlib.suppress(StopIteration, pa.ArrowException, OSError):
            while True:
                batches.append(reader.read_next_batch())
    return batches


def status_of(folder: Path) -> dict[str, Any]:
    """Return the simulator's status file, empty before it is there."""
    for path in folder.glob("status.json"):
        with contextlib.suppress(ValueError):
            body: dict[str, Any] = json.loads(path.read_text())
            return body
    return {}
