"""Questions that cannot be answered, as application/problem+json (RFC 9457)."""

from __future__ import annotations

import difflib
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
from fastapi.exceptions import (
    RequestValidationError,
    WebSocketRequestValidationError,
)
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from shared.domain import FedbatchError, Unavailable
from shared.retrieval.series import TreatmentInvalid
from shared.retrieval.summary import IntervalsInvalid
from shared.store.pool import AccessRefused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fastapi import FastAPI
    from starlette.requests import Request

MEDIA_TYPE = "application/problem+json"


class Problem(FedbatchError):  # noqa: N818
    """A question that cannot be answered as it was asked."""

    def __init__(self, status: int, kind: str, title: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        """Ends the problem's type, `urn:fedbatch:<kind>`."""
        self.title = title
        self.detail = detail


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Return the known names most like `name`, the best first."""
    lower = {each.lower(): each for each in known}
    close = difflib.get_close_matches(name.lower(), lower, n=count, cutoff=0.5)
    return [lower[each] for each in close]


def hint(names: list[str]) -> str:
    """Return the end of a sentence that names the nearest known names."""
    return f"; the nearest known: {', '.join(names)}" if names else ""


def problem_response(
    status: int,
    kind: str,
    title: str,
    detail: str,
    instance: str,
    headers: dict[str, str] | None = None,
) -> Response:
    """Return the answer that says what is wrong."""
    body = {
        "type": f"urn:fedbatch:{kind}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": instance,
    }
    return Response(orjson.dumps(body), status, headers, MEDIA_TYPE)


def answer_problems(app: FastAPI) -> None:
    """Let the app answer every error as a problem."""
    refusals: dict[type[Exception], tuple[int, str, str]] = {
        Unavailable: (503, "unavailable", "A neighbour is away"),
        AccessRefused: (503, "access-refused", "The database refuses us"),
        TreatmentInvalid: (400, "treatment", "These percentages cannot be"),
        IntervalsInvalid: (400, "intervals", "These intervals cannot be"),
    }

    async def asked_wrongly(request: Request, error: Exception) -> Response:
        path = request.url.path
        if isinstance(error, Problem):
            said = error.status, error.kind, error.title, error.detail
            return problem_response(*said, path)
        status, kind, title = refusals[type(error)]
        retry = {"Retry-After": "1"} if isinstance(error, Unavailable) else None
        return problem_response(status, kind, title, str(error), path, retry)

    app.add_exception_handler(Problem, asked_wrongly)
    for situation in refusals:
        app.add_exception_handler(situation, asked_wrongly)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(WebSocketRequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Exception, _failed)


async def _invalid(request: Request, error: Exception) -> Response:
    findings: list[Any] = []
    if isinstance(error, RequestValidationError | WebSocketRequestValidationError):
        findings = list(error.errors())
    said = (
        f"{finding['loc'][-1]}: {finding['msg']} (found {finding['input']!r:.80})"
        for finding in findings
    )
    title, path = "A parameter cannot be understood", request.url.path
    return problem_response(400, "parameter", title, "; ".join(said), path)


async def _refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    title = HTTPStatus(status).phrase
    detail = f"{request.method} {request.url.path}: {title}"
    if status == HTTPStatus.NOT_FOUND:
        paths = request.app.openapi()["paths"]
        detail += hint(nearest(request.url.path, paths))
    headers = dict(getattr(error, "headers", None) or {})
    kind = title.lower().replace(" ", "-")
    return problem_response(status, kind, title, detail, request.url.path, headers)


async def _failed(request: Request, error: Exception) -> Response:
    title = "The API failed"
    detail = f"{type(error).__name__}: our mistake; the log of the API has the rest"
    return problem_response(500, "failed", title, detail, request.url.path)
