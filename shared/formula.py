"""Formulas over tags in plant.yaml: soft sensors and balances in a line or a few. Pure.

    air = [FIC-111.PV] + 10
    ln(air / [FIC-112.PV])

A tag stands in brackets. Lines, or parts between semicolons, name something for the
lines after them; the last one is the value. `hours` are those since the vessel's phase
began, and fresh(x, hours) is what was
lately added to a total. There are + - * / % **, ln, exp, abs, min and
max, and nothing else: a formula cannot do harm.
"""

from __future__ import annotations

import ast
import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Known = Mapping[str, float]
    Node = Callable[[Known, "Memory"], float]

HOURS = "hours"
"""Name of the hours in the phase."""
_TAG = re.compile(r"\[([^\[\]]+)\]")
_TWO: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Mod: math.fmod,
    ast.Pow: math.pow,
}
_FUNCTIONS: dict[str, tuple[Callable[..., float], int | None]] = {
    "ln": (math.log, 1),
    "exp": (math.exp, 1),
    "abs": (abs, 1),
    "min": (min, None),
    "max": (max, None),
}
"""By name: what it does, and how many arguments it takes; None: two or more."""


FRESH = "fresh"
"""fresh(x, hours): what was added to a total x, fading with this time constant."""


class FormulaInvalid(ValueError):  # noqa: N818
    """A formula that cannot be read; the message says what and where."""


@dataclass(slots=True)
class Memory:
    """What a formula remembers from one value to the next."""

    past: list[float | None]
    """Per `fresh` in the formula, the faded mean of its total; None: nothing yet."""
    step_h: float = 0.0
    """Hours from one value to the next."""

    def fresh(self, place: int, total: float, hours: float) -> float:
        """Return what of a total is not faded yet."""
        before = self.past[place]
        if before is None or total < before:
            self.past[place] = total
            return 0.0
        left = math.exp(-self.step_h / hours) * (total - before)
        self.past[place] = total - left
        return left


class Formula:
    """One formula, ready to be evaluated."""

    def __init__(self, text: str) -> None:
        """Read a formula.

        Raises:
            FormulaInvalid: it is no formula.
        """
        self.text = text
        self.tags: tuple[str, ...] = tuple(dict.fromkeys(_TAG.findall(text)))
        """Names of the tags in it, in the order in which they come."""
        if not self.tags:
            raise FormulaInvalid(f"formula {text!r}: expected a tag in brackets")
        self._places = {f"tag_{n}": n for n in range(len(self.tags))}
        self._fresh = 0
        self._steps = self._read(text)

    def _read(self, text: str) -> list[tuple[str, Node]]:
        numbers = {tag: n for n, tag in enumerate(self.tags)}
        plain = _TAG.sub(lambda found: f" tag_{numbers[found[1]]} ", text)
        parts = [p.strip() for p in re.split(r"[;\n]", plain) if p.strip()]
        known = {HOURS, *self._places}
        steps = []
        for number, part in enumerate(parts, 1):
            name, body = self._part(part, last=number == len(parts))
            steps.append((name, self._node(body, known)))
            known.add(name)
        return steps

    def _part(self, part: str, *, last: bool) -> tuple[str, ast.expr]:
        try:
            (statement,) = ast.parse(part).body
        except (SyntaxError, ValueError) as error:
            raise FormulaInvalid(f"formula {self.text!r}: {part!r}: {error}") from error
        if last and isinstance(statement, ast.Expr):
            return "", statement.value
        if not last and isinstance(statement, ast.Assign):
            (target,) = statement.targets
            if isinstance(target, ast.Name):
                return target.id, statement.value
        expected = "a value at the end" if last else "name = value"
        raise FormulaInvalid(f"formula {self.text!r}: {part!r}: expected {expected}")

    def memory(self, step_h: float) -> Memory:
        """Return a memory that knows nothing, for values so many hours apart."""
        return Memory([None] * self._fresh, step_h)

    def value(
        self, values: Sequence[float], hours: float = 0.0, memory: Memory | None = None
    ) -> float | None:
        """Return the value; None where it has none, such as a division by zero.

        Args:
            values: of `tags`, in their order.
            hours: since the phase of the vessel began.
            memory: of this formula; what is fresh goes through it.
        """
        known = {name: values[place] for name, place in self._places.items()}
        known[HOURS] = hours
        kept = memory or self.memory(0.0)
        result = math.nan
        try:
            for name, node in self._steps:
                result = node(known, kept)
                known[name] = result
        except (ArithmeticError, ValueError):
            return None
        return result if math.isfinite(result) else None

    def _node(self, body: ast.expr, known: set[str]) -> Node:
        if isinstance(body, ast.Constant) and type(body.value) in {int, float}:
            number = float(body.value)  # type: ignore[arg-type]
            return lambda _, __: number
        if isinstance(body, ast.Name) and body.id in known:
            name = body.id
            return lambda at, _: at[name]
        if isinstance(body, ast.UnaryOp) and isinstance(body.op, ast.USub):
            inner = self._node(body.operand, known)
            return lambda at, memory: -inner(at, memory)
        if isinstance(body, ast.BinOp) and type(body.op) in _TWO:
            does = _TWO[type(body.op)]
            left, right = (self._node(p, known) for p in (body.left, body.right))
            return lambda at, memory: does(left(at, memory), right(at, memory))
        if isinstance(body, ast.Call) and isinstance(body.func, ast.Name):
            return self._call(body, body.func.id, known)
        raise FormulaInvalid(
            f"formula {self.text!r}: {ast.unparse(body)!r}: expected numbers, tags "
            f"in brackets, known names, + - * / % **, {', '.join(_FUNCTIONS)}, fresh"
        )

    def _call(self, body: ast.Call, name: str, known: set[str]) -> Node:
        count = 2 if name == FRESH else _FUNCTIONS.get(name, (None, 0))[1]
        if (name != FRESH and name not in _FUNCTIONS) or body.keywords:
            expected = ", ".join((*_FUNCTIONS, FRESH))
            raise FormulaInvalid(
                f"formula {self.text!r}: {name}(): expected one of {expected}"
            )
        if len(body.args) != count and (count is not None or len(body.args) < 2):
            raise FormulaInvalid(
                f"formula {self.text!r}: {name}(): expected {count or 'two or more'} "
                "arguments"
            )
        inner = [self._node(part, known) for part in body.args]
        if name == FRESH:
            return self._remembering(inner[0], inner[1])
        does = _FUNCTIONS[name][0]
        return lambda at, memory: float(does(*(part(at, memory) for part in inner)))

    def _remembering(self, total: Node, hours: Node) -> Node:
        place, self._fresh = self._fresh, self._fresh + 1
        return lambda at, memory: memory.fresh(
            place, total(at, memory), hours(at, memory)
        )


@lru_cache(maxsize=4096)
def formula(text: str) -> Formula:
    """Return the formula of a text; the same text is read once.

    Raises:
        FormulaInvalid: it is no formula.

    >>> formula("2 * [A] - [B]").value([3.0, 1.0])
    5.0
    """
    return Formula(text)
