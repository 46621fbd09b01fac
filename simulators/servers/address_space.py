"""Builds the nodes of a list of variables in an asyncua server.

Nodes are added one by one with explicit type definitions: asyncua's instantiation of
types leaves out EURange and EngineeringUnits and adds placeholder nodes. Vessels are
alike, so a node that differs from an earlier one only in its NodeId and its parent
shares that one's attributes: it costs its references and little else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from asyncua import ua
from asyncua.server.address_space import AttributeValue, NodeData

from shared.domain import FedbatchError
from simulators.tags import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

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
_TYPED = ua.NodeId(ua.ObjectIds.HasTypeDefinition)


class NodeRefused(FedbatchError):  # noqa: N818
    """The address space does not take a node, for example because it exists."""


@dataclass(frozen=True, slots=True)
class _First:
    """The first node of those that are alike."""

    node: Any
    """asyncua's NodeData; the others share its attributes."""
    down: Any
    """Reference to it from its parent."""
    typed: Any
    """Reference to its type."""


class Builder:
    """Adds variables and the folders above them to one server."""

    def __init__(
        self, server: Server, namespace: int, *, history: bool = False
    ) -> None:
        """Add to `server`; `history` says that variables can be read back."""
        self._history = history
        self._session = server.iserver.isession
        self._space: Any = server.iserver.aspace
        self._namespace = namespace
        self._alike: dict[Hashable, _First] = {}
        """By everything that attributes depend on."""
        self._up: dict[Any, Any] = {}
        """References to parents, by NodeId: all children of one share it."""
        self._folders: dict[tuple[str, ...], Any] = {
            (): ua.NodeId(ua.ObjectIds.ObjectsFolder)
        }

    async def add(self, variables: Sequence[Variable]) -> list[Any]:
        """Add all variables; return their NodeIds in order.

        They hold no value yet: BadWaitingForInitialData. Variables that are alike share
        the Value attribute too, so it has to get a callback.

        Raises:
            NodeRefused: a node exists already or has an impossible place.
        """
        return [await self._add_variable(variable) for variable in variables]

    async def _add_variable(self, variable: Variable) -> Any:  # noqa: ANN401  NodeId
        parent = await self._folder(variable.path[:-1])
        node = ua.NodeId(variable.node, self._namespace)
        analogue = variable.range is not None
        await self._put(
            (variable.path[-1], replace(variable, node="", path=())),
            node,
            parent,
            lambda: self._item(
                variable.path[-1],
                _variable_attributes(variable, history=self._history),
                ua.ObjectIds.HasComponent,
                ua.ObjectIds.AnalogItemType
                if analogue
                else ua.ObjectIds.BaseDataVariableType,
            ),
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
        top = len(path) <= 1

        def item() -> Any:  # noqa: ANN401  AddNodesItem
            attributes = ua.ObjectAttributes()
            attributes.DisplayName = ua.LocalizedText(path[-1])
            return self._item(
                path[-1],
                attributes,
                ua.ObjectIds.Organizes if top else ua.ObjectIds.HasComponent,
                ua.ObjectIds.FolderType if top else ua.ObjectIds.BaseObjectType,
            )

        await self._put((path[-1], top), node, parent, item)
        self._folders[path] = node
        return node

    async def _property(self, parent: Any, name: str, value: Any, of: int) -> None:  # noqa: ANN401
        def item() -> Any:  # noqa: ANN401  AddNodesItem
            attributes = ua.VariableAttributes()
            attributes.DisplayName = ua.LocalizedText(name)
            attributes.Value = ua.Variant(value, ua.VariantType.ExtensionObject)
            attributes.DataType = ua.NodeId(of)
            attributes.ValueRank = ua.ValueRank.Scalar
            attributes.AccessLevel = ua.AccessLevel.CurrentRead.mask
            attributes.UserAccessLevel = ua.AccessLevel.CurrentRead.mask
            return self._item(
                ua.QualifiedName(name, 0), attributes,
                ua.ObjectIds.HasProperty, ua.ObjectIds.PropertyType,
            )  # fmt: skip

        node = ua.NodeId(f"{parent.Identifier}.{name}", self._namespace)
        await self._put((name, str(value)), node, parent, item)

    def _item(
        self,
        name: Any,  # noqa: ANN401
        attributes: Any,  # noqa: ANN401
        reference: int,
        type_id: int,
    ) -> Any:  # noqa: ANN401  AddNodesItem
        item = ua.AddNodesItem()
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
        return item

    async def _put(
        self,
        kind: Hashable,
        node: Any,  # noqa: ANN401
        parent: Any,  # noqa: ANN401
        item: Callable[[], Any],
    ) -> None:
        """Add a node; `item` is only asked for the first of a kind."""
        first = self._alike.get(kind)
        if first is not None:
            self._again(first, node, parent)
            return
        made = item()
        made.RequestedNewNodeId, made.ParentNodeId = node, parent
        (result,) = await self._session.add_nodes([made])
        if not result.StatusCode.is_good():
            raise NodeRefused(
                f"node {node.Identifier!r} under {parent.Identifier!r}: "
                f"{result.StatusCode.name}"
            )
        data = self._space[node]
        up, typed = data.references
        data.attributes[ua.AttributeIds.NodeId] = _its_own_node_id()
        self._up.setdefault((parent, made.ReferenceTypeId), up)
        down = self._space[parent].references[-1]
        self._alike[kind] = _First(data, down, typed)

    def _again(self, first: _First, node: Any, parent: Any) -> None:  # noqa: ANN401
        """Add a node like an earlier one."""
        if node in self._space:
            raise NodeRefused(
                f"node {node.Identifier!r} under {parent.Identifier!r}: BadNodeIdExists"
            )
        above = self._space[parent]
        place = (parent, first.down.ReferenceTypeId)
        if place not in self._up:
            self._up[place] = self._to(above, first.down.ReferenceTypeId)
        data = NodeData(node)
        data.attributes = first.node.attributes
        data.references = [self._up[place], first.typed]
        above.references.append(replace(first.down, NodeId=node))
        self._space[node] = data

    def _to(self, above: Any, reference: Any) -> Any:  # noqa: ANN401
        """Return the reference to a parent, as its children have it."""
        attributes, ids = above.attributes, ua.AttributeIds
        typed = [r for r in above.references if r.ReferenceTypeId == _TYPED]
        return ua.ReferenceDescription(
            ReferenceTypeId=reference,
            IsForward=False,
            NodeId=above.nodeid,
            BrowseName=attributes[ids.BrowseName].value.Value.Value,
            DisplayName=attributes[ids.DisplayName].value.Value.Value,
            NodeClass=attributes[ids.NodeClass].value.Value.Value,
            TypeDefinition=typed[0].NodeId if typed else ua.NodeId(),
        )


def _its_own_node_id() -> Any:  # noqa: ANN401  AttributeValue
    """Return an attribute that says of each node that shares it which it is."""
    made = AttributeValue(ua.DataValue())
    made.value_callback = lambda node, _: ua.DataValue(
        ua.Variant(node, ua.VariantType.NodeId)
    )
    return made


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
