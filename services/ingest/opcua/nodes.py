"""NodeIds of plant.yaml as the server of the moment numbers them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asyncua import ua

from shared.domain import FedbatchError

if TYPE_CHECKING:
    from collections.abc import Sequence

_BY_URI = re.compile(r"^nsu=(?P<uri>[^;]+);(?P<rest>.+)$", re.DOTALL)


class NamespaceUnknown(FedbatchError):  # noqa: N818
    """A node names a namespace that the server does not have now, or is no NodeId."""


def resolve(node: str, namespaces: Sequence[str]) -> ua.NodeId:
    """Return the NodeId of `nsu=<uri>;s=...`, `ns=2;i=...` or `i=...`.

    Raises:
        NamespaceUnknown: the URI is not in the server's NamespaceArray.
    """
    match = _BY_URI.match(node)
    text = node
    if match is not None:
        uri = match["uri"]
        if uri not in namespaces:
            raise NamespaceUnknown(
                f"{node}: expected one of the server's namespaces {list(namespaces)}"
            )
        text = f"ns={namespaces.index(uri)};{match['rest']}"
    try:
        return ua.NodeId.from_string(text)
    except (ua.UaError, ValueError) as error:
        raise NamespaceUnknown(f"{node}: expected a NodeId: {error}") from error


def portable(node: ua.NodeId, namespaces: Sequence[str]) -> str:
    """Return the node as plant.yaml names it, by URI unless it is the standard's."""
    text: str = node.to_string()
    if node.NamespaceIndex == 0:
        return text
    rest = text.partition(";")[2]
    return f"nsu={namespaces[node.NamespaceIndex]};{rest}"
