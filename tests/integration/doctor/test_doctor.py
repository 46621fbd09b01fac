"""The doctor names what is wrong, on asyncua's servers and on node-opcua's."""

from __future__ import annotations

import asyncio
import shutil
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from asyncua import Server, ua

from services.ingest.opcua.doctor import Patient, examine
from services.ingest.opcua.findings import Cause, Level
from services.ingest.opcua.security import own_identity
from services.ingest.opcua.subscription import utc_now
from shared.plant import Security
from simulators.instants import Instant
from simulators.servers.flat import Endpoint, FlatServer
from simulators.servers.variables import Variable
from simulators.tags import Kind
from tests.integration.collect.test_collect_security import OneUser
from tests.neighbours.instrument import Instrument

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from services.ingest.opcua.findings import Finding
    from tests.neighbours.node_opcua import NodeOpcua

pytestmark = pytest.mark.asyncio(loop_scope="module")

YEAR_US = 365 * 86_400 * 1_000_000
RIGHT = "right"
SECURE = Security(policy="Basic256Sha256", mode="SignAndEncrypt", user="operator")


class Guarded(Instrument):
    """Takes an encrypted session of one user only; it has few operations per call."""

    folder: Path
    uri = ""
    """ApplicationUri it claims; empty: that of its certificate."""

    async def start(self) -> None:
        self.server = Server(user_manager=OneUser())
        await self.server.init()
        identity = own_identity(self.folder)
        await self.server.set_application_uri(self.uri or identity.uri)
        await self.server.load_certificate(str(identity.certificate))
        await self.server.load_private_key(str(identity.key))
        policy = ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt
        self.server.set_security_policy([policy])
        self.server.set_identity_tokens([ua.UserNameIdentityToken])
        await self.prepare()
        await self.server.start()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Guarded]:
    """One server for all that is wrong with security."""
    instrument = Guarded(2, max_items=5)
    instrument.folder = tmp_path_factory.mktemp("server")
    await instrument.start()
    yield instrument
    await instrument.stop()


def patient_of(
    url: str, folder: Path, security: Security = SECURE, password: str | None = RIGHT
) -> Patient:
    return Patient(url, folder, security, password, timeout_s=10, watch_s=0.3)


def trusting(folder: Path, server: Guarded) -> Path:
    """Return a folder of certificates that holds the server's as trusted."""
    (folder / "trusted").mkdir(parents=True)
    theirs = server.folder / "own" / "certificate.der"
    shutil.copy(theirs, folder / "trusted" / "server.der")
    return folder


async def causes(
    patient: Patient, clock: Callable[[], int] = utc_now
) -> dict[Cause, Finding]:
    """Return what the doctor found, by cause; each has a fix."""
    found = await examine(patient, clock)
    named = {one.cause: one for one in found if one.cause is not None}
    assert all(one.fix for one in named.values())
    return named


def faults(found: dict[Cause, Finding]) -> set[Cause]:
    return {cause for cause, one in found.items() if one.level is Level.FAULT}


async def test_an_address_that_is_none_has_no_host(tmp_path: Path) -> None:
    found = await causes(patient_of("opc.tcp://no.such.host.invalid:4840", tmp_path))
    assert faults(found) == {Cause.HOSTNAME}
    found = await causes(patient_of("http://localhost", tmp_path))
    assert faults(found) == {Cause.HOSTNAME}


