"""What the doctor can say: causes, what was seen, what helps. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Cause(StrEnum):
    """Why a server cannot be collected, or not well."""

    HOSTNAME = "hostname"
    UNREACHABLE = "unreachable"
    NOT_OPC_UA = "no OPC UA"
    POLICY = "security policy"
    TOKEN = "user token"  # noqa: S105  a word, not a secret
    APPLICATION_URI = "ApplicationUri"
    UNTRUSTED = "server not trusted"
    EXPIRED = "certificate time"
    OWN_UNTRUSTED = "we are not trusted"
    USER = "user refused"
    STATE = "server state"
    CLOCK = "clock"
    LIMITS = "limits"
    NOTHING = "no variables"
    UNREADABLE = "not readable"
    FROZEN = "frozen timestamps"
    NO_TIMESTAMPS = "no source timestamps"
    NO_HISTORY = "no history"


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"
    """It works; something is worth knowing."""
    FAULT = "fault"
    """It does not work, or readings would be wrong."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    what: str
    """What was seen, and what was expected."""
    cause: Cause | None = None
    """None when all is well."""
    fix: str = ""
    """What helps, for a person."""

    def __str__(self) -> str:
        cause = "" if self.cause is None else f" {self.cause}:"
        fix = f"\n         fix: {self.fix}" if self.fix else ""
        return f"{self.level.value:<6}{cause} {self.what}{fix}"


def fine(what: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(Level.OK, what)


def note(cause: Cause, what: str, fix: str) -> Finding:
    """Return something worth knowing."""
    return Finding(Level.NOTE, what, cause, fix)


def fault(cause: Cause, what: str, fix: str) -> Finding:
    """Return something that has to be mended."""
    return Finding(Level.FAULT, what, cause, fix)


_TRUST_US = (
    "trust our certificate {own} at the server (it may lie in its rejected list)"
)
_REFUSALS: tuple[tuple[str, Cause, str], ...] = (
    (
        "BadCertificateUriInvalid",
        Cause.APPLICATION_URI,
        "the server compares our ApplicationUri with our certificate: remove the "
        "folder of {own}, so that both are made again, and trust the new one there",
    ),
    (
        "BadCertificateTimeInvalid",
        Cause.EXPIRED,
        "renew {own} (remove its folder), or set the clocks: one of them is wrong",
    ),
    (
        "BadCertificateHostNameInvalid",
        Cause.HOSTNAME,
        "use the host name that stands in the server's certificate",
    ),
    ("BadCertificateUntrusted", Cause.OWN_UNTRUSTED, _TRUST_US),
    ("BadCertificateInvalid", Cause.OWN_UNTRUSTED, _TRUST_US),
    ("BadSecurityChecksFailed", Cause.OWN_UNTRUSTED, _TRUST_US),
    (
        "BadSecurityPolicyRejected",
        Cause.POLICY,
        "enable the policy at the server, or ask for one that it offers",
    ),
    (
        "BadIdentityTokenInvalid",
        Cause.TOKEN,
        "give a user (--user) or none, as the server's endpoint asks for",
    ),
    (
        "BadIdentityTokenRejected",
        Cause.USER,
        "check user name and password; a server may also refuse a user without the "
        "right to connect",
    ),
    (
        "BadUserAccessDenied",
        Cause.USER,
        "check user name and password, and the user's rights at the server",
    ),
    (
        "BadTooManySessions",
        Cause.LIMITS,
        "close other clients, or raise the server's number of sessions; fedbatch needs "
        "one, and a second one while it fills gaps",
    ),
    (
        "BadConnectionRejected",
        Cause.LIMITS,
        "close other clients: the server takes no more connections",
    ),
)


def refusal(error: str, own: str) -> Finding | None:
    """Return what a refusal of the server means; None when it is not in the book.

    Args:
        error: a message with the StatusCode's name in it.
        own: path of our certificate.

    >>> refusal("opc.tcp://h: connect: BadUserAccessDenied (0x801F0000)", "c").cause
    <Cause.USER: 'user refused'>
    """
    for name, cause, fix in _REFUSALS:
        if re.search(rf"\b{name}\b", error):
            return fault(cause, error, fix.format(own=own))
    return None
