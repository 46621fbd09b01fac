"""Findings in a YAML file with the lines that they stand on. Pure."""

from __future__ import annotations

from typing import Any

import yaml

Path = tuple[int | str, ...]
"""Where in the file: keys and indices from the top."""


def not_yaml(error: yaml.YAMLError, source: str) -> str:
    """Return where and why a text is no YAML."""
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark is not None else 1
    what = getattr(error, "problem", None) or str(error)
    return f"{source}:{line}: not YAML: {what}"


def problem(finding: Any, tree: yaml.Node | None, source: str) -> str:  # noqa: ANN401
    """Return one finding of pydantic as `source:line: field: what (found)`."""
    path = finding["loc"]
    found = finding["input"]
    shown = "" if isinstance(found, dict | list) else f" (found {found!r:.60})"
    message = finding["msg"].removeprefix("Value error, ")
    return f"{source}:{line_of(tree, path)}: {field_of(path)}: {message}{shown}"


def field_of(path: Path) -> str:
    """Return a place as a person writes it: `servers[0].url`."""
    parts = (f"[{p}]" if isinstance(p, int) else f".{p}" for p in path)
    return "".join(parts).lstrip(".")


def line_of(node: yaml.Node | None, path: Path) -> int:
    """Return the 1-based line of the deepest node on `path` that exists."""
    line = 1 if node is None else node.start_mark.line + 1
    for step in path:
        child = None if node is None else _child(node, step)
        if child is None:
            break
        node, line = child
    return line


def _child(node: yaml.Node, step: int | str) -> tuple[yaml.Node, int] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return value, key.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode) and step in range(len(node.value)):
        return node.value[int(step)], node.value[int(step)].start_mark.line + 1
    return None
