from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest

from services.api.answers import Format, Shape
from services.api.pages import Page, paged
from services.api.problems import Problem

ROWS: list[tuple[dict[str, Any], tuple[object, ...]]] = [
    ({"a": n, "b": {"c": None, "d": [{"e": n, "f": "x y"}]}}, (n, -n, f"key {n}"))
    for n in range(3)
]


def test_a_page_that_is_not_the_last_has_the_place_of_its_last_row() -> None:
    whole = Shape(Format.JSON, rows=False, comments=True)
    found = orjson.loads(paged("rows", {"now": 1}, ROWS, Page(2, None), whole).body)
    assert [row["a"] for row in found["rows"]] == [0, 1]
    assert (found["now"], found["truncated"]) == (1, True)
    assert Page(2, found["cursor"]).after(2, 1) == (1, -1, "key 1")
    last = orjson.loads(paged("rows", {}, ROWS, Page(3, None), whole).body)
    assert (len(last["rows"]), last["truncated"], last["cursor"]) == (3, False, None)
    assert Page(3, None).after(2, 1) is None


def test_csv_has_nested_fields_with_dots_and_the_columns_of_every_row() -> None:
    flat = Shape(Format.CSV, rows=False, comments=False)
    other: tuple[dict[str, Any], tuple[object, ...]] = ({"a": 3, "g": True}, ())
    answer = paged("rows", {}, [ROWS[1], other], Page(9, None), flat)
    assert bytes(answer.body).decode().splitlines() == [
        "a,b.c,b.d,g",
        "1,,1 x y,",
        "3,,,True",
    ]


@pytest.mark.parametrize(
    "place",
    ["", "1", "1\x1f2", "1\x1fx\x1fkey", "1\x1f2\x1fkey\x1f", f"{2**70}\x1f1\x1fk"],
)
def test_a_cursor_of_something_else_is_refused(place: str) -> None:
    cursor = base64.urlsafe_b64encode(place.encode()).decode()
    with pytest.raises(Problem, match="the cursor of the page before"):
        Page(1, cursor).after(2, 1)
