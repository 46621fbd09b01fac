"""Certificates and passwords, against a server that insists on them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from asyncua import Server, ua
from asyncua.crypto.permission_rules import SimpleRoleRuleset
from asyncua.server.user_managers import User, UserRole
from pydantic import SecretStr

from services.ingest.opcua.security import own_identity
from services.ingest.opcua.subscription import utc_now
from shared.domain import Actual
from shared.plant import Security
from tests.integration.collect.collected import Collected, plant_of
from tests.neighbours.instrument import Instrument

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class OneUser:
    """Lets in `operator` with `right` only."""

    def get_user(
        self,
        iserver: Any,
        username: str | None = None,
        password: str | None = None,
        certificate: Any = None,
    ) -> User | None:
        right = (username, password) == ("operator", "right")
        return User(role=UserRole.User, name=username) if right else None


class Guarded(Instrument):
    """An instrument that takes Basic256Sha256 with a user only."""

    folder: Path

    async def start(self) -> None:
        self.server = Server(user_manager=OneUser())
        await self.server.init()
        identity = own_identity(self.folder)
        await self.server.set_application_uri(identity.uri)
        await self.server.load_certificate(str(identity.certificate))
        await self.server.load_private_key(str(identity.key))
        self.server.set_security_policy(
            [
                ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
                ua.SecurityPolicyType.Basic256Sha256_Sign,
            ],
            permission_ruleset=SimpleRoleRuleset(),
        )
        self.server.set_identity_tokens([ua.UserNameIdentityToken])
        await self.prepare()
        await self.server.start()


ENCRYPTED = Security(policy="Basic256Sha256", mode="SignAndEncrypt", user="operator")
SIGNED = Security(policy="Basic256Sha256", mode="Sign", user="operator")


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Guarded]:
    instrument = Guarded(2)
    instrument.folder = tmp_path / "server"
    await instrument.start()
    yield instrument
    await instrument.stop()


def password(text: str) -> dict[str, SecretStr]:
    return {"a": SecretStr(text)}


@pytest.mark.parametrize("security", [ENCRYPTED, SIGNED], ids=["encrypted", "signed"])
async def test_an_untrusted_server_is_named_until_a_person_trusts_it(
    tmp_path: Path, guarded: Guarded, security: Security
) -> None:
    async with Collected(tmp_path, passwords=password("right")) as collected:
        await collected.apply(plant_of(guarded.url, 2, security=security))
        await collected.start()
        await collected.until(
            lambda: (
                1 in collected.states
                and collected.states[1].actual is Actual.DISCONNECTED
            )
        )
        error = collected.states[1].error
        folder = collected.settings.spool / "certificates"
        (left,) = (folder / "rejected").iterdir()
        assert f"move {left} to {folder / 'trusted'}" in error
        shutil.move(left, folder / "trusted")
        await collected.until(lambda: collected.all_subscribed(2))
        await guarded.send(utc_now())
        await collected.until(lambda: len(collected.process()) == 2)


async def test_a_wrong_password_is_named_and_never_tried_without_security(
    tmp_path: Path, guarded: Guarded
) -> None:
    async with Collected(tmp_path, passwords=password("wrong")) as collected:
        trusted = collected.settings.spool / "certificates" / "trusted"
        trusted.mkdir(parents=True)
        shutil.copy(guarded.folder / "own" / "certificate.der", trusted / "server.der")
        await collected.apply(plant_of(guarded.url, 2, security=ENCRYPTED))
        await collected.start()
        await collected.until(
            lambda: (
                1 in collected.states
                and collected.states[1].actual is Actual.DISCONNECTED
            )
        )
        assert "BadUserAccessDenied" in collected.states[1].error
        assert "wrong" not in collected.states[1].error
        assert not collected.process()


async def test_a_server_without_the_configured_security_is_refused(
    tmp_path: Path,
) -> None:
    async with Instrument(1) as plain, Collected(tmp_path) as collected:
        await collected.apply(plant_of(plain.url, 1, security=ENCRYPTED))
        await collected.start()
        await collected.until(
            lambda: (
                1 in collected.states
                and collected.states[1].actual is Actual.DISCONNECTED
            )
        )
        assert "expected Basic256Sha256/SignAndEncrypt" in collected.states[1].error


async def test_a_server_that_only_speaks_securely_is_refused_without_security(
    tmp_path: Path, guarded: Guarded
) -> None:
    async with Collected(tmp_path) as collected:
        await collected.apply(plant_of(guarded.url, 1))
        await collected.start()
        await collected.until(
            lambda: (
                1 in collected.states
                and collected.states[1].actual is Actual.DISCONNECTED
            )
        )
        assert "expected a server that offers None/None" in collected.states[1].error
