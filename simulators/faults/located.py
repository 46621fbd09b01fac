"""YAML text to a checked model; every error names line, field and what was expected.

Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from shared.domain import FedbatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Path = tuple[int | str, ...]


class FileInvalid(FedbatchError):  # noqa: N818
    """A YAML file that cannot be used; `problems` has one line per finding."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Part(BaseModel):
    """A part of such a file: unknown fields are refused, nothing changes later."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True
    )


M = TypeVar("M", bound=Part)


def parse(
    text: str,
    source: str,
    model: type[M],
    disagreements: Callable[[M], Iterable[tuple[Path, str]]] = lambda _: (),
) -> M:
    """Return the checked content of a file.

    Args:
        text: YAML.
        source: name of the file in errors.
        model: what it must hold.
        disagreements: findings, each with its place, in a file that fits the model.

    Raises:
        FileInvalid: with every finding as `source:line: field: found, expected`.
    """
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        body = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise FileInvalid([_not_yaml(error, source)]) from error
    if not isinstance(body, dict):
        names = ", ".join(model.model_fields)
        raise FileInvalid([f"{source}:1: expected a mapping with {names}"])
    try:
        found = model.model_validate(body)
    except ValidationError as error:
        raise FileInvalid([_problem(f, tree, source) for f in error.errors()]) from (
            error
        )
    problems = [
        f"{source}:{_line(tree, path)}: {_field(path)}: {message}"
        for path, message in disagreements(found)
    ]
    if problems:
        raise FileInvalid(problems)
    return found


def _not_yaml(error: yaml.YAMLError, source: str) -> str:
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark is not None else 1
    return f"{source}:{line}: not YAML: {getattr(error, 'problem', None) or error}"


def _problem(finding: Any, tree: yaml.Node | None, source: str) -> str:  # noqa: ANN401
    path, found = finding["loc"], finding["input"]
    shown = "" if isinstance(found, dict | list) else f" (found {found!r:.60})"
    message = finding["msg"].removeprefix("Value error, ")
    return f"{source}:{_line(tree, path)}: {_field(path)}: {message}{shown}"


def _field(path: Path) -> str:
    parts = (f"[{p}]" if isinstance(p, int) else f".{p}" for p in path)
    return "".join(parts).lstrip(".")


def _line(node: yaml.Node | None, path: Path) -> int:
    """Return the 1-based line of the deepest node on `path` that exists."""
    line = 1 if node is None else node.start_mark.line + 1
    for step in path:
        found = None if node is None else _child(node, step)
        if found is None:
            break
        node, line = found
    return line


def _child(node: yaml.Node, step: int | str) -> tuple[yaml.Node, int] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return value, key.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode) and step in range(len(node.value)):
        return node.value[int(step)], node.value[int(step)].start_mark.line + 1
    return None
