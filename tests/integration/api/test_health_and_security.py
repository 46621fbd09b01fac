from __future__ import annotations

import asyncio
import base64
import datetime
import ipaddress
import socket
import ssl
import sys
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr, ValidationError

from services.api.moments import now_us
from services.api.server import PortTaken, serve
from services.api.settings import ApiSettings, TlsSettings
from shared.store.migrations import SchemaTooNew, migrate
from shared.store.pool import open_connection
from tests.integration.api.conftest import served
from tests.integration.api.stored import T0, Client, S, StoredPlant, block, listener

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.embedded.postgres import EmbeddedPostgres

KEY = "correct-horse-battery"


def ago(seconds: float) -> float:
    """Return `seconds` before now as seconds after T0."""
    return (now_us() - T0) / S - seconds


async def checks(api: Client) -> tuple[int, dict[str, Any]]:
    answer = await api.http.get("/health/ready")
    body = answer.json()
    return answer.status_code, {check["name"]: check for check in body["checks"]}


async def test_ready_only_while_every_servers_heartbeat_is_fresh(
    plant: StoredPlant, api: Client
) -> None:
    assert (await api.get("/health/live")) == {"status": "alive"}
    status, found = await checks(api)
    assert status == 503
    assert not found["heartbeat plc1"]["ok"]
    await plant.put(block((100, ago(1), 1.0), (200, ago(60), 1.0)))
    async for _ in api.until("/health/live"):
        status, found = await checks(api)
        if found["heartbeat plc1"]["ok"] and found["log"]["ok"]:
            break
    assert status == 503
    assert not found["heartbeat plc2"]["ok"]
    assert found["heartbeat plc2"]["age_s"] > 59
    assert "at most 15 s" in found["heartbeat plc2"]["detail"]
    await plant.put(block((200, ago(0), 1.0)))
    async for _ in api.until("/health/live"):
        status, found = await checks(api)
        if status == 200:
            break
    names = ["configuration", "database", "heartbeat plc1", "heartbeat plc2", "log"]
    assert sorted(found) == names
    assert all(check["ok"] for check in found.values())


async def test_an_app_without_tables_is_red_and_says_why(unmigrated: Client) -> None:
    status, found = await checks(unmigrated)
    assert status == 503
    assert "fedbatch migrate" in found["database"]["detail"]
    assert not found["log"]["ok"]
    assert not found["configuration"]["ok"]


async def test_a_newer_schema_is_refused_by_name(settings: ApiSettings) -> None:
    await migrate(settings.database)
    async with open_connection(settings.database) as connection:
        await connection.execute(
            "insert into schema_version (version, name, sha256)"
            " values (9000, 'later', 'x')"
        )
    with listener() as opened, pytest.raises(SchemaTooNew, match="version 9000"):
        await serve(settings, opened)


async def test_a_database_that_goes_away_is_said_and_comes_back(
    plant: StoredPlant, api: Client, postgres: EmbeddedPostgres
) -> None:
    await plant.put(block((1, 0, 1.0)))
    async for found in api.until("/current", tag="1"):
        if found["value"] == [1.0]:
            break
    postgres.stop()
    problem = await api.refused("/tags")
    assert problem["status"] == 503
    assert f"127.0.0.1:{postgres.port}" in problem["detail"]
    assert (await api.get("/current", tag="1"))["value"] == [1.0]
    status, _ = await checks(api)
    assert status == 503
    postgres.start()
    assert (await api.get("/recorded", tag="1", start="*-365d"))["value"] == [1.0]


async def test_the_app_starts_before_its_database(
    plant: StoredPlant, settings: ApiSettings
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    away = settings.database.model_copy(
        update={"dsn": SecretStr(f"postgresql://u:secret@127.0.0.1:{port}/d")}
    )
    changed = settings.model_copy(update={"database": away})
    async with served(changed) as client:
        problem = await client.refused("/tags")
        assert problem["status"] == 503
        assert str(port) in problem["detail"]
        assert "secret" not in problem["detail"]
        page = await client.http.get("/")
        assert page.status_code == 200  # it says itself what is away


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "localhost:1234"}, 200),
        ({"host": "[::1]"}, 200),
        ({"host": "evil.example"}, 403),
        ({"host": "127.0.0.1.evil.example"}, 403),
        ({"host": ""}, 403),
        ({"host": "[::1"}, 403),
        ({"host": "localhost", "origin": "http://localhost"}, 200),
        ({"host": "localhost", "origin": "http://evil.example"}, 403),
        ({"host": "localhost", "origin": "null"}, 403),
    ],
)
async def test_without_keys_only_this_machine_may_ask(
    api: Client, headers: dict[str, str], status: int
) -> None:
    answer = await api.http.get("/vessels", headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"authorization": f"Bearer {KEY}"}, 200),
        ({"authorization": f"bearer {KEY}"}, 200),
        ({"authorization": f"Basic {KEY}"}, 401),
        ({"authorization": f"Bearer {KEY}x"}, 401),
        ({"authorization": "Bearer"}, 401),
    ],
)
async def test_with_keys_one_of_them_is_needed(
    plant: StoredPlant, settings: ApiSettings, headers: dict[str, str], status: int
) -> None:
    locked = settings.model_copy(update={"keys": {"grafana": SecretStr(KEY)}})
    async with served(locked) as client:
        answer = await client.http.get("/vessels", headers=headers)
        assert answer.status_code == status
        if status == 401:
            assert answer.headers["www-authenticate"] == "Bearer"
        assert (await client.http.get("/health/live")).status_code == 200


