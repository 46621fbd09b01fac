"""Answers as JSON columns, JSON rows or CSV; every one says what is missing from it."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import orjson
from fastapi import Depends, Query, Request
from fastapi.responses import Response

from services.api.moments import iso
from services.api.problems import Problem
from shared.retrieval.status import name as status_name

if TYPE_CHECKING:
    from collections.abc import Mapping

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z
_JSON, _CSV = "application/json", "text/csv"


class Format(StrEnum):
    """How an answer is written."""

    JSON = "json"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class Shape:
    """What the asker wants to get."""

    format: Format
    rows: bool
    comments: bool


def shape(
    request: Request,
    form: Annotated[
        Format | None,
        Query(alias="format", description="Overrides the header Accept."),
    ] = None,
    *,
    rows: Annotated[
        bool, Query(description="JSON objects per row instead of columns.")
    ] = False,
    comments: Annotated[
        bool, Query(description="Begin CSV with `#` lines that say what is missing.")
    ] = True,
) -> Shape:
    """Return the shape asked for by parameter or by the header Accept."""
    if form is None:
        form = _accepted(request.headers.get("accept", "*/*"))
    return Shape(form, rows, comments)


Wanted = Annotated[Shape, Depends(shape)]


def _accepted(accept: str) -> Format:
    kinds = [part.partition(";")[0].strip() for part in accept.split(",")]
    for kind in kinds:
        if kind in {_JSON, "application/*", "*/*", ""}:
            return Format.JSON
        if kind in {_CSV, "text/*"}:
            return Format.CSV
    said = f"Accept {accept!r}: expected {_JSON} or {_CSV}"
    raise Problem(406, "not-acceptable", "No such format", said)


@dataclass(frozen=True, slots=True)
class Answer:
    """Columns of equal length and what is to be said about them."""

    about: Mapping[str, Any]
    columns: Mapping[str, Any]
    """NumPy arrays or lists; a name with a dot is nested in JSON (`min.value`)."""
    truncated: bool = False
    cursor: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def json_response(body: object, status: int = 200) -> Response:
    """Return anything as JSON; times are ISO 8601 with Z."""
    return Response(orjson.dumps(body, option=_OPTIONS), status, media_type=_JSON)


def response(answer: Answer, wanted: Shape) -> Response:
    """Return the answer in the shape asked for."""
    paged = {"truncated": answer.truncated, "cursor": answer.cursor}
    if wanted.format is Format.CSV:
        about = {**answer.about, **paged}
        return _csv(about, answer.columns, comments=wanted.comments)
    columns = {name: _plain(column) for name, column in answer.columns.items()}
    named = {"statuses": _statuses(answer.columns)}
    if wanted.rows:
        names = list(columns)
        lists = (_listed(column) for column in columns.values())
        rows = [dict(zip(names, row, strict=True)) for row in zip(*lists, strict=True)]
        return json_response({**answer.about, **named, **paged, "rows": rows})
    return json_response({**answer.about, **named, **paged, **_nested(columns)})


def moments(us: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return times in us UTC as datetime64, which JSON and CSV write as ISO with Z."""
    return us.astype("datetime64[us]")


def _plain(column: Any) -> Any:  # noqa: ANN401  an array or a list
    """Return a column that orjson takes: text and absent times as a list."""
    if _has_absent_times(column):
        return _listed(column)
    if isinstance(column, np.ndarray) and column.dtype != object:
        return np.ascontiguousarray(column)
    return list(column)


def _listed(column: Any) -> list[Any]:  # noqa: ANN401  an array or a list
    if isinstance(column, np.ndarray) and column.dtype.kind == "M":
        absent = np.isnat(column).tolist()
        times = column.astype(np.int64).tolist()
        return [None if nat else iso(us) for us, nat in zip(times, absent, strict=True)]
    if isinstance(column, np.ndarray):
        return [None if each != each else each for each in column.tolist()]  # noqa: PLR0124
    return list(column)


def _has_absent_times(column: Any) -> bool:  # noqa: ANN401  an array or a list
    of_times = isinstance(column, np.ndarray) and column.dtype.kind == "M"
    return of_times and bool(np.isnat(column).any())


def _nested(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return columns with `a.b` as {"a": {"b": ...}}."""
    nested: dict[str, Any] = {}
    for name, column in columns.items():
        group, dot, part = name.partition(".")
        if dot:
            nested.setdefault(group, {})[part] = column
        else:
            nested[name] = column
    return nested


def _statuses(columns: Mapping[str, Any]) -> dict[str, str]:
    """Return every status of the answer in words."""
    parts = [
        np.unique(column)
        for name, column in columns.items()
        if name.endswith("status") and isinstance(column, np.ndarray)
    ]
    found = np.unique(np.concatenate(parts)).tolist() if parts else []
    return {str(status): status_name(status) for status in found}


def _csv(
    about: Mapping[str, Any], columns: Mapping[str, Any], *, comments: bool
) -> Response:
    """Return CSV; nulls are empty, times have microseconds and Z."""
    out = io.StringIO()
    if comments:
        for name, said in about.items():
            text = (
                said if isinstance(said, str) else orjson.dumps(said, option=_OPTIONS)
            )
            text = text if isinstance(text, str) else text.decode()
            out.write(f"# {name}: {' '.join(text.split())}\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*map(_cells, columns.values()), strict=True))
    headers = {
        f"Fedbatch-{name.replace('_', '-').title()}": str(about[name]).lower()
        for name in ("complete", "completeness", "truncated")
        if name in about
    }
    if about.get("cursor"):
        headers["Fedbatch-Cursor"] = about["cursor"]
    return Response(out.getvalue(), headers=headers, media_type=_CSV)


def _cells(column: Any) -> list[Any]:  # noqa: ANN401  an array or a list
    """Return a column's cells; floats as the shortest text that reads back equal."""
    if isinstance(column, np.ndarray) and column.dtype.kind == "M":
        text: list[Any] = np.datetime_as_string(
            column, unit="us", timezone="UTC"
        ).tolist()
        return ["" if each == "NaT" else each for each in text]
    return ["" if each is None else each for each in _listed(column)]
