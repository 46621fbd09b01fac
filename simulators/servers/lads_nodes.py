"""Adds the nodes of the LADS profile to an asyncua server, one by one.

asyncua's instantiation of types leaves out what clients need and adds placeholders, and
it ships no nodeset of DI, Machinery or LADS; so types and instances are made here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asyncua import ua
from asyncua.common.structures104 import load_custom_struct

from simulators.servers import lads_model as model
from simulators.servers.address_space import VARIANT, NodeRefused, euinformation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asyncua import Server

    from simulators.servers.variables import Variable

ANALOG_UNIT_RANGE, TWO_STATE, STATE = 17570, 2373, 2760
"""Types of variables, of OPC UA's own namespace."""
COMPONENT, PROPERTY = ua.ObjectIds.HasComponent, ua.ObjectIds.HasProperty
ORGANIZES = ua.ObjectIds.Organizes
_READ = ua.AccessLevel.CurrentRead.mask
_WRITE = ua.AccessLevel.CurrentWrite.mask
_HISTORY = ua.AccessLevel.HistoryRead.mask


class Nodes:
    """One server's nodes; identifiers of instances are strings in our namespace."""

    def __init__(self, server: Server, home: int) -> None:
        """Add to `server`; `home` is the index of our namespace."""
        self._server, self._home = server, home
        self._session: Any = server.iserver.isession
        self._index = {"": 0}

    async def types(self) -> None:
        """Make the namespaces, the types and the folder of devices."""
        for uri in model.NAMESPACES:
            self._index[uri] = await self._server.register_namespace(uri)
        for one in model.TYPES:
            attributes = ua.ObjectTypeAttributes()
            attributes.DisplayName = ua.LocalizedText(one.name)
            attributes.IsAbstract = one.abstract
            await self._put(
                self.id(one.id), self.id(one.above), (one.id[0], one.name), attributes,
                ua.ObjectIds.HasSubtype, ua.NodeClass.ObjectType, None,
            )  # fmt: skip
        await self._put(
            self.id(model.DEVICE_SET), ua.NodeId(ua.ObjectIds.ObjectsFolder),
            (model.DI, "DeviceSet"), _object("DeviceSet"),
            COMPONENT, ua.NodeClass.Object, ua.NodeId(ua.ObjectIds.BaseObjectType),
        )  # fmt: skip

    async def structure(self, of: model.Structure) -> None:
        """Make a data type of texts that clients can encode, and so can we."""
        definition = ua.StructureDefinition(
            DefaultEncodingId=self.id(of.encoding),
            BaseDataType=ua.NodeId(ua.ObjectIds.Structure),
            StructureType=ua.StructureType.Structure,
            Fields=[
                ua.StructureField(
                    Name=name,
                    DataType=ua.NodeId(ua.ObjectIds.String),
                    ValueRank=ua.ValueRank.Scalar,
                    IsOptional=False,
                )
                for name in of.fields
            ],
        )
        attributes = ua.DataTypeAttributes()
        attributes.DisplayName = ua.LocalizedText(of.name)
        attributes.DataTypeDefinition = definition
        attributes.IsAbstract = False
        await self._put(
            self.id(of.id), ua.NodeId(ua.ObjectIds.Structure), (model.LADS, of.name),
            attributes, ua.ObjectIds.HasSubtype, ua.NodeClass.DataType, None,
        )  # fmt: skip
        await self._put(
            self.id(of.encoding), self.id(of.id), ("", "Default Binary"),
            _object("Default Binary"), ua.ObjectIds.HasEncoding, ua.NodeClass.Object,
            ua.NodeId(ua.ObjectIds.DataTypeEncodingType),
        )  # fmt: skip
        await load_custom_struct(self._server.get_node(self.id(of.id)))

    async def structures(self, parent: Any, name: str, of: model.Structure) -> Any:  # noqa: ANN401
        """Add a property that holds an array of a structure; return its NodeId."""
        attributes = _variable(name, 0, _READ)
        attributes.DataType = self.id(of.id)
        attributes.ValueRank = ua.ValueRank.OneDimension
        attributes.ArrayDimensions = [0]
        kind = ua.VariantType.ExtensionObject
        attributes.Value = ua.Variant([], kind, is_array=True)
        made = self._below(parent, name)
        await self._put(
            made, parent, (model.LADS, name), attributes, PROPERTY,
            ua.NodeClass.Variable, ua.NodeId(ua.ObjectIds.PropertyType),
        )  # fmt: skip
        return made

    def id(self, of: model.Id) -> Any:  # noqa: ANN401  NodeId
        """Return the NodeId of something that has a number."""
        return ua.NodeId(of[1], self._index[of[0]])

    async def object(
        self,
        parent: Any,  # noqa: ANN401
        name: str,
        of: model.Id,
        *,
        space: str = model.LADS,
        reference: int = COMPONENT,
    ) -> Any:  # noqa: ANN401
        """Add an object; return its NodeId."""
        made = self._below(parent, name)
        await self._put(
            made, parent, (space, name), _object(name), reference,
            ua.NodeClass.Object, self.id(of),
        )  # fmt: skip
        return made

    async def value(
        self,
        parent: Any,  # noqa: ANN401
        name: str,
        value: Any,  # noqa: ANN401
        *,
        space: str = model.LADS,
        state: bool = False,
    ) -> Any:  # noqa: ANN401
        """Add a property, or a machine's current state; return its NodeId."""
        variant = ua.Variant(value)
        attributes = _variable(name, variant.VariantType.value, _READ)
        attributes.Value = variant
        made = self._below(parent, name)
        await self._put(
            made, parent, (space, name), attributes, COMPONENT if state else PROPERTY,
            ua.NodeClass.Variable,
            ua.NodeId(STATE if state else ua.ObjectIds.PropertyType),
        )  # fmt: skip
        return made

    async def tag(
        self,
        parent: Any,  # noqa: ANN401
        name: str,
        tag: Variable,
        *,
        type_id: int,
        writable: bool = False,
        history: bool = False,
    ) -> Any:  # noqa: ANN401
        """Add a variable that shows a tag, with its range and unit; return its id."""
        access = _READ | _WRITE * writable | _HISTORY * history
        attributes = _variable(name, VARIANT[tag.kind].value, access)
        attributes.Historizing = history
        attributes.Description = ua.LocalizedText(tag.description)
        attributes.Value = ua.Variant(None, ua.VariantType.Null)
        made = self._below(parent, name)
        reference = PROPERTY if type_id == ua.ObjectIds.PropertyType else COMPONENT
        await self._put(
            made, parent, (model.LADS, name), attributes, reference,
            ua.NodeClass.Variable, ua.NodeId(type_id),
        )  # fmt: skip
        if tag.range is not None:
            await self.value(made, "EURange", ua.Range(*tag.range), space="")
        if tag.unit is not None:
            await self.value(
                made, "EngineeringUnits", euinformation(tag.unit), space=""
            )
        return made

    async def method(
        self,
        parent: Any,  # noqa: ANN401
        name: str,
        call: Callable[..., Any],
        arguments: list[Any],
        results: Sequence[Any] = (),
    ) -> Any:  # noqa: ANN401
        """Add a method; return its NodeId."""
        node = self._server.get_node(parent)
        browse_name = ua.QualifiedName(name, self._index[model.LADS])
        made = await node.add_method(
            self._below(parent, name), browse_name, call, arguments, [*results]
        )
        return made.nodeid

    async def organize(self, folder: Any, nodes: list[Any]) -> None:  # noqa: ANN401
        """Let a folder point to nodes that stand elsewhere."""
        for node in nodes:
            item = ua.AddReferencesItem()
            item.SourceNodeId, item.TargetNodeId = folder, node
            item.ReferenceTypeId = ua.NodeId(ORGANIZES)
            item.IsForward, item.TargetNodeClass = True, ua.NodeClass.Variable
            await self._session.add_references([item])

    def _below(self, parent: Any, name: str) -> Any:  # noqa: ANN401
        above = "LADS" if parent.NamespaceIndex != self._home else parent.Identifier
        return ua.NodeId(f"{above}/{name}", self._home)

    async def _put(  # noqa: PLR0913, PLR0917  what an AddNodesItem has
        self,
        node: Any,  # noqa: ANN401
        parent: Any,  # noqa: ANN401
        name: tuple[str, str],
        attributes: Any,  # noqa: ANN401
        reference: int,
        node_class: Any,  # noqa: ANN401
        of: Any,  # noqa: ANN401
    ) -> None:
        item = ua.AddNodesItem()
        item.RequestedNewNodeId, item.ParentNodeId = node, parent
        item.BrowseName = ua.QualifiedName(name[1], self._index[name[0]])
        item.NodeAttributes, item.NodeClass = attributes, node_class
        item.ReferenceTypeId = ua.NodeId(reference)
        item.TypeDefinition = of or ua.NodeId()
        (result,) = await self._session.add_nodes([item])
        if not result.StatusCode.is_good():
            raise NodeRefused(f"node {node}: {result.StatusCode.name}")


def _object(name: str) -> Any:  # noqa: ANN401  ObjectAttributes
    attributes = ua.ObjectAttributes()
    attributes.DisplayName = ua.LocalizedText(name)
    return attributes


def _variable(name: str, data_type: int, access: int) -> Any:  # noqa: ANN401
    attributes = ua.VariableAttributes()
    attributes.DisplayName = ua.LocalizedText(name)
    attributes.DataType = ua.NodeId(data_type)
    attributes.ValueRank = ua.ValueRank.Scalar
    attributes.AccessLevel = attributes.UserAccessLevel = access
    return attributes
