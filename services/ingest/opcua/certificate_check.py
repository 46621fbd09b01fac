"""A server's certificate as the doctor judges it, with our trust list."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from services.ingest.opcua.findings import Cause, Finding, fault, fine, note
from services.ingest.opcua.security import check_trusted, fingerprint
from services.ingest.opcua.situations import ServerUntrusted

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

SHORT_KEY_BITS = 2048


def certificate_findings(
    der: bytes, *, application_uri: str, host: str, folder: Path, now: datetime
) -> list[Finding]:
    """Return what is right and wrong with a certificate.

    Args:
        der: the server's certificate.
        application_uri: as its endpoint says.
        host: as we reach it.
        folder: with `trusted/`; an untrusted one is left in `rejected/`.
        now: our clock, UTC.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
    except ValueError as error:
        fix = "let the server make a new application certificate"
        return [fault(Cause.UNTRUSTED, f"no X.509 certificate: {error}", fix)]
    return [
        _times(certificate, now),
        _uri(certificate, application_uri),
        _host(certificate, host),
        *_key(certificate),
        _trust(der, folder),
    ]


def _times(certificate: x509.Certificate, now: datetime) -> Finding:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    told = f"the server's certificate is valid {start:%Y-%m-%d} to {end:%Y-%m-%d}"
    if now < start:
        return fault(
            Cause.CLOCK,
            f"{told}; here it is {now:%Y-%m-%d %H:%M} UTC",
            "it is not valid yet: one of the clocks is wrong",
        )
    if now > end:
        fix = "renew the certificate at the server, then trust the new one"
        return fault(Cause.EXPIRED, f"{told}; it has expired", fix)
    if (end - now).days <= 30:
        fix = "renew it before that day"
        return note(Cause.EXPIRED, f"{told}: {(end - now).days} days are left", fix)
    return fine(told)


def _names(certificate: x509.Certificate) -> x509.SubjectAlternativeName | None:
    try:
        return certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        ).value
    except x509.ExtensionNotFound:
        return None


def _uri(certificate: x509.Certificate, application_uri: str) -> Finding:
    names = _names(certificate)
    uris = (
        []
        if names is None
        else names.get_values_for_type(x509.UniformResourceIdentifier)
    )
    if application_uri in uris:
        return fine(f"ApplicationUri {application_uri}")
    held = ", ".join(uris) or "none"
    return fault(
        Cause.APPLICATION_URI,
        f"the server says {application_uri}; its certificate holds {held}",
        "make the server's certificate again with its ApplicationUri as the URI among "
        "the subject's alternative names (or set that ApplicationUri at the server)",
    )


def _host(certificate: x509.Certificate, host: str) -> Finding:
    names = _names(certificate)
    held: list[str] = []
    if names is not None:
        held += names.get_values_for_type(x509.DNSName)
        held += [str(one) for one in names.get_values_for_type(x509.IPAddress)]
    if host.lower() in {one.lower() for one in held}:
        return fine(f"its certificate names {host}")
    with_address = _is_address(host)
    return note(
        Cause.HOSTNAME,
        f"its certificate names {', '.join(held) or 'no host'}; reached as {host}",
        "fedbatch trusts the certificate, not the name; strict clients need "
        + (
            "the name in the address"
            if with_address
            else "a certificate with this name"
        ),
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _key(certificate: x509.Certificate) -> list[Finding]:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < SHORT_KEY_BITS:
        return [
            fault(
                Cause.POLICY,
                f"a key of {key.key_size} bits; Basic256Sha256 needs {SHORT_KEY_BITS}",
                "make the server's certificate again with a longer key",
            )
        ]
    return []


def _trust(der: bytes, folder: Path) -> Finding:
    try:
        check_trusted(folder, der, "server")
    except ServerUntrusted as error:
        text = str(error)
        if "is valid from" in text:
            return fine(f"SHA-256 {fingerprint(der)}")
        return fault(
            Cause.UNTRUSTED,
            f"SHA-256 {fingerprint(der)} is not in {folder / 'trusted'}",
            text.partition("; ")[2],
        )
    return fine(f"trusted, SHA-256 {fingerprint(der)}")