async def test_a_closed_port_and_one_that_speaks_another_language_are_told_apart(
    tmp_path: Path,
) -> None:
    async def refuse(_: object, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = f"opc.tcp://127.0.0.1:{probe.getsockname()[1]}"
        found = await causes(patient_of(closed, tmp_path))
        assert faults(found) == {Cause.UNREACHABLE}
    web = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with web:
        url = f"opc.tcp://127.0.0.1:{web.sockets[0].getsockname()[1]}"
        patient = replace(patient_of(url, tmp_path), timeout_s=1)
        found = await causes(patient)
        assert faults(found) == {Cause.NOT_OPC_UA}


async def test_a_security_that_is_not_offered_is_named_with_what_is(
    tmp_path: Path, guarded: Guarded
) -> None:
    found = await causes(patient_of(guarded.url, tmp_path, Security()))
    assert faults(found) == {Cause.POLICY}
    assert "Basic256Sha256/SignAndEncrypt" in found[Cause.POLICY].what
    assert "--secure" in found[Cause.POLICY].fix


async def test_an_untrusted_server_says_where_its_certificate_was_left(
    tmp_path: Path, guarded: Guarded
) -> None:
    found = await causes(patient_of(guarded.url, tmp_path))
    assert faults(found) == {Cause.UNTRUSTED}
    (left,) = (tmp_path / "rejected").iterdir()
    assert str(left) in found[Cause.UNTRUSTED].fix


async def test_a_certificate_out_of_its_time_is_expired_or_a_clock_is_wrong(
    tmp_path: Path, guarded: Guarded
) -> None:
    patient = patient_of(guarded.url, trusting(tmp_path, guarded))
    late = await causes(patient, lambda: utc_now() + 6 * YEAR_US)
    assert faults(late) == {Cause.EXPIRED}
    early = await causes(patient, lambda: utc_now() - YEAR_US)
    assert faults(early) == {Cause.CLOCK}
    soon = await causes(patient, lambda: utc_now() + 5 * YEAR_US - YEAR_US // 20)
    assert soon[Cause.EXPIRED].level is Level.NOTE


async def test_a_missing_user_is_a_token_and_a_wrong_password_is_a_user(
    tmp_path: Path, guarded: Guarded
) -> None:
    folder = trusting(tmp_path, guarded)
    nobody = SECURE.model_copy(update={"user": None})
    found = await causes(patient_of(guarded.url, folder, nobody, None))
    assert faults(found) == {Cause.TOKEN}
    found = await causes(patient_of(guarded.url, folder, password="wrong"))
    assert faults(found) == {Cause.USER}
    assert "wrong" not in found[Cause.USER].what


async def test_a_trusted_server_with_small_limits_and_no_history_can_be_collected(
    tmp_path: Path, guarded: Guarded
) -> None:
    await guarded.send(utc_now())
    found = await causes(patient_of(guarded.url, trusting(tmp_path, guarded)))
    assert faults(found) == set()
    assert {Cause.LIMITS, Cause.NO_HISTORY, Cause.HOSTNAME, Cause.FROZEN} <= set(found)
    assert "items 5" in found[Cause.LIMITS].what


async def test_a_server_that_claims_another_uri_than_its_certificate_s(
    tmp_path: Path,
) -> None:
    liar = Guarded(1)
    liar.folder, liar.uri = tmp_path / "server", "urn:somebody:else"
    await liar.start()
    try:
        found = await causes(patient_of(liar.url, trusting(tmp_path / "own", liar)))
    finally:
        await liar.stop()
    assert faults(found) == {Cause.APPLICATION_URI}
    assert "urn:somebody:else" in found[Cause.APPLICATION_URI].what


async def test_clocks_and_timestamps_of_an_open_server_are_judged(
    tmp_path: Path,
) -> None:
    variables = [Variable(f"T{i}", ("V", f"T{i}"), Kind.DOUBLE) for i in range(3)]
    server = FlatServer(Endpoint(), variables)
    await server.build()
    value, stamp = 0.0, utc_now()

    async def write(*, moving: bool) -> None:
        nonlocal value
        while True:
            value += 1.0
            time = utc_now() if moving else stamp
            await server.write(Instant(time, range(3), [value] * 3))
            await asyncio.sleep(0.05)

    async def with_values(*, moving: bool, ahead: int = 0) -> dict[Cause, Finding]:
        task = asyncio.create_task(write(moving=moving))
        try:
            patient = patient_of(server.url, tmp_path, Security(), None)
            return await causes(patient, lambda: utc_now() + ahead)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    await server.write(Instant(stamp, range(3), [0.0] * 3))
    async with server:
        healthy = await with_values(moving=True)
        assert set(healthy) == {Cause.POLICY}
        frozen = await with_values(moving=False)
        assert faults(frozen) == {Cause.FROZEN}
        skewed = await with_values(moving=True, ahead=3_600 * 1_000_000)
        assert faults(skewed) == {Cause.CLOCK}
        assert "-3600." in skewed[Cause.CLOCK].what


@pytest.mark.node
async def test_node_opcua_is_examined_as_well(
    tmp_path: Path, node_opcua: NodeOpcua
) -> None:
    await asyncio.to_thread(node_opcua.send, 1, good=True)
    found = await causes(patient_of(node_opcua.url, tmp_path, Security(), None))
    assert faults(found) == set()
    assert Cause.NO_HISTORY in found
    found = await causes(patient_of(node_opcua.url, tmp_path))
    assert faults(found) == {Cause.POLICY}
    user = Security(user="operator")
    found = await causes(patient_of(node_opcua.url, tmp_path, user))
    assert faults(found) in ({Cause.TOKEN}, {Cause.USER})
