"""Who may do what on a simulated server: readers, operators, engineers.

| role | may |
|---|---|
| `reader` | browse, read, subscribe, read history |
| `operator` | besides: write setpoints, modes and outputs; command batches |
| `engineer` | besides: inject and clear faults, begin troubles of communication |

A server without users lets anybody do everything. What a role may not do is answered
BadUserAccessDenied and changes nothing.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from asyncua import ua
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.user_managers import UserManager

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asyncua import Server


class Role(StrEnum):
    """What a user may do; see the module."""

    READER = "reader"
    OPERATOR = "operator"
    ENGINEER = "engineer"


@dataclass(frozen=True, slots=True)
class Account:
    """One user."""

    name: str
    password: str = field(repr=False)
    role: Role = Role.ENGINEER


@dataclass
class Known(User):  # type: ignore[misc]
    """A user of ours, as asyncua's sessions keep it."""

    may: Role = Role.READER


class Accounts(UserManager):  # type: ignore[misc]
    """Lets users in by name and password."""

    def __init__(self, accounts: Sequence[Account]) -> None:
        self._accounts = tuple(accounts)

    def get_user(
        self,
        iserver: object,
        username: str | None = None,
        password: str | None = None,
        certificate: object = None,
    ) -> User | None:
        """Return the user; None when name or password is wrong."""
        del iserver, certificate
        found = None
        for one in self._accounts:
            right = _same(username, one.name) & _same(password, one.password)
            if right:
                found = Known(role=UserRole.User, name=one.name, may=one.role)
        return found


def _same(given: str | None, wanted: str) -> bool:
    return hmac.compare_digest((given or "").encode(), wanted.encode())


def may_operate(user: object) -> bool:
    """Whether a user may write setpoints and command batches."""
    return not isinstance(user, Known) or user.may is not Role.READER


class Guard:
    """Keeps methods from those who may not call them."""

    def __init__(self, server: Server) -> None:
        """Watch every session of `server` that is opened from now on."""
        self._needs: dict[Any, Role] = {}
        made = server.iserver.create_session
        server.iserver.create_session = partial(self._session, made)

    def reserve(self, method: Any, role: Role) -> None:  # noqa: ANN401  NodeId
        """Let only `role`, and those who may do more, call a method."""
        self._needs[method] = role

    def _session(self, made: Callable[..., Any], *args: Any, **named: Any) -> Any:  # noqa: ANN401
        session = made(*args, **named)
        session.call = partial(self._call, session, session.call)
        return session

    async def _call(self, session: Any, call: Any, methods: Any) -> Any:  # noqa: ANN401
        results = []
        for method in methods:
            if self._allows(session.user, method.MethodId):
                results += await call([method])
            else:
                denied = ua.CallMethodResult()
                denied.StatusCode = ua.StatusCode(ua.StatusCodes.BadUserAccessDenied)
                results.append(denied)
        return results

    def _allows(self, user: object, method: Any) -> bool:  # noqa: ANN401
        needed = self._needs.get(method)
        if needed is None or not isinstance(user, Known):
            return True
        order = list(Role)
        return order.index(user.may) >= order.index(needed)
