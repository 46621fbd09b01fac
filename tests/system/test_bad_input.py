"""(e): bad input gets a clear error, and a plant that runs goes on unharmed.

Every command and service ends with code 2 and one line that names what, where and the
expected; the API answers with a problem. One plant with disks of its own lives through
all of it; at the end of each harm its loss equation is held.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
import yaml

from deploy.embedded.kernel import alive, children
from shared.bus.segments import segments
from shared.domain import GapCause
from tests.system.damage import cut, flip, head
from tests.system.parts import Parts, embedded_parts, plant_parts
from tests.system.site import Site, free_port, until
from tests.system.unharmed import DAY_US, TAG, balanced, behind, flows, newest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx

    from shared.bus.segments import Segment
    from tests.system.balance import DeclaredGap

SMALL = {"VESSELS": "1", "HISTORY": "PT2S", "KEEP": "0", "INSTRUMENTS": "core"}
"""One vessel of a server without history, so that what is lost stays lost."""
SECURE = {"policy": "Basic256Sha256", "mode": "SignAndEncrypt"}
NOTHING = "the log takes nothing"
WAITING = 6
"""Records that wait on the log when it is damaged."""
SLOWEST_US = 90_000_000
"""Before damage the newest reading of the slowest instrument is not older, us. What a
laboratory finds may be as old as the plant."""
NAMED = 2
"""Exit code of a situation that has a name."""


@pytest.fixture(
    scope="module",
    params=[
        "embedded",
        pytest.param("plant", marks=[pytest.mark.kafka, pytest.mark.timescale]),
    ],
)
def parts(request: pytest.FixtureRequest) -> Iterator[Parts]:
    """Return what a plant of each variant stands on."""
    if request.param == "embedded":
        with embedded_parts() as found:
            yield found
        return
    broker = request.getfixturevalue("kafka_broker")
    request.getfixturevalue("timescale_server")  # says what is missing, if it is
    with plant_parts(broker) as found:
        yield found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, parts: Parts) -> Iterator[Site]:
    """Return a plant that runs; every test leaves it running."""
    folder = tmp_path_factory.mktemp("bad-input") / "site"
    with Site(folder, parts.variant("bad_input"), simulator=SMALL) as running:
        (folder / "spool").symlink_to(parts.spool)
        running.begin()
        until("readings are stored", lambda: newest(running))
        yield running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, site: Site) -> Iterator[Site]:
    """Return a second simulated plant that only speaks Basic256Sha256."""
    folder = tmp_path_factory.mktemp("guarded")
    settings = {**SMALL, "ENCRYPTED": "true"}
    with Site(folder, site.variant, simulator=settings) as server:
        server.start("simulator")
        server.wait_for_port(server.opcua_port)
        yield server


def refused(site: Site, *arguments: str) -> str:
    """Run a command that must end with a named situation; return what it said."""
    done = site.command(*arguments, check=False)
    assert done.returncode == NAMED, done
    assert "Traceback" not in done.stderr
    assert not done.stdout
    return done.stderr


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Return the problem that an answer must be."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    return body


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ({"tag": "BR101/TIC-101.VP", "start": "*-1h"}, 404, ("BR101/TIC-101.PV",)),
        (
            {"tag": TAG, "start": "2026-11-23T10:00:00"},
            400,
            ("start", "2026-11-23T10:00:00", "offset"),
        ),
        ({"tag": TAG, "start": "*-1h", "end": "*-2h"}, 400, ("start", "end")),
        ({"tag": TAG, "start": "*-1h", "limt": "5"}, 400, ("limt", "limit")),
        ({"tag": TAG, "start": "yesterday"}, 400, ("start", "yesterday")),
        ({"tag": TAG, "start": "*-1h", "cursor": "x"}, 400, ("cursor",)),
    ],
    ids=["tag", "naive", "reversed", "parameter", "time", "cursor"],
)
def test_a_wrong_question_is_answered_with_what_was_expected(
    site: Site, asked: dict[str, str], status: int, said: tuple[str, ...]
) -> None:
    body = problem(site.get("/recorded", **asked), status)
    for word in said:
        assert word in body["detail"]
    assert body["instance"] == "/recorded"


def test_a_broken_plant_yaml_changes_nothing(site: Site, tmp_path: Path) -> None:
    before = site.get("/configuration").json()
    broken = tmp_path / "broken.yaml"
    lines = site.plant_yaml.read_text().splitlines()
    places = [n for n, line in enumerate(lines, start=1) if "{id: " in line][1:3]
    for place, wrong in zip(places, ("twelve", "-4"), strict=True):
        lines[place - 1] = re.sub(r"id: \d+", f"id: {wrong}", lines[place - 1])
    broken.write_text("\n".join(lines))
    said = refused(site, "apply", str(broken))
    for place, found in zip(places, ("twelve", "-4"), strict=True):
        assert f"{broken}:{place}: " in said
        assert found in said
    broken.write_text("site: demo\n  servers: 3")
    assert f"{broken}:2: not YAML" in refused(site, "apply", str(broken))
    assert "plant.yaml" in refused(site, "apply", str(tmp_path / "no.yaml"))
    assert site.get("/configuration").json() == before
    flows(site)


def test_discover_names_a_server_that_is_not_there_or_not_trusted(
    site: Site, guarded: Site, tmp_path: Path
) -> None:
    nobody = f"opc.tcp://127.0.0.1:{free_port()}"
    assert nobody in refused(site, "discover", nobody)
    said = refused(
        site,
        *("discover", guarded.endpoint, "--secure"),
        *("--certificates", str(tmp_path)),
    )
    (left,) = (tmp_path / "rejected").iterdir()
    assert f"move {left} to {tmp_path / 'trusted'}" in said
    plain = refused(site, "discover", guarded.endpoint)
    assert guarded.endpoint in plain
    assert "expected" in plain


def test_the_collector_shows_servers_it_cannot_collect_and_goes_on_trying(
    site: Site, guarded: Site
) -> None:
    plant = yaml.safe_load(site.plant_yaml.read_text())
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        nobody = f"opc.tcp://127.0.0.1:{silent.getsockname()[1]}"
        add(plant, "nobody", nobody, 9001)
        add(plant, "guarded", guarded.endpoint, 9003, security=SECURE)
        site.plant_yaml.with_name("more.yaml").write_text(yaml.safe_dump(plant))
        site.command("apply", str(site.plant_yaml.with_name("more.yaml")))
        until("both are shown as disconnected", lambda: len(disconnected(site)) == 2)
        errors = disconnected(site)
        assert nobody in errors["nobody"]
        folder = site.folder / "spool" / "certificates"
        assert f"to {folder / 'trusted'}" in errors["guarded"]
        flows(site)
        silent.settimeout(30)
        silent.listen()
        silent.accept()[0].close()  # the collector came again
    site.apply()
    until("they are no longer collected", lambda: not disconnected(site))
    flows(site)


def add(
    plant: dict[str, Any], name: str, url: str, number: int, **more: object
) -> None:
    """Add a server with a vessel of one tag, and two ids from `number` on."""
    server = {"name": name, "url": url, "heartbeat": {"id": number}, **more}
    plant["servers"].append(server)
    tag = {"id": number + 1, "name": "pH", "node": f"ns=2;s={name}.pH"}
    vessel = {"name": name, "server": name, "partition": 0, "tags": [tag]}
    plant["vessels"].append(vessel)


def disconnected(site: Site) -> dict[str, str]:
    """Return the errors of tags that are wanted and disconnected, by server."""
    return {
        tag["server"]: tag["error"]
        for tag in site.get("/tags").json()["tags"]
        if tag["desired"] and tag["actual"] == "disconnected" and not tag["retired"]
    }


def test_a_database_that_is_not_ours_or_newer_is_refused_and_not_touched(
    tmp_path: Path, site: Site
) -> None:
    alien, newer = (
        Site(tmp_path / name, replace(site.variant, namespace=name))
        for name in ("alien", "newer")
    )
    newer.command("migrate")
    asyncio.run(spoil(site.variant.dsn))
    before = asyncio.run(tables(site.variant.dsn))
    with alien, newer:
        for other in (alien, newer):
            other.start("archiver", "api")
        assert "patient" in refused(alien, "migrate")
        assert "schema version 9000" in refused(newer, "migrate")
        for name in ("archiver", "api"):
            for other, word in ((alien, "NotOurs"), (newer, "SchemaTooNew")):
                process = other.processes[name]
                until(f"{name} refuses", functools.partial(ended, process))
                assert process.returncode == NAMED, other.log(name)
                assert f"{name}: {word}: database " in other.log(name)
                assert "expected" in other.log(name)
    assert asyncio.run(tables(site.variant.dsn)) == before
    flows(site)


def ended(process: Any) -> bool:
    """Whether a process has ended."""
    return process.poll() is not None


async def spoil(dsn: str) -> None:
    """Make a schema of somebody else, and one of a later fedbatch."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("create schema alien; create table alien.patient (n int)")
    await connection.execute(
        "insert into newer.schema_version (version, name, sha256)"
        " values (9000, 'later', 'x')"
    )
    await connection.close()


