"""Roles and what each may do; a route that names no right is refused to everyone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from starlette.requests import HTTPConnection

from services.api.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping


class Role(StrEnum):
    """Who asks."""

    VIEWER = "viewer"
    """Sees everything, changes nothing."""
    OPERATOR = "operator"
    """Runs the plant: acts on alarms."""
    ENGINEER = "engineer"
    """Answers for the equipment and its alarms: acts on them too, and takes them out of
    service."""
    QA = "qa"
    """Reviews the record: sees everything and may comment, but acts on nothing."""
    ADMIN = "admin"
    """May do everything."""


class Right(StrEnum):
    """What a route lets one do."""

    OPEN = "open"
    """Is this process alive: asked without a key."""
    READ = "read"
    COMMENT = "comment"
    ACT = "act"
    """Acknowledge, shelve, unshelve and reset alarms."""
    SERVICE = "service"
    """Take alarms out of service and put them back."""


GRANTED: Mapping[Right, frozenset[Role]] = {
    Right.OPEN: frozenset(Role),
    Right.READ: frozenset(Role),
    Right.COMMENT: frozenset({Role.OPERATOR, Role.ENGINEER, Role.QA, Role.ADMIN}),
    Right.ACT: frozenset({Role.OPERATOR, Role.ENGINEER, Role.ADMIN}),
    Right.SERVICE: frozenset({Role.ENGINEER, Role.ADMIN}),
}

_RIGHT, _ROLES = "x-right", "x-roles"


def needs(right: Right) -> dict[str, Any]:
    """Return the `openapi_extra` of a route: the right it needs, and who has it."""
    return {_RIGHT: right.value, _ROLES: sorted(GRANTED[right])}


OPEN, READ = needs(Right.OPEN), needs(Right.READ)
COMMENT, ACT = needs(Right.COMMENT), needs(Right.ACT)
SERVICE = needs(Right.SERVICE)


@dataclass(frozen=True, slots=True)
class Needs:
    """Dependency by which a WebSocket route names its right; it has no OpenAPI."""

    right: Right

    def __call__(self) -> None:
        """Check nothing: `admitted` does, for every route."""


def right_of(route: object) -> Right | None:
    """Return the right that a route needs; None where it names none."""
    for each in getattr(route, "dependencies", ()):
        if isinstance(each.dependency, Needs):
            return each.dependency.right
    said = (getattr(route, "openapi_extra", None) or {}).get(_RIGHT)
    return None if said is None else Right(said)


def admitted(connection: HTTPConnection) -> None:
    """Refuse the connection unless its role has the right that its route names.

    Raises:
        Problem: 403 with the roles that may.
    """
    scope = connection.scope
    right = right_of(scope.get("route"))
    allowed = frozenset() if right is None else GRANTED[right]
    role: Role | None = scope.get("role")
    if right is Right.OPEN or role in allowed:
        return
    said = (
        f"role {role} may not {scope.get('method', 'open')} {connection.url.path}: "
        f"expected one of "
        f"{', '.join(sorted(allowed)) or 'none, the route names no right'}"
    )
    raise Problem(403, "role", "This role may not do that", said)
