"""Pushes to an HTTP receiver, signed as the Standard Webhooks specification says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ssl
from typing import TYPE_CHECKING

import httpx

from services.api.notify.target import PushRefused, TargetAway
from services.api.notify.words import body
from shared.domain import US_PER_S

if TYPE_CHECKING:
    from services.api.notify.settings import WebhookSettings
    from services.api.notify.words import Place
    from shared.events import AlarmTransition

_REFUSED = frozenset({400, 413, 422})
"""Answers that concern this content; any other concerns the receiver."""


def signature(key: bytes, push_id: str, timestamp: int, content: bytes) -> str:
    """Return the header `webhook-signature`.

    HMAC-SHA256 over id, timestamp (s since 1970) and body with dots between them.

    Source:
        standardwebhooks.com, specification 1.0.0, "Signature scheme".
    """
    signed = b".".join((push_id.encode(), str(timestamp).encode(), content))
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


class Webhook:
    """One receiver. A redirection is not followed, a proxy is not used."""

    def __init__(self, name: str, settings: WebhookSettings, place: Place) -> None:
        self.name = f"webhook {name}"
        self._settings = settings
        self._place = place
        self._trust = ssl.create_default_context(cafile=settings.ca_file)

    async def send(self, said: AlarmTransition, push_id: str, now: int) -> None:
        """See Target; any answer 2xx means that it was taken."""
        content = body(said, push_id, self._place)
        stamp = now // US_PER_S
        headers = {
            "content-type": "application/json",
            "user-agent": "fedbatch",
            "webhook-id": push_id,
            "webhook-timestamp": str(stamp),
            "webhook-signature": signature(self._settings.key, push_id, stamp, content),
        }
        status = await self._post(content, headers)
        if status in _REFUSED:
            raise PushRefused(f"{self.name}: HTTP {status}, expected 2xx")
        if not 200 <= status < 300:
            raise TargetAway(f"{self.name}: HTTP {status}, expected 2xx")

    async def _post(self, content: bytes, headers: dict[str, str]) -> int:
        """Return the answer's status; its body is not read."""
        timeout = self._settings.timeout.total_seconds()
        try:
            async with (
                httpx.AsyncClient(verify=self._trust, trust_env=False) as client,
                client.stream(
                    "POST",
                    self._settings.url,
                    content=content,
                    headers=headers,
                    timeout=timeout,
                ) as answer,
            ):
                return answer.status_code
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise TargetAway(f"{self.name}: {reason}") from error
