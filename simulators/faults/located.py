"""YAML text to a checked model; every error names line, field and what was expected.

Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from shared.domain import FedbatchError
from shared.located import field_of, line_of, not_yaml, problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from shared.located import Path


class FileInvalid(FedbatchError):  # noqa: N818
    """A YAML file that cannot be used; `problems` has one line per finding."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems

    def __reduce__(self) -> tuple[type[FileInvalid], tuple[list[str]]]:
        """Let it come whole out of another process."""
        return FileInvalid, (self.problems,)


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
        raise FileInvalid([not_yaml(error, source)]) from error
    if not isinstance(body, dict):
        names = ", ".join(model.model_fields)
        raise FileInvalid([f"{source}:1: expected a mapping with {names}"])
    try:
        found = model.model_validate(body)
    except ValidationError as error:
        raise FileInvalid([problem(f, tree, source) for f in error.errors()]) from (
            error
        )
    problems = [
        f"{source}:{line_of(tree, path)}: {field_of(path)}: {message}"
        for path, message in disagreements(found)
    ]
    if problems:
        raise FileInvalid(problems)
    return found
