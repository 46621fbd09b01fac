"""What can go wrong between the collector and an OPC UA server, named by situation.

All are `Unavailable`: the collector says them once, shows them with the tags, and
tries again for ever.
"""

from __future__ import annotations

from shared.domain import Unavailable


class ServerUnreachable(Unavailable):
    """No connection, or it broke, or the server's answers are no OPC UA."""


class ServerUntrusted(Unavailable):
    """The server's certificate is not in the trust list, or not valid now."""


class AccessRefused(Unavailable):
    """The server does not offer the configured security, or refuses the user."""


class SessionLost(Unavailable):
    """The server forgot the session; its subscriptions may be gone with it."""


class SubscriptionLost(Unavailable):
    """The session lives, the subscription does not."""


class ServiceRefused(Unavailable):
    """The server answered one request with a bad StatusCode of another kind."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code
        """OPC UA StatusCode."""
