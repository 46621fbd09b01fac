"""The OPC UA fault suite goes on: certificates that expire, or are trusted no more.

One collector, never restarted, and a server that would also let it in without any
security. Each time the connection is refused with its reason, not a reading comes while
it is, readings flow again within 30 s of the healing, and the ledger balances.
"""

from __future__ import annotations

import asyncio
import shutil
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from asyncua import Server, ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import SimpleRoleRuleset
from asyncua.crypto.validator import CertificateValidator, CertificateValidatorOptions
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from services.ingest.opcua import security
from services.ingest.opcua.security import own_identity
from services.ingest.opcua.subscription import utc_now
from shared.domain import Actual
from shared.plant import Security
from shared.settings import Timeouts
from tests.integration.collect.collected import Collected, check_balance, plant_of
from tests.neighbours.instrument import Instrument
from tests.neighbours.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="module")

COUNT = 2
STEP_S = 0.1
FLOWS_S = 30
OVER = timedelta(days=10 * 365)
ENCRYPTED = Security(policy="Basic256Sha256", mode="SignAndEncrypt")


def renew(folder: Path, now: datetime) -> None:
    """Make the certificate in `folder` anew, as if today were `now`; valid 5 years."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    fresh = security._self_signed(key, "localhost", now)
    (folder / "own").mkdir(parents=True, exist_ok=True)
    (folder / "own" / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (folder / "own" / "certificate.der").write_bytes(
        fresh.public_bytes(serialization.Encoding.DER)
    )


class Careful(Instrument):
    """Takes None and Basic256Sha256, and of secure clients those that it trusts."""

    folder: Path
    trusted: bytes = b""
    """Certificate of the one client it trusts, DER."""

    async def start(self) -> None:
        self.server = Server()
        await self.server.init()
        identity = own_identity(self.folder)
        await self.server.set_application_uri(identity.uri)
        await self.server.load_certificate(str(identity.certificate))
        await self.server.load_private_key(str(identity.key))
        self.server.set_security_policy(
            [
                ua.SecurityPolicyType.NoSecurity,
                ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
            ],
            permission_ruleset=SimpleRoleRuleset(),
        )
        self.server.set_certificate_validator(self.judge)
        await self.prepare()
        await self.server.start()

    async def judge(
        self, certificate: x509.Certificate, application: ua.ApplicationDescription
    ) -> None:
        """Refuse a client as servers do."""
        times = CertificateValidator(CertificateValidatorOptions.TIME_RANGE)
        await times.validate(certificate, application)
        if certificate.public_bytes(serialization.Encoding.DER) != self.trusted:
            raise ServiceError(ua.StatusCodes.BadCertificateUntrusted)


@dataclass
class Secured:
    """The server, its way, and the collector."""

    collected: Collected
    server: Careful
    proxy: Proxy
    sends: bool = True

    @property
    def certificates(self) -> Path:
        """The collector's folder."""
        return self.collected.settings.spool / "certificates"

    def own(self) -> bytes:
        """Return the collector's certificate, DER."""
        return (self.certificates / "own" / "certificate.der").read_bytes()

    async def send_for_ever(self) -> None:
        while True:
            if self.sends:
                await self.server.send(utc_now())
            await asyncio.sleep(STEP_S)

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """The server is not reached meanwhile, and forgets its sessions."""
        self.proxy.cut()
        self.sends = False
        for each in [*self.server.server.iserver._external_sessions.values()]:
            await each.close_session(True)
        yield
        self.sends = True
        self.proxy.heal()

    @asynccontextmanager
    async def restarted(self) -> AsyncIterator[None]:
        """The server stops and starts."""
        self.proxy.cut()
        self.sends = False
        await self.server.stop()
        yield
        await self.server.start()
        self.sends = True
        self.proxy.heal()

    def error(self) -> str:
        """Return why a tag is not served; empty while it is."""
        state = self.collected.states.get(1)
        refused = state is not None and state.actual is Actual.DISCONNECTED
        return state.error if state is not None and refused else ""

    async def refused(self, reason: str) -> None:
        """Wait until the connection is refused for `reason`, and see nothing come."""
        await self.collected.until(lambda: reason in self.error())
        came, sent = len(self.collected.process()), len(self.server.sent)
        enough = sent + 10 * COUNT
        await self.collected.until(lambda: len(self.server.sent) >= enough)
        assert len(self.collected.process()) == came

    async def flows(self) -> None:
        """Wait until what is sent from now on arrives; hold the equation of loss."""
        before = len(self.server.sent)

        def there() -> bool:
            found = {(r.tag - 1, r.time, r.value) for r in self.collected.process()}
            fresh = self.server.sent[before:]
            return {i for i, t, v in fresh if (i, t, v) in found} == set(range(COUNT))

        await self.collected.until(there, within_s=FLOWS_S)
        check_balance(self.collected, self.server.sent, due=slice(0, before))
        assert not self.error()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def secured(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    scaled: dict[str, Any] = {
        "keep_alive": timedelta(seconds=1.2),
        "timeouts": Timeouts(neighbour=timedelta(seconds=2)),
    }
    server = Careful(COUNT)
    server.folder = folder / "server"
    renew(server.folder, datetime.now(UTC))
    async with (
        server,
        Proxy(server.port) as proxy,
        Collected(folder, **scaled) as collected,
    ):
        one = Secured(collected, server, proxy)
        renew(one.certificates, datetime.now(UTC))
        server.trusted = one.own()
        trust_server(one)
        url = f"opc.tcp://127.0.0.1:{proxy.port}/"
        await collected.apply(plant_of(url, COUNT, security=ENCRYPTED, queue=20))
        await collected.start()
        await collected.until(lambda: collected.all_subscribed(COUNT))
        sending = asyncio.create_task(one.send_for_ever())
        await one.flows()
        yield one
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await collected.stop()
        await collected.read()
        counts = collected.counts
        others = counts["duplicate"] + counts["quarantined"]
        assert counts["seen"] == counts["spooled"] + others
        assert counts["spooled"] == len(
            [r for r in collected.readings if r.tag <= COUNT]
        )


def trust_server(one: Secured) -> None:
    """Do what the message says: move the server's certificate to the trusted ones."""
    trusted = one.certificates / "trusted"
    trusted.mkdir(parents=True, exist_ok=True)
    theirs = one.server.folder / "own" / "certificate.der"
    shutil.copy(theirs, trusted / "server.der")


async def test_a_server_whose_certificate_expired_is_refused_until_it_is_renewed(
    secured: Secured,
) -> None:
    async with secured.restarted():
        renew(secured.server.folder, datetime.now(UTC) - OVER)
        trust_server(secured)
    await secured.refused("not now; renew it there")
    async with secured.restarted():
        renew(secured.server.folder, datetime.now(UTC))
    await secured.refused("is not trusted; compare the fingerprint")
    trust_server(secured)
    await secured.flows()


async def test_a_server_that_is_trusted_no_more_is_refused_although_it_was_connected(
    secured: Secured,
) -> None:
    (secured.certificates / "trusted" / "server.der").unlink()
    secured.proxy.cut()
    await secured.collected.until(lambda: bool(secured.error()))
    secured.proxy.heal()
    await secured.refused("is not trusted; compare the fingerprint")
    trust_server(secured)
    await secured.flows()


async def test_a_collector_that_the_server_trusts_no_more_comes_back_when_it_does(
    secured: Secured,
) -> None:
    async with secured.away():
        secured.server.trusted = b""
    await secured.refused("BadCertificateUntrusted")
    secured.server.trusted = secured.own()
    await secured.flows()


async def test_a_collector_whose_own_certificate_expired_takes_the_renewed_one(
    secured: Secured,
) -> None:
    async with secured.away():
        renew(secured.certificates, datetime.now(UTC) - OVER)
        secured.server.trusted = secured.own()
    await secured.refused("BadCertificateTimeInvalid")
    renew(secured.certificates, datetime.now(UTC))
    secured.server.trusted = secured.own()
    await secured.flows()
