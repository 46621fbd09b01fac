"""Certificate and user of a simulated server."""

from __future__ import annotations

import hmac
import ipaddress
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.user_managers import UserManager
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from asyncua.server.internal_server import InternalServer

VALID = timedelta(days=3650)


class OneUser(UserManager):  # type: ignore[misc]
    """Lets one user in, by name and password, to read."""

    def __init__(self, name: str, password: str) -> None:
        self._name = name.encode()
        self._password = password.encode()

    def get_user(
        self,
        iserver: InternalServer,
        username: str | None = None,
        password: str | None = None,
        certificate: object = None,
    ) -> User | None:
        """Return the user; None when name or password is wrong."""
        del iserver, certificate
        right = hmac.compare_digest((username or "").encode(), self._name)
        right &= hmac.compare_digest((password or "").encode(), self._password)
        return User(role=UserRole.User, name=username) if right else None


def certificate_in(folder: Path, application_uri: str, host: str) -> tuple[Path, Path]:
    """Return certificate (DER) and private key (PEM) in `folder`, made when missing."""
    certificate, key = folder / "certificate.der", folder / "private-key.pem"
    if not (certificate.exists() and key.exists()):
        folder.mkdir(parents=True, exist_ok=True)
        made_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        _write_private(
            key,
            made_key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )
        made = _self_signed(made_key, application_uri, host)
        certificate.write_bytes(made.public_bytes(serialization.Encoding.DER))
    return certificate, key


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _self_signed(
    key: rsa.RSAPrivateKey, application_uri: str, host: str
) -> x509.Certificate:
    """Return an application instance certificate as OPC 10000-6 6.2.2 describes."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fedbatch simulator")])
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=True,
        data_encipherment=True,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + VALID)
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.UniformResourceIdentifier(application_uri), _name_of(host)]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
        .add_extension(usage, critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .sign(key, hashes.SHA256())
    )


def _name_of(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
