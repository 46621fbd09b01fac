"""Asks the API for its alarms, and acknowledges one."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import httpx

from deploy.alarms.alarm import alarm_of
from shared.domain import FedbatchError, Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.alarms.alarm import Alarm

MOST = 200
"""Alarms that are asked for at once; the most urgent come first."""
_TIMEOUT_S = 10.0


class AnswerRefused(FedbatchError):  # noqa: N818
    """The API does not let us, or does not know what we ask for."""


def actor_name(text: str) -> str:
    """Return a name that the API takes.

    >>> actor_name("anna/ops")
    'anna_ops'
    """
    return re.sub(r"[^\w.@ \-]", "_", text)[:64]


@dataclass(frozen=True, slots=True)
class Access:
    """Where the API is, and who we are there."""

    url: str
    actor: str
    """Who acknowledges, where keys do not say so."""
    key: str | None = None
    ca_file: Path | None = None
    """Certificates to trust; None: the system's."""


class Api:
    """The API, as a person at a terminal uses it. On cancel: the question is dropped.

    Raises from every question:
        Unavailable: it does not answer now.
        AnswerRefused: it answers that this is not possible.
    """

    def __init__(self, access: Access) -> None:
        headers = {"X-Fedbatch-Actor": access.actor}
        if access.key is not None:
            headers["Authorization"] = f"Bearer {access.key}"
        trust = ssl.create_default_context(cafile=access.ca_file)
        self._client = httpx.AsyncClient(
            base_url=access.url,
            headers=headers,
            verify=trust,
            trust_env=False,
            timeout=_TIMEOUT_S,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._client.aclose()

    async def alarms(self) -> tuple[tuple[Alarm, ...], bool]:
        """Return the active alarms, the most urgent first, and whether more exist."""
        body = await self._ask("GET", "/alarms", params={"limit": MOST})
        try:
            found = tuple(alarm_of(each) for each in body["alarms"])
            return found, bool(body["truncated"])
        except (KeyError, TypeError, ValueError) as error:
            raise AnswerRefused(
                f"GET /alarms: {error!r}: expected the list of this release"
            ) from error

    async def acknowledge(self, alarm: Alarm) -> None:
        """Return when the log has the acknowledgement; a repeat changes nothing."""
        await self._ask(
            "POST",
            f"/alarms/{alarm.id}/acknowledge",
            headers={"Idempotency-Key": f"watch {alarm.state} {alarm.changed}"},
            json={},
        )

    async def _ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
        try:
            answer = await self._client.request(method, path, **more)
            body: dict[str, Any] = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise Unavailable(f"{self._client.base_url}: {reason}") from error
        if answer.is_success:
            return body
        said = f"{method} {path}: {answer.status_code} {body.get('detail', '')}"
        if answer.status_code >= 500:
            raise Unavailable(said)
        raise AnswerRefused(said)