def basic(text: str) -> str:
    """Return what a browser sends for `name:password`."""
    return f"Basic {base64.b64encode(text.encode()).decode()}"


async def test_a_browser_asks_for_name_and_key_and_only_our_own_page_may_use_them(
    plant: StoredPlant, settings: ApiSettings
) -> None:
    keys = {"anna": SecretStr(KEY), "ben": SecretStr(f"{KEY}-of-ben")}
    locked = settings.model_copy(update={"keys": keys})
    async with served(locked) as client:
        own = str(client.http.base_url).rstrip("/")
        page = {"accept": "text/html,*/*;q=0.8"}
        answer = await client.http.get("/", headers=page)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith('Basic realm="fedbatch"')
        for given, origin, status in (
            (basic(f"anna:{KEY}"), None, 200),
            (basic(f"anna:{KEY}"), own, 200),
            (basic(f"anna:{KEY}"), "http://evil.example", 403),
            (basic(f"ben:{KEY}"), None, 401),
            (basic(f"anna:{KEY}x"), None, 401),
            (basic(":"), None, 401),
            ("Basic \u00e9".encode("latin-1"), None, 401),
        ):
            headers: dict[str, Any] = {"authorization": given}
            headers |= {} if origin is None else {"origin": origin}
            answer = await client.http.get("/vessels", headers=headers)
            assert answer.status_code == status, (given, origin)


async def test_tls_is_served(
    plant: StoredPlant, settings: ApiSettings, tmp_path: Path
) -> None:
    tls = _certificate(tmp_path)
    secured = settings.model_copy(
        update={"keys": {"grafana": SecretStr(KEY)}, "tls": tls}
    )
    trust = ssl.create_default_context(cafile=str(tls.certificate))
    async with served(secured, verify=trust) as client:
        answer = await client.http.get(
            "/vessels", headers={"authorization": f"Bearer {KEY}"}
        )
        assert answer.status_code == 200


def _certificate(folder: Path) -> TlsSettings:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = TlsSettings(certificate=folder / "cert.pem", key=folder / "key.pem")
    files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


async def test_a_taken_port_is_named(settings: ApiSettings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=f"127.0.0.1:{port}"):
            await serve(settings.model_copy(update={"port": port}))


async def test_the_process_answers_and_stops_when_it_is_asked_to(
    plant: StoredPlant, settings: ApiSettings
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        "FEDBATCH_API_PORT": str(port),
        "FEDBATCH_API_BUS__URL": settings.bus.url,
        "FEDBATCH_API_DATABASE__DSN": settings.database.dsn.get_secret_value(),
        "FEDBATCH_API_DATABASE__NAMESPACE": settings.database.namespace,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.api"),
        env=environment,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    async with asyncio.timeout(60):
        said = await process.stderr.readline()
        assert f"listening on http://127.0.0.1:{port}".encode() in said
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        process.terminate()
        assert await process.wait() == 0
        writer.close()


def test_a_bind_that_others_reach_needs_keys_and_tls(settings: ApiSettings) -> None:
    body = settings.model_dump() | {"host": "0.0.0.0"}
    with pytest.raises(ValidationError, match="expected KEYS and TLS"):
        ApiSettings.model_validate(body)
    with pytest.raises(ValidationError, match="expected KEYS and TLS"):
        ApiSettings.model_validate(body | {"keys": {"a": KEY}})
    tls = {"certificate": "cert.pem", "key": "key.pem"}
    assert ApiSettings.model_validate(body | {"keys": {"a": KEY}, "tls": tls})
    with pytest.raises(ValidationError, match="at least 16 characters"):
        ApiSettings.model_validate(body | {"keys": {"a": "short"}, "tls": tls})
