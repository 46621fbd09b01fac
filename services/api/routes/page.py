"""The page at `/`: where to go from here."""

from __future__ import annotations

from html import escape
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

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
<p><a href="/vessels">vessels</a> · <a href="/tags">tags</a> ·
<a href="/batches">batches</a> · <a href="/gaps?start=*-1d">gaps of a day</a> ·
<a href="/configuration">configuration</a> · <a href="/stream">stream</a> ·
<a href="/health/ready">health</a></p>
<p>How to ask: <a href="/docs">/docs</a>, <a href="/openapi.json">/openapi.json</a></p>
</html>
"""


@router.get("/")
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
