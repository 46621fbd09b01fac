"""Lists that come in pages: JSON under a noun or flat CSV, never cut silently."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Query

from services.api.answers import Answer, Format, json_response, response
from services.api.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fastapi import Response

    from services.api.answers import Shape

PAGE = 1_000
MOST = 50_000
_BETWEEN = "\x1f"


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is wanted."""

    limit: int
    cursor: str | None

    def after(self, numbers: int, texts: int = 0) -> tuple[Any, ...] | None:
        """Return the place of the last row before the page; None at the beginning.

        Args:
            numbers: how many integers a place of this list begins with.
            texts: how many texts follow them.

        Raises:
            Problem: the cursor is none of this list.
        """
        if self.cursor is None:
            return None
        try:
            parts = base64.urlsafe_b64decode(self.cursor).decode().split(_BETWEEN)
            return tuple(
                read(part)
                for read, part in zip(
                    [_number] * numbers + [str] * texts, parts, strict=True
                )
            )
        except (ValueError, binascii.Error) as error:
            said = f"cursor {self.cursor!r:.60}: expected the cursor of the page before"
            raise Problem(400, "cursor", "Not a cursor", said) from error


def page(
    limit: Annotated[
        int, Query(ge=1, le=MOST, description="Most rows of this answer.")
    ] = PAGE,
    cursor: Annotated[
        str | None,
        Query(description="Of the answer before, to go on with the same question."),
    ] = None,
) -> Page:
    """Return the page asked for."""
    return Page(limit, cursor)


Paged = Annotated[Page, Depends(page)]


def paged(
    noun: str,
    about: Mapping[str, Any],
    found: Sequence[tuple[dict[str, Any], Iterable[object]]],
    asked: Page,
    wanted: Shape,
) -> Response:
    """Return rows under their noun; as CSV one line each, nested fields with dots.

    Args:
        noun: what the rows are.
        about: what is to be said of the whole.
        found: rows with their places, one more than the page holds if there is one.
        asked: the page.
        wanted: JSON or CSV.
    """
    more = len(found) > asked.limit
    rows = [row for row, _ in found[: asked.limit]]
    cursor = _cursor(found[asked.limit - 1][1]) if more else None
    if wanted.format is Format.JSON:
        paging = {"truncated": more, "cursor": cursor}
        return json_response({**about, **paging, noun: rows})
    flat = [_flat(row) for row in rows]
    names = dict.fromkeys(name for row in flat for name in row)
    columns = {name: [row.get(name) for row in flat] for name in names}
    return response(Answer(about, columns, more, cursor), wanted)


def _number(text: str) -> int:
    number = int(text)
    if abs(number) >= 2**62:
        raise ValueError(f"{text} is no place")
    return number


def _cursor(place: Iterable[object]) -> str:
    text = _BETWEEN.join(map(str, place))
    return base64.urlsafe_b64encode(text.encode()).decode()


def _flat(row: Mapping[str, Any]) -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{part}": cell for part, cell in _flat(value).items()}
        elif isinstance(value, list):
            flat[name] = "; ".join(" ".join(map(str, each.values())) for each in value)
        else:
            flat[name] = value
    return flat
