"""The page at `/`, and the API's description of itself."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.api.answers import json_response
from services.api.description import described
from services.api.roles import READ

router = APIRouter(include_in_schema=False)

_TYPES = {
    "page.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "words.js": "text/javascript; charset=utf-8",
}
_POLICY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; "
    "style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
"""The page runs our own files only, and no other page may frame it."""


@cache
def _content(name: str) -> bytes:
    return files("services.api.web").joinpath(name).read_bytes()


def _file(name: str) -> Response:
    return Response(_content(name), headers=_POLICY, media_type=_TYPES[name])


@router.get("/", openapi_extra=READ)
async def page() -> Response:
    """Return the operator's page: vessels, values, trends and alarms."""
    return _file("page.html")


@router.get("/page.css", openapi_extra=READ)
async def style() -> Response:
    """Return how it looks."""
    return _file("page.css")


@router.get("/page.js", openapi_extra=READ)
async def script() -> Response:
    """Return what it does."""
    return _file("page.js")


@router.get("/words.js", openapi_extra=READ)
async def words() -> Response:
    """Return what it says."""
    return _file("words.js")


@router.get("/openapi.json", openapi_extra=READ)
async def description(request: Request) -> Response:
    """Return every path with its parameters, and the roles that it needs."""
    return json_response(request.app.openapi())


@router.get("/docs", openapi_extra=READ)
async def docs(request: Request) -> Response:
    """Return a page to read the paths."""
    text = described(request.app.openapi())
    return Response(text, headers=_POLICY, media_type=_TYPES["page.html"])
