"""The collector's own certificate and the servers' certificates that it trusts.

A folder holds `own/certificate.der` and `own/key.pem` (made on the first start),
`trusted/` (put server certificates here, .der or .pem) and `rejected/` (where an
untrusted certificate is left for a person to check and move).
"""

from __future__ import annotations

import hashlib
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from services.ingest.opcua.situations import ServerUntrusted

if TYPE_CHECKING:
    from pathlib import Path

_KEY_BITS = 2048
"""Largest RSA key that every Basic256Sha256 server must accept."""
_VALID_FOR = timedelta(days=5 * 365)
_CLOCK_SLACK = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Identity:
    """The collector's application instance certificate."""

    uri: str
    """ApplicationUri; servers compare it with the certificate's."""
    certificate: Path
    key: Path


def own_identity(folder: Path) -> Identity:
    """Return the certificate in `folder`, made there if there is none yet."""
    own = folder / "own"
    certificate, key = own / "certificate.der", own / "key.pem"
    if not (certificate.exists() and key.exists()):
        own.mkdir(parents=True, exist_ok=True)
        _make(certificate, key)
    parsed = x509.load_der_x509_certificate(certificate.read_bytes())
    names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    uri = names.get_values_for_type(x509.UniformResourceIdentifier)[0]
    return Identity(uri, certificate, key)


def _make(certificate: Path, key: Path) -> None:
    host = socket.gethostname()
    private = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    signed = _self_signed(private, host, datetime.now(UTC))
    key.touch(mode=0o600)
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.DER))


def _self_signed(
    private: rsa.RSAPrivateKey, host: str, now: datetime
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fedbatch collector")])
    names = x509.SubjectAlternativeName(
        [
            x509.UniformResourceIdentifier(f"urn:{host}:fedbatch:collector"),
            x509.DNSName(host),
        ]
    )
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=True,
        data_encipherment=True,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SLACK)
        .not_valid_after(now + _VALID_FOR)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .sign(private, hashes.SHA256())
    )


def fingerprint(der: bytes) -> str:
    """Return the SHA-256 of a certificate, as certificate tools print it."""
    digest = hashlib.sha256(der).hexdigest()
    return ":".join(digest[i : i + 2] for i in range(0, len(digest), 2)).upper()


def check_trusted(folder: Path, der: bytes, url: str) -> None:
    """Return when the certificate is in `folder/trusted` and valid now.

    Raises:
        ServerUntrusted: says where the certificate was left and where to put it.
    """
    certificate = x509.load_der_x509_certificate(der)
    now = datetime.now(UTC)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise ServerUntrusted(
            f"{url}: the server's certificate is valid from "
            f"{certificate.not_valid_before_utc:%Y-%m-%d} to "
            f"{certificate.not_valid_after_utc:%Y-%m-%d}, not now; renew it there"
        )
    trusted = folder / "trusted"
    trusted.mkdir(parents=True, exist_ok=True)
    if der in {_read(path) for path in trusted.iterdir()}:
        return
    left = folder / "rejected" / f"{fingerprint(der).replace(':', '')[:16]}.der"
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(der)
    raise ServerUntrusted(
        f"{url}: the certificate of {certificate.subject.rfc4514_string()} "
        f"(SHA-256 {fingerprint(der)}) is not trusted; compare the fingerprint at the "
        f"server, then move {left} to {trusted}"
    )


def _read(path: Path) -> bytes:
    """Return a trusted certificate as DER; empty when the file is none."""
    content = path.read_bytes()
    try:
        if content.startswith(b"-----BEGIN"):
            parsed = x509.load_pem_x509_certificate(content)
            return parsed.public_bytes(serialization.Encoding.DER)
        return x509.load_der_x509_certificate(content).public_bytes(
            serialization.Encoding.DER
        )
    except ValueError:
        return b""