async def tables(dsn: str) -> list[tuple[str, ...]]:
    """Return every table and column of the two schemas."""
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch(
        "select table_schema::text, table_name::text, column_name::text"
        " from information_schema.columns"
        " where table_schema in ('alien', 'newer') order by 1, 2, 3"
    )
    await connection.close()
    return [tuple(row) for row in rows]


def test_a_full_disk_of_the_log_harms_nothing(site: Site, parts: Parts) -> None:
    writers = [site.processes[name].pid for name in ("collector", "archiver")]
    declared = balanced(site).declared
    before = len(site.log("collector"))
    once = int(parts.log_disk.own)  # else its own log cannot be written either

    def stalled() -> bool:
        parts.log_disk.fill(writers)  # also what the log gave back of its own files
        return said(site, before).count(NOTHING) >= once and behind(site) > 4

    try:
        until("nothing is stored", stalled)
        stands = head(parts.log)
        until("a retry fails", lambda: behind(site) > 5)
        assert head(parts.log) == stands
        assert site.get("/health/live").is_success
    finally:
        parts.log_disk.empty()
    flows(site)
    assert all(process.poll() is None for process in site.processes.values())

    def all_said() -> bool:  # more than once where the log found room in its own files
        again = said(site, before).count("the log takes readings again")
        return again > 0 and said(site, before).count(NOTHING) == once * again

    until("every partition is written again", all_said)
    assert balanced(site).declared == declared


