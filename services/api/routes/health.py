"""Is this process alive, and is the whole way from the instruments keeping up."""

from __future__ import annotations

from fastapi import APIRouter, Response

from services.api.answers import json_response
from services.api.roles import OPEN
from services.api.sources import From

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live", openapi_extra=OPEN)
async def live() -> Response:
    """Answer as long as this process does."""
    return json_response({"status": "alive"})


@router.get("/ready", openapi_extra=OPEN)
async def ready(found: From) -> Response:
    """Say whether every stage keeps up: 200, or 503 when a check is red.

    The newest stored heartbeat of every server must be at most 15 s old by the wall
    clock, the database and the log must answer, a configuration must be stored, and
    no push of an urgent alarm may have waited for more than a minute.
    """
    checks = await found.health.checks()
    red = [check.name for check in checks if not check.ok]
    body = {
        "status": "red" if red else "ready",
        "red": red,
        "checks": [
            {
                "name": check.name,
                "ok": check.ok,
                "age_s": check.age_s,
                "detail": check.detail,
            }
            for check in checks
        ],
    }
    return json_response(body, 503 if red else 200)
