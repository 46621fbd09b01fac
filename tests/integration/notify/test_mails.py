"""Alarms reach people over a real SMTP server."""

from __future__ import annotations

import datetime
import ssl
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shared.events import AlarmState, Cause
from tests.integration.notify.pushing import T0, Journal, journal, notifying, settings
from tests.integration.notify.receivers import MailServer, free_port
from tests.neighbours.said import raised, went_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from services.api.notify.settings import NotifierSettings
    from shared.settings import DatabaseSettings

ANNA, BEN = "anna@site.test", "ben@site.test"


@pytest.fixture
async def told(database: DatabaseSettings) -> AsyncIterator[Journal]:
    async with journal(database) as one:
        yield one


@pytest.fixture
def server() -> MailServer:
    return MailServer(free_port())


def over(server: MailServer, told: Journal, **more: Any) -> NotifierSettings:
    mail = {
        "host": "127.0.0.1",
        "port": server.port,
        "security": "none",
        "sender": "fedbatch@site.test",
        "to": f"{ANNA}, {BEN}",
        **more,
    }
    return settings(told.database, mails={"shift": mail})


async def test_a_mail_says_what_where_and_what_to_look_at(
    told: Journal, server: MailServer
) -> None:
    alarm = raised(T0, priority=1)
    async with server.up(), notifying(over(server, told)):
        await told.registered(f"mail {BEN}")
        await told.add(alarm)
        await server.until(lambda it: len(it.mails) == 2)
    assert sorted(server.tos) == [ANNA, BEN]
    mail = server.mails[0]
    assert mail["Subject"] == (
        "SIMULATED P1 BR101/TIC-101.PV 37.8, expected at most 37.5 Cel"
    )
    text = mail.get_content()
    for said in (
        "URGENT ALARM, priority 1",
        "SIMULATED PLANT",
        "CHO-1, phase growth",
        "Look at the jacket.",
        "BR101/AIC-101.PV  7.1 -> 6.9",
        "http://127.0.0.1:8080/recorded?tag=BR101/TIC-101.PV&start=*-1h",
    ):
        assert said in text


async def test_an_alarm_and_its_return_are_one_conversation(
    told: Journal, server: MailServer
) -> None:
    alarm = raised(T0)
    back = went_on(alarm, Cause.RETURNED, AlarmState.RETURNED)
    async with server.up(), notifying(over(server, told, to=ANNA)):
        await told.registered(f"mail {ANNA}")
        await told.add(alarm, back)
        await server.until(lambda it: len(it.mails) == 2)
    assert server.mails[0]["References"] == server.mails[1]["References"]
    ids = [mail["Message-ID"] for mail in server.mails]
    assert ids == [f"<{one}@fedbatch.invalid>" for one in told.ids]


async def test_mails_wait_for_a_server_that_is_away(
    told: Journal, server: MailServer
) -> None:
    async with notifying(over(server, told, to=ANNA)):
        await told.registered(f"mail {ANNA}")
        await told.add(*(raised(T0 + n) for n in range(5)))
        await told.until("select max(attempts) > 2 from push", expected=True)
        async with server.up():
            await server.until(lambda it: len(it.mails) == 5)
    assert [mail["X-Fedbatch-Push"] for mail in server.mails] == told.ids


async def test_an_address_that_is_refused_does_not_keep_mail_from_the_others(
    told: Journal, server: MailServer
) -> None:
    server.refuses = lambda to: "550 no such user" if to == ANNA else None
    async with server.up(), notifying(over(server, told)):
        await told.registered(f"mail {BEN}")
        await told.add(raised(T0))
        await server.until(lambda it: it.tos == [BEN])
        await told.until(f"select attempts from push where target = 'mail {ANNA}'", 1)
    error = await told.value("select error from push where outcome is null")
    assert error.endswith("SMTP 550 no such user")


async def test_a_greylisting_server_gets_the_mail_again_until_it_takes_it(
    told: Journal, server: MailServer
) -> None:
    answers = iter(["451 later", "451 later"])
    server.refuses = lambda _: next(answers, None)
    async with server.up(), notifying(over(server, told, to=ANNA)):
        await told.registered(f"mail {ANNA}")
        await told.add(raised(T0))
        await told.until("select outcome from push", "delivered")
    assert await told.value("select attempts from push") == 3
    assert len(server.mails) == 1


async def test_a_password_goes_only_over_starttls(
    told: Journal, server: MailServer, tmp_path: Path
) -> None:
    context, trusted = _certificate(tmp_path)
    login = {
        "security": "starttls",
        "user": "me",
        "password": "secret",
        "ca_file": trusted,
        "host": "localhost",
        "to": ANNA,
    }
    async with notifying(over(server, told, **login)):
        await told.registered(f"mail {ANNA}")
        await told.add(raised(T0))
        async with server.up():
            await told.until("select max(attempts) > 0 from push", expected=True)
            await told.until(
                "select error like '%STARTTLS extension not supported%' from push",
                expected=True,
            )
        assert not server.mails
        async with server.up(context):
            await server.until(lambda it: len(it.mails) == 1)
    assert server.logins == ["me:secret"]


def _certificate(folder: Path) -> tuple[ssl.SSLContext, str]:
    """Return a server's context for localhost, and the file that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    cert, pem = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, pem)
    return context, str(cert)
