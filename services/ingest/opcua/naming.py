"""What asyncua, the socket and a server's StatusCodes say, as our situations."""

from __future__ import annotations

import contextlib
import struct
from typing import TYPE_CHECKING

from asyncua import ua

from services.ingest.opcua.situations import (
    AccessRefused,
    ServerUnreachable,
    ServiceRefused,
    SessionLost,
    SubscriptionLost,
)
from shared.domain import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

_CODES = ua.StatusCodes
_SESSION_GONE = frozenset(
    {_CODES.BadSessionIdInvalid, _CODES.BadSessionClosed, _CODES.BadSessionNotActivated}
)
_SUBSCRIPTION_GONE = frozenset(
    {_CODES.BadSubscriptionIdInvalid, _CODES.BadNoSubscription}
)
_ACCESS = frozenset(
    {
        _CODES.BadIdentityTokenRejected,
        _CODES.BadIdentityTokenInvalid,
        _CODES.BadUserAccessDenied,
        _CODES.BadUserSignatureInvalid,
        _CODES.BadCertificateUntrusted,
        _CODES.BadCertificateUriInvalid,
        _CODES.BadCertificateTimeInvalid,
        _CODES.BadCertificateInvalid,
        _CODES.BadCertificateRevoked,
        _CODES.BadCertificateUseNotAllowed,
        _CODES.BadSecurityChecksFailed,
        _CODES.BadSecurityPolicyRejected,
    }
)


def status_name(code: int) -> str:
    """Return a StatusCode as people look it up, `BadNodeIdUnknown (0x80340000)`."""
    return f"{ua.status_codes.get_name_and_doc(code)[0]} (0x{code:08X})"


@contextlib.contextmanager
def named(url: str, what: str) -> Iterator[None]:
    """Turn what asyncua and the socket raise into our situations."""
    try:
        yield
    except Unavailable:
        raise
    except ua.UaStatusCodeError as error:
        raise _situation(f"{url}: {what}", error.code) from error
    except ua.UaError as error:
        raise ServerUnreachable(f"{url}: {what}: {error}") from error
    except TimeoutError as error:
        raise ServerUnreachable(f"{url}: {what}: no answer in time") from error
    except (OSError, struct.error, ValueError) as error:
        raise ServerUnreachable(f"{url}: {what}: {error}") from error


def _situation(place: str, code: int) -> Unavailable:
    message = f"{place}: {status_name(code)}"
    if code in _SESSION_GONE:
        return SessionLost(message)
    if code in _SUBSCRIPTION_GONE:
        return SubscriptionLost(message)
    if code in _ACCESS:
        return AccessRefused(message)
    return ServiceRefused(message, code)
