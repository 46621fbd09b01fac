"""A real Apache Kafka of one node (KRaft), started from Maven's jars on loopback.

Needs Java 17 and Maven once; the jars are kept in `.neighbours/kafka`, which git
ignores. Nothing is shared between two brokers: each has its own folder and ports.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

from tests.neighbours.missing import NeighbourMissing

VERSION = "4.1.1"
"""Apache Kafka's version; the same as in `kafka_pom.xml`."""

START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 30.0

_POM = Path(__file__).with_name("kafka_pom.xml")
_JARS = Path(__file__).parents[2] / ".neighbours" / "kafka" / VERSION
_STARTED = "Kafka Server started"
_CLUSTER = "ZmVkYmF0Y2gtdGVzdHMtMQ"  # 16 bytes, base64 without padding: Kafka's Uuid

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.quorum.voters=1@127.0.0.1:{controller_port}
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
num.network.threads=2
num.io.threads=2
log.cleaner.dedupe.buffer.size=8388608
log.flush.interval.messages=1
"""


def jars() -> Path:
    """Return the folder of Kafka's jars, fetched by Maven the first time.

    Raises:
        NeighbourMissing: Java or Maven is not installed, or Maven could not fetch.
    """
    if shutil.which("java") is None:
        raise NeighbourMissing("Apache Kafka needs Java 17: install openjdk-17-jre")
    if (_JARS / "complete").exists():
        return _JARS
    if shutil.which("mvn") is None:
        raise NeighbourMissing("Apache Kafka is fetched by Maven: install maven")
    _JARS.mkdir(parents=True, exist_ok=True)
    fetched = subprocess.run(
        [
            *("mvn", "-q", "-B", "-f", str(_POM), "dependency:copy-dependencies"),
            f"-DoutputDirectory={_JARS}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if fetched.returncode != 0:
        raise NeighbourMissing(
            f"Maven could not fetch Apache Kafka {VERSION}: {fetched.stdout[-600:]}"
        )
    (_JARS / "complete").touch()
    return _JARS


def free_ports(count: int) -> list[int]:
    """Return loopback ports that nothing listened on a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


class KafkaBroker:
    """One broker with its own folder; ports and data stay the same over restarts.

    Its log is `<folder>/broker.log` (warnings only, and the line of readiness).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port, self._controller_port = free_ports(2)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """The address that clients start from: host:port."""
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int | None:
        """The broker's process; None while it is down."""
        return None if self._process is None else self._process.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start and return when the broker answers.

        Raises:
            NeighbourMissing: Java or Maven is missing.
            RuntimeError: it did not come up; the message holds its last log lines.
        """
        if self._process is not None:
            raise RuntimeError(f"broker {self.bootstrap} is already running")
        self._format()
        log = self._folder / "broker.log"
        seen = log.stat().st_size if log.exists() else 0
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                self._java("kafka.Kafka", str(self._properties)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._wait_until_started(log, seen)

    def stop(self) -> None:
        """Stop in order; kill what does not stop in time. A no-op when down."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the broker as a power cut of the process would: SIGKILL."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop and start again on the same ports and data."""
        self.stop()
        self.start()

    @property
    def _properties(self) -> Path:
        return self._folder / "server.properties"

    def _java(self, main: str, *arguments: str) -> list[str]:
        return [
            *(
                "java",
                "-Xms512m",
                "-Xmx512m",
                "-XX:+AlwaysPreTouch",
                "-XX:+UseSerialGC",
            ),
            "-XX:TieredStopAtLevel=1",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
            "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
            *("-cp", f"{jars()}/*", main, *arguments),
        ]

    def _format(self) -> None:
        data = self._folder / "data"
        if (data / "meta.properties").exists():
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        self._properties.write_text(
            _PROPERTIES.format(
                port=self._port, controller_port=self._controller_port, data=data
            )
        )
        formatted = subprocess.run(
            self._java(
                *("kafka.tools.StorageTool", "format", "-t", _CLUSTER),
                *("-c", str(self._properties)),
            ),
            capture_output=True,
            text=True,
            check=False,
        )
        if formatted.returncode != 0:
            raise RuntimeError(
                f"Kafka could not format {data}: {formatted.stdout}{formatted.stderr}"
            )

    def _wait_until_started(self, log: Path, seen: int) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            text = log.read_bytes()[seen:].decode(errors="replace")
            if _STARTED in text:
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        self.kill()
        raise RuntimeError(
            f"broker {self.bootstrap} did not start within {START_TIMEOUT_S:.0f} s: "
            + "\n".join(text.splitlines()[-15:])
        )

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            os.killpg(self._process.pid, how)
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        self._process = None
