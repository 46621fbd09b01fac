"""Certificates of a simulated server and of its clients."""

from __future__ import annotations

import ipaddress
import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from asyncua import ua
from asyncua.common.utils import ServiceError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_log = logging.getLogger(__name__)
VALID = timedelta(days=3650)
_DER = serialization.Encoding.DER


class ClientUntrusted(ServiceError):  # type: ignore[misc]  # noqa: N818
    """A client's certificate that nobody has trusted."""

    def __init__(self) -> None:
        super().__init__(ua.StatusCodes.BadCertificateUntrusted)


class TrustedClients:
    """Lets in clients whose certificate lies in `trusted/`; others' go to `rejected/`.

    A person moves a certificate from one folder to the other; no restart is needed.
    """

    def __init__(self, folder: Path) -> None:
        self._trusted, self._rejected = folder / "trusted", folder / "rejected"
        for one in (self._trusted, self._rejected):
            one.mkdir(parents=True, exist_ok=True)

    async def __call__(
        self, certificate: x509.Certificate, application: object
    ) -> None:
        """Check a client's certificate.

        Raises:
            ClientUntrusted: it is not trusted, or not valid now.
        """
        del application
        now, body = datetime.now(UTC), certificate.public_bytes(_DER)
        valid = (
            certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
        )
        known = {path.read_bytes() for path in self._trusted.glob("*.der")}
        if valid and body in known:
            return
        name = certificate.fingerprint(hashes.SHA256()).hex()[:16]
        left = self._rejected / f"{name}.der"
        left.write_bytes(body)
        _log.warning("client refused: move %s to %s to trust it", left, self._trusted)
        raise ClientUntrusted


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
