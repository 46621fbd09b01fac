from __future__ import annotations

from typing import Any

import pytest
from fastapi import APIRouter, Request

from services.api.problems import Problem
from services.api.roles import ACT, COMMENT, GRANTED, OPEN, READ, Right, Role, admitted


def request(role: Role | None, named: dict[str, Any] | None) -> Request:
    router = APIRouter()
    router.add_api_route("/x", endpoint=lambda: None, openapi_extra=named)
    scope = {"type": "http", "method": "GET", "path": "/x", "headers": []}
    return Request({**scope, "route": router.routes[0], "role": role})


@pytest.mark.parametrize("role", [*Role, None])
def test_a_route_that_names_no_right_is_refused_to_everyone(role: Role | None) -> None:
    with pytest.raises(Problem, match="names no right"):
        admitted(request(role, None))
    with pytest.raises(Problem, match="names no right"):
        admitted(request(role, {"x-other": 1}))


@pytest.mark.parametrize("named", [READ, COMMENT, ACT])
def test_nobody_has_no_right_but_to_ask_whether_we_live(named: dict[str, Any]) -> None:
    admitted(request(None, OPEN))
    with pytest.raises(Problem, match="expected one of admin, "):
        admitted(request(None, named))


def test_each_right_is_granted_as_documented() -> None:
    may = {
        right: "".join(sorted(role[0] for role in GRANTED[right])) for right in Right
    }
    assert may == {
        Right.OPEN: "aeoqv",
        Right.READ: "aeoqv",
        Right.COMMENT: "aeoq",
        Right.ACT: "aeo",
        Right.SERVICE: "ae",
    }
    for right, named in ((Right.ACT, ACT), (Right.COMMENT, COMMENT)):
        for role in Role:
            if role in GRANTED[right]:
                admitted(request(role, named))
            else:
                with pytest.raises(Problem):
                    admitted(request(role, named))
