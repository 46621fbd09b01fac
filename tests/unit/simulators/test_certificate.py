"""The server's own certificate."""

from __future__ import annotations

from pathlib import Path

from simulators.servers.security import certificate_in


def test_a_certificate_is_made_once_and_its_key_is_private(tmp_path: Path) -> None:
    certificate, key = certificate_in(tmp_path, "urn:x", "localhost")
    first = certificate.read_bytes()
    assert certificate_in(tmp_path, "urn:x", "localhost") == (certificate, key)
    assert certificate.read_bytes() == first
    assert key.stat().st_mode & 0o077 == 0
