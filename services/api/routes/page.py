"""The page at `/`, and the API's description of itself."""

from __future__ import annotations

from html import escape
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import HTMLResponse, Response

from services.api.answers import json_response
from services.api.roles import READ
from services.api.sources import From
from shared.domain import Unavailable

router = APIRouter(include_in_schema=False)

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>fedbatch</title>
<meta name="viewport" content="width=device-width">
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;
padding:0 1rem}}td,th{{padding:.1rem 1rem .1rem 0;text-align:left}}</style>
<h1>fedbatch</h1>
<p>{state}</p>
<table><tr><th>Vessel</th><th>Tags</th><th></th></tr>{rows}</table>
<p><a href="/alarms">alarms</a> · <a href="/alarms/journal?start=*-1d">journal</a> ·
<a href="/events?start=*-1d">events</a></p>
<p><a href="/vessels">vessels</a> · <a href="/tags">tags</a> ·
<a href="/batches">batches</a> · <a href="/gaps?start=*-1d">gaps of a day</a> ·
<a href="/configuration">configuration</a> · <a href="/stream">stream</a> ·
<a href="/health/ready">health</a></p>
<p>How to ask: <a href="/docs">/docs</a>, <a href="/openapi.json">/openapi.json</a></p>
</html>
"""


@router.get("/", openapi_extra=READ)
async def page(found: From) -> HTMLResponse:
    """Return a short page with links."""
    try:
        names = await found.names()
    except Unavailable as error:
        state = f"The database is away: {escape(str(error))}"
        return HTMLResponse(_PAGE.format(state=state, rows=""), 503)
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{len(names.tags_of(name))}</td>"
        f'<td><a href="/current?vessel={quote(name)}">current values</a> · '
        f'<a href="/batches?vessel={quote(name)}">batches</a></td></tr>'
        for name in names.vessels
    )
    state = f"Configuration {names.version}, {len(names.tags)} tags."
    return HTMLResponse(_PAGE.format(state=state, rows=rows))


@router.get("/openapi.json", openapi_extra=READ)
async def description(request: Request) -> Response:
    """Return every path with its parameters, and the roles that it needs."""
    return json_response(request.app.openapi())


@router.get("/docs", openapi_extra=READ)
async def docs() -> HTMLResponse:
    """Return a page to read and try the paths."""
    return get_swagger_ui_html(openapi_url="/openapi.json", title="fedbatch")


@router.get("/redoc", openapi_extra=READ)
async def redoc() -> HTMLResponse:
    """Return a page to read the paths."""
    return get_redoc_html(openapi_url="/openapi.json", title="fedbatch")
