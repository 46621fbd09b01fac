"""The API described as a page to read: plain HTML, nothing from elsewhere."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Schemas = Mapping[str, Mapping[str, Any]]

_CODE = re.compile(r"`([^`]+)`")


def described(openapi: Mapping[str, Any]) -> str:
    """Return every path of an OpenAPI description with its parameters and roles."""
    named = openapi.get("components", {}).get("schemas", {})
    parts = [
        _part(f"{method.upper()} {path}", operation, named)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><title>fedbatch: paths</title>'
        '<link rel="icon" href="data:,"><link rel="stylesheet" href="/page.css"></head>'
        '<body class="text"><header><h1><a href="/">fedbatch</a></h1>'
        '<p><a href="/openapi.json">openapi.json</a></p></header><main>'
        f"{_text(openapi['info']['description'])}{''.join(parts)}</main></body></html>"
    )


def _part(name: str, operation: Mapping[str, Any], named: Schemas) -> str:
    roles = ", ".join(operation.get("x-roles", ()))
    rows = "".join(
        _rows([*operation.get("parameters", ()), *_body(operation, named)], named)
    )
    head = "<tr><th>parameter</th><th>in</th><th>takes</th><th>meaning</th></tr>"
    table = f"<table>{head}{rows}</table>" if rows else ""
    return (
        f"<article><h2><code>{escape(name)}</code></h2>"
        f"{_text(operation.get('description', ''))}"
        f'<p class="quiet">roles: {escape(roles)}</p>{table}</article>'
    )


def _body(operation: Mapping[str, Any], named: Schemas) -> Iterator[dict[str, Any]]:
    """Yield the fields of a body as parameters are described."""
    content = operation.get("requestBody", {}).get("content", {})
    for schema in _choices(content.get("application/json", {}).get("schema", {})):
        body = named.get(_name(schema), {})
        for name, field in body.get("properties", {}).items():
            needed = name in body.get("required", ())
            about = field.get("description", "")
            yield {
                "name": name,
                "in": "body",
                "schema": field,
                "required": needed,
                "description": about,
            }


def _rows(parameters: Iterable[Mapping[str, Any]], named: Schemas) -> Iterator[str]:
    for each in parameters:
        name = f"<code>{escape(each['name'])}</code>"
        name += " (needed)" if each.get("required") else ""
        cells = (
            name,
            each["in"],
            escape(takes(each.get("schema", {}), named)),
            _inline(each.get("description", "")),
        )
        yield f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def takes(schema: Mapping[str, Any], named: Schemas) -> str:
    """Return what a parameter takes, in words.

    >>> takes({"anyOf": [{"type": "string"}, {"type": "null"}]}, {})
    'string'
    >>> takes({"$ref": "#/x/Side", "default": "a"}, {"Side": {"enum": ["a", "b"]}})
    'a, b; default a'
    >>> takes({"type": "array", "items": {"type": "integer"}}, {})
    'integer; may be repeated'
    """
    kinds = []
    for each in _choices(schema):
        kind = named.get(_name(each), each)
        if kind.get("type") == "array":
            kinds.append(f"{takes(kind['items'], named)}; may be repeated")
        elif "enum" in kind:
            kinds.append(", ".join(map(str, kind["enum"])))
        else:
            kinds.append(str(kind.get("type", "anything")))
    default = schema.get("default")
    said = "" if default in {None, ""} else f"; default {str(default).lower()}"
    return " or ".join(kinds) + said


def _choices(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [e for e in schema.get("anyOf", [schema]) if e.get("type") != "null"]


def _name(schema: Mapping[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _text(text: str) -> str:
    """Return paragraphs and lists of the little Markdown that our texts use."""
    found = []
    for part in text.strip().split("\n\n"):
        if part.startswith("* "):
            items = part[2:].split("\n* ")
            found.append("<ul>" + "".join(f"<li>{_inline(i)}" for i in items) + "</ul>")
        else:
            found.append(f"<p>{_inline(part)}</p>")
    return "".join(found)


def _inline(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text, quote=False))
