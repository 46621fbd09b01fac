"""Builds the nodes of a list of variables in an asyncua server.

Nodes are added one by one with explicit type definitions: asyncua's instantiation of
types leaves out EURange and EngineeringUnits and adds placeholder nodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asyncua import ua

from shared.domain import FedbatchError
from simulators.tags import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncua import Server

    from simulators.servers.variables import Variable
    from simulators.units import Unit

VARIANT = {
    Kind.DOUBLE: ua.VariantType.Double,
    Kind.BOOLEAN: ua.VariantType.Boolean,
    Kind.INT32: ua.VariantType.Int32,
    Kind.STRING: ua.VariantType.String,
}
PYTHON = {Kind.DOUBLE: float, Kind.BOOLEAN: bool, Kind.INT32: int, Kind.STRING: str}
"""What a value is turned into before it is sent."""


class NodeRefused(FedbatchError):  # noqa: N818
    """The address space does not take a node, for example because it exists."""


class Builder:
    """Adds variables and the folders above them to one server."""

    def __init__(
        self, server: Server, namespace: int, *, history: bool = False
    ) -> None:
        """Add to `server`; `history` says that variables can be read back."""
        self._history = history
        self._session = server.iserver.isession
        self._namespace = namespace
        self._folders: dict[tuple[str, ...], Any] = {
            (): ua.NodeId(ua.ObjectIds.ObjectsFolder)
        }

    async def add(self, variables: Sequence[Variable]) -> list[Any]:
        """Add all variables; return their NodeIds in order.

        They hold no value yet: BadWaitingForInitialData.

        Raises:
            NodeRefused: a node exists already or has an impossible place.
        """
        return [await self._add_variable(variable) for variable in variables]

    async def _add_variable(self, variable: Variable) -> Any:  # noqa: ANN401  NodeId
        parent = await self._folder(variable.path[:-1])
        node = ua.NodeId(variable.node, self._namespace)
        type_id = ua.ObjectIds.BaseDataVariableType
        if variable.range is not None:
            type_id = ua.ObjectIds.AnalogItemType
        await self._put(
            node,
            parent,
            variable.path[-1],
            _variable_attributes(variable, history=self._history),
            ua.ObjectIds.HasComponent,
            type_id,
        )
        if variable.range is not None:
            low, high = variable.range
            await self._property(
                node, "EURange", ua.Range(low, high), ua.ObjectIds.Range
            )
        if variable.unit is not None:
            await self._property(
                node, "EngineeringUnits", euinformation(variable.unit),
                ua.ObjectIds.EUInformation,
            )  # fmt: skip
        return node

    async def _folder(self, path: tuple[str, ...]) -> Any:  # noqa: ANN401  NodeId
        if path in self._folders:
            return self._folders[path]
        parent = await self._folder(path[:-1])
        node = ua.NodeId("/".join(path), self._namespace)
        attributes = ua.ObjectAttributes()
        attributes.DisplayName = ua.LocalizedText(path[-1])
        top = len(path) <= 1
        await self._put(
            node,
            parent,
            path[-1],
            attributes,
            ua.ObjectIds.Organizes if top else ua.ObjectIds.HasComponent,
            ua.ObjectIds.FolderType if top else ua.ObjectIds.BaseObjectType,
        )
        self._folders[path] = node
        return node

    async def _property(self, parent: Any, name: str, value: Any, of: int) -> None:  # noqa: ANN401
        attributes = ua.VariableAttributes()
        attributes.DisplayName = ua.LocalizedText(name)
        attributes.Value = ua.Variant(value, ua.VariantType.ExtensionObject)
        attributes.DataType = ua.NodeId(of)
        attributes.ValueRank = ua.ValueRank.Scalar
        attributes.AccessLevel = ua.AccessLevel.CurrentRead.mask
        attributes.UserAccessLevel = ua.AccessLevel.CurrentRead.mask
        node = ua.NodeId(f"{parent.Identifier}.{name}", self._namespace)
        await self._put(
            node, parent, ua.QualifiedName(name, 0), attributes,
            ua.ObjectIds.HasProperty, ua.ObjectIds.PropertyType,
        )  # fmt: skip

    async def _put(
        self,
        node: Any,  # noqa: ANN401
        parent: Any,  # noqa: ANN401
        name: Any,  # noqa: ANN401
        attributes: Any,  # noqa: ANN401
        reference: int,
        type_id: int,
    ) -> None:
        item = ua.AddNodesItem()
        item.RequestedNewNodeId = node
        item.ParentNodeId = parent
        item.BrowseName = (
            ua.QualifiedName(name, self._namespace) if isinstance(name, str) else name
        )
        item.NodeAttributes = attributes
        item.NodeClass = (
            ua.NodeClass.Variable
            if isinstance(attributes, ua.VariableAttributes)
            else ua.NodeClass.Object
        )
        item.ReferenceTypeId = ua.NodeId(reference)
        item.TypeDefinition = ua.NodeId(type_id)
        (result,) = await self._session.add_nodes([item])
        if not result.StatusCode.is_good():
            raise NodeRefused(
                f"node {node.Identifier!r} under {parent.Identifier!r}: "
                f"{result.StatusCode.name}"
            )


def _variable_attributes(
    variable: Variable,
    *,
    history: bool,
) -> Any:  # noqa: ANN401  VariableAttributes
    attributes = ua.VariableAttributes()
    attributes.DisplayName = ua.LocalizedText(variable.path[-1])
    attributes.Description = ua.LocalizedText(variable.description)
    attributes.DataType = ua.NodeId(VARIANT[variable.kind].value)
    attributes.Value = ua.Variant(None, ua.VariantType.Null)
    attributes.ValueRank = ua.ValueRank.Scalar
    access = ua.AccessLevel.CurrentRead.mask
    if variable.writable:
        access |= ua.AccessLevel.CurrentWrite.mask
    if history:
        access |= ua.AccessLevel.HistoryRead.mask
    attributes.AccessLevel = attributes.UserAccessLevel = access
    attributes.Historizing = history
    return attributes


def euinformation(unit: Unit) -> Any:  # noqa: ANN401  EUInformation
    """Return a unit as OPC UA Part 8 has it."""
    return ua.EUInformation(
        NamespaceUri=unit.namespace,
        UnitId=unit.unit_id,
        DisplayName=ua.LocalizedText(unit.ucum),
        Description=ua.LocalizedText(unit.name),
    )