def said(site: Site, since: int) -> str:
    """Return what the collector logged since its log was so long."""
    return site.log("collector")[since:]


def test_a_full_disk_of_the_database_harms_nothing(site: Site, parts: Parts) -> None:
    declared = balanced(site).declared
    server = parts.database.pid
    assert server is not None
    parts.database_disk.fill([server, *children(server)])
    try:
        until("nothing is stored", lambda: behind(site) > 4)
        until("the archiver says so", lambda: waiting(site))
    finally:
        parts.database_disk.empty()
        if not alive(server):
            parts.database.stop()
            parts.database.start()
    flows(site)
    assert all(process.poll() is None for process in site.processes.values())
    assert balanced(site).declared == declared


def waiting(site: Site) -> bool:
    """Whether the archiver said last of the database that it waits."""
    lines = [line for line in site.log("archiver").splitlines() if "database: " in line]
    return bool(lines) and "database: waiting: " in lines[-1]


@pytest.mark.parametrize("harm", [flip, cut])
def test_only_damaged_records_are_missing_and_they_are_declared(
    site: Site, parts: Parts, harm: Callable[[Segment], None]
) -> None:
    began = time.time_ns() // 1000
    with unread(site, parts):
        before = head(parts.log)
        until("records wait on the log", lambda: head(parts.log) >= before + WAITING)
        for name in ("collector", "api"):
            site.stop(name)
        harm(segments(parts.log)[-1])
    site.start("api", "collector")
    flows(site)
    assert balanced(site).declared > 0
    gaps = site.gaps(began, began + DAY_US)
    assert GapCause.LOG_DAMAGED in {gap.cause for gap in gaps}, gaps
    assert all(gap.end for gap in gaps), gaps
    measured = [gap for gap in gaps if not is_of_samples(gap)]
    assert all(gap.start > began - SLOWEST_US for gap in measured), gaps
    assert site.command("ledger", "verify").returncode == 0


def is_of_samples(gap: DeclaredGap) -> bool:
    """Whether only tags of the laboratory are cut off."""
    return gap.tags is not None and all("/LAB." in tag for tag in gap.tags)


@contextlib.contextmanager
def unread(site: Site, parts: Parts) -> Iterator[None]:
    """Keep what reads the local log away from it: the archiver, or the relay."""
    if parts.broker is None:
        site.stop("archiver")
        yield
        site.start("archiver")
        return
    parts.broker.stop()
    try:
        yield
    finally:
        parts.broker.start()
