"""Walks a server's address space below Objects, in batches within its limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asyncua import ua

from services.ingest.opcua.found import Found, Kind
from services.ingest.opcua.nodes import portable
from services.ingest.opcua.session import batches
from services.ingest.opcua.units import ucum

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from services.ingest.opcua.session import Session

_OBJECTS = ua.NodeId(ua.ObjectIds.ObjectsFolder)
_REFERENCES = 0
"""References per node in one answer: the server decides, and we continue."""
_NUMBERS = frozenset({2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 26, 27, 28})
_INTEGERS = frozenset({2, 3, 4, 5, 6, 7, 8, 9, 27, 28})
_BUILT_IN: dict[int, Kind] = {1: "boolean", 12: "string", 13: "time", 29: "enumeration"}
_SCALAR = frozenset({-3, -2, -1})
"""ValueRanks that may hold one value (Part 3, 5.6.2)."""
_DEEPEST = 32
"""Folders below Objects: further down is a loop of references."""


@dataclass(frozen=True, slots=True)
class _Place:
    node: Any
    path: tuple[str, ...]


async def variables(session: Session, progress: Callable[[int], None]) -> list[Found]:
    """Return every scalar variable of a type that readings hold, in browse order.

    Nodes of the standard's own namespace (the Server object and such) are left out.

    Args:
        session: open.
        progress: called with the number of nodes looked at so far.

    Raises:
        Unavailable: one of this room's situations.
    """
    places = await _walk(session, progress)
    found: list[Found] = []
    kinds = _Kinds(session)
    for batch in batches(places, session.limits["read"] // 3 or 1):
        found += await _describe(session, batch, kinds)
        progress(len(places) + len(found))
    return found


async def _walk(session: Session, progress: Callable[[int], None]) -> list[_Place]:
    level = [_Place(_OBJECTS, ())]
    seen = {_OBJECTS}
    variables_found: list[_Place] = []
    for _ in range(_DEEPEST):
        below: list[_Place] = []
        for batch in batches(level, session.limits["browse"]):
            nodes = [place.node for place in batch]
            answers = await _browse(session, nodes, ua.ObjectIds.HierarchicalReferences)
            for place, references in zip(batch, answers, strict=True):
                for reference in references:
                    node = _node(reference.NodeId)
                    if node.NamespaceIndex == 0 or node in seen:
                        continue
                    seen.add(node)
                    child = _Place(node, (*place.path, reference.BrowseName.Name))
                    if reference.NodeClass == ua.NodeClass.Variable:
                        variables_found.append(child)
                    else:
                        below.append(child)
            progress(len(seen))
        if not below:
            break
        level = below
    return variables_found


def _node(node: Any) -> Any:  # noqa: ANN401  ExpandedNodeId to NodeId
    return ua.NodeId(node.Identifier, node.NamespaceIndex, node.NodeIdType)


async def _browse(
    session: Session,
    nodes: Sequence[Any],
    references: int,
    direction: Any = ua.BrowseDirection.Forward,  # noqa: ANN401
) -> list[list[Any]]:
    """Return the references of each node; continuation points are followed."""
    request = ua.BrowseRequest()
    request.Parameters.RequestedMaxReferencesPerNode = _REFERENCES
    for node in nodes:
        wanted = ua.BrowseDescription()
        wanted.NodeId = node
        wanted.BrowseDirection = direction
        wanted.ReferenceTypeId = ua.NodeId(references)
        wanted.IncludeSubtypes = True
        wanted.NodeClassMask = 0
        wanted.ResultMask = ua.BrowseResultMask.All
        request.Parameters.NodesToBrowse.append(wanted)
    response = await session.call(request, ua.BrowseResponse, "browse")
    found = [list(result.References or ()) for result in response.Results]
    points = [result.ContinuationPoint for result in response.Results]
    while any(points):
        more = ua.BrowseNextRequest()
        more.Parameters.ReleaseContinuationPoints = False
        more.Parameters.ContinuationPoints = [p for p in points if p]
        places = [i for i, point in enumerate(points) if point]
        answer = await session.call(more, ua.BrowseNextResponse, "browse on")
        points = [None] * len(points)
        for place, result in zip(places, answer.Parameters.Results, strict=True):
            found[place] += list(result.References or ())
            points[place] = result.ContinuationPoint
    return found


async def _read(
    session: Session, wanted: Sequence[tuple[Any, ua.AttributeIds]]
) -> list[Any]:
    """Return the values of attributes; None where the server refuses one."""
    values: list[Any] = []
    for batch in batches(wanted, session.limits["read"]):
        request = ua.ReadRequest()
        for node, attribute in batch:
            item = ua.ReadValueId()
            item.NodeId, item.AttributeId = node, attribute
            request.Parameters.NodesToRead.append(item)
        response = await session.call(request, ua.ReadResponse, "read attributes")
        values += [
            None
            if v.Value is None or (v.StatusCode and v.StatusCode.is_bad())
            else v.Value.Value
            for v in response.Results
        ]
    return values


def _value(result: Any) -> Any:  # noqa: ANN401  DataValue to its content
    refused = result.StatusCode is not None and result.StatusCode.is_bad()
    return None if refused or result.Value is None else result.Value.Value


async def _describe(
    session: Session, places: Sequence[_Place], kinds: _Kinds
) -> list[Found]:
    attributes = (
        ua.AttributeIds.DataType,
        ua.AttributeIds.ValueRank,
        ua.AttributeIds.Description,
    )
    values = await _read(
        session, [(place.node, a) for place in places for a in attributes]
    )
    measures = await _measures(session, places)
    found = []
    for i, place in enumerate(places):
        data_type, rank, description = values[3 * i : 3 * i + 3]
        base = await kinds.base(data_type) if data_type is not None else None
        kind = _kind(base)
        if kind is None or (rank if rank is not None else -1) not in _SCALAR:
            continue
        unit, span = measures[i]
        found.append(
            Found(
                node=portable(place.node, session.namespaces),
                path=place.path,
                type=kind,
                integer=base in _INTEGERS,
                unit=unit,
                range=span,
                description=str(getattr(description, "Text", None) or ""),
            )
        )
    return found


def _kind(base: int | None) -> Kind | None:
    if base is None:
        return None
    return "number" if base in _NUMBERS else _BUILT_IN.get(base)


async def _measures(
    session: Session, places: Sequence[_Place]
) -> list[tuple[str, tuple[float, float] | None]]:
    """Return UCUM unit and EURange of each variable."""
    owners: list[tuple[int, str]] = []
    nodes: list[Any] = []
    start = 0
    for batch in batches(places, session.limits["browse"]):
        answers = await _browse(
            session, [p.node for p in batch], ua.ObjectIds.HasProperty
        )
        for offset, references in enumerate(answers):
            for reference in references:
                if reference.BrowseName.Name in {"EURange", "EngineeringUnits"}:
                    owners.append((start + offset, reference.BrowseName.Name))
                    nodes.append(_node(reference.NodeId))
        start += len(batch)
    values = await _read(session, [(node, ua.AttributeIds.Value) for node in nodes])
    units = [""] * len(places)
    spans: list[tuple[float, float] | None] = [None] * len(places)
    for (owner, name), value in zip(owners, values, strict=True):
        if isinstance(value, ua.Range):
            spans[owner] = (float(value.Low), float(value.High))
        elif isinstance(value, ua.EUInformation) and name == "EngineeringUnits":
            text = value.DisplayName.Text or ""
            units[owner] = ucum(value.NamespaceUri, value.UnitId, text)
    return list(zip(units, spans, strict=True))


class _Kinds:
    """Finds the built-in type below which a DataType stands, asking once for each."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[Any, int | None] = {}

    async def base(self, data_type: Any) -> int | None:  # noqa: ANN401  NodeId
        """Return the id in namespace 0 of the type or its nearest known supertype."""
        node = data_type
        for _ in range(_DEEPEST):
            if node in self._known:
                break
            if node.NamespaceIndex == 0 and (
                node.Identifier in _NUMBERS or node.Identifier in _BUILT_IN
            ):
                self._known[node] = int(node.Identifier)
                break
            (parents,) = await _browse(
                self._session,
                [node],
                ua.ObjectIds.HasSubtype,
                ua.BrowseDirection.Inverse,
            )
            if not parents:
                self._known[node] = None
                break
            node = _node(parents[0].NodeId)
        self._known[data_type] = self._known.get(node)
        return self._known[data_type]
