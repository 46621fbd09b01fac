"""The LADS profile of a plant, beside the flat one: the same values, once more.

Objects/DeviceSet/<vessel> is a LADSDevice with one functional unit: its functions, its
state machine, its program (recipe, phase) and the running batch as a result. Values of
tags are those of the flat profile, by reference: read, written, monitored and found in
history alike. States and the step's name follow those of the flat profile.

StartProgram starts the next batch of an idle vessel under its SupervisoryJobId; the
result shows the samples and properties that it was given.

Left out of OPC 30500: templates besides the recipe and their up- and download, results
of batches that are over and their times, files, alarms, locks.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from asyncua import ua

from simulators.operators import WriteRefused
from simulators.procedural import Command
from simulators.servers import lads_model as model
from simulators.servers.lads_nodes import ANALOG_UNIT_RANGE, TWO_STATE, Nodes
from simulators.servers.roles import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asyncua import Server

    from simulators.instants import Columns
    from simulators.servers.batch_desk import BatchDesk
    from simulators.servers.roles import Guard
    from simulators.servers.variables import Variable

_PLAIN = ua.ObjectIds.BaseDataVariableType
_AUTHOR = "fedbatch"
_ARGUMENTS: tuple[tuple[str, model.Structure | None], ...] = (
    ("ProgramTemplateId", None),
    ("Properties", model.KEY_VALUE),
    ("SupervisoryJobId", None),
    ("SupervisoryTaskId", None),
    ("Samples", model.SAMPLE),
)
"""Of StartProgram: a text, or an array of a structure."""


class LadsProfile:
    """The profile of one server, and its states; see the module."""

    def __init__(self, desk: BatchDesk, operate: Callable[[str, float], None]) -> None:
        """Command batches at `desk`; write setpoints and modes with `operate`."""
        self._desk, self._operate = desk, operate
        self.aliases: dict[Any, str] = {}
        """What NodeIds of the profile show, as nodes of the flat one."""
        self.history = False
        """Whether values can be read back."""
        self._states: dict[str, Callable[[str], list[tuple[Any, str]]]] = {}
        self._modes: dict[str, Any] = {}
        self._told: dict[str, tuple[Any, Any]] = {}
        """Properties and samples of the batch, by vessel."""
        self._tags: dict[str, Variable] = {}
        self._places: dict[int, str] = {}
        self._mode_places = np.zeros(0, np.int64)
        self._space: Any = None
        self._nodes: Nodes
        self._guard: Guard

    async def build(
        self, server: Server, home: int, guard: Guard, variables: Sequence[Variable]
    ) -> None:
        """Add types and vessels; the server does not listen yet."""
        self._space, self._guard = server.iserver.aspace, guard
        self._tags = {one.node: one for one in variables}
        self._nodes = Nodes(server, home)
        await self._nodes.types()
        for structure in (model.KEY_VALUE, model.SAMPLE):
            await self._nodes.structure(structure)
        for name in dict.fromkeys(v.node.partition(".")[0] for v in variables[1:]):
            await self._vessel(name)
        of = {one.node: place for place, one in enumerate(variables)}
        followed = (*self._states, *self._modes)
        self._places = {of[node]: node for node in followed}
        self._mode_places = np.array([of[node] for node in self._modes], np.int64)

    async def _vessel(self, vessel: str) -> None:
        nodes, device_set = self._nodes, self._nodes.id(model.DEVICE_SET)
        device = await nodes.object(device_set, vessel, model.DEVICE, space=model.DI)
        await self._identify(device, vessel)
        state = await nodes.object(device, "DeviceState", model.DEVICE_STATE)
        await nodes.value(
            state, "CurrentState", ua.LocalizedText("Operate"), space="", state=True
        )
        units = await self._set(device, "FunctionalUnitSet", model.UNIT_SET)
        unit = await nodes.object(units, "Bioreactor", model.FUNCTIONAL_UNIT)
        await self._unit_state(unit, vessel)
        await self._program(unit, vessel)
        functions = await self._set(unit, "FunctionSet", model.FUNCTION_SET)
        tags = {
            node.partition(".")[2]
            for node in self._tags
            if node.startswith(f"{vessel}.")
        }
        for one in model.functions(tags):
            await self._function(functions, vessel, one)

    async def _set(self, parent: Any, name: str, of: model.Id) -> Any:  # noqa: ANN401
        """Add a set; clients watch its version for members that come and go."""
        made = await self._nodes.object(parent, name, of)
        await self._nodes.value(made, "NodeVersion", "1", space="")
        return made

    async def _identify(self, device: Any, vessel: str) -> None:  # noqa: ANN401
        plate = await self._nodes.object(
            device, "Identification", model.IDENTIFICATION, space=model.DI
        )
        for place in (device, plate):
            for name, value in (
                ("Manufacturer", ua.LocalizedText(_AUTHOR)),
                ("Model", ua.LocalizedText("Simulated bioreactor")),
                ("SerialNumber", vessel),
                ("ProductInstanceUri", f"urn:fedbatch:simulated:{vessel}"),
                ("ComponentName", ua.LocalizedText(vessel)),
                ("AssetId", vessel),
                ("SoftwareRevision", model.VERSION),
            ):
                await self._nodes.value(place, name, value, space=model.DI)

    async def _unit_state(self, unit: Any, vessel: str) -> None:  # noqa: ANN401
        nodes = self._nodes
        outer = await nodes.object(unit, "FunctionalUnitState", model.UNIT_STATE)
        inner = await nodes.object(outer, "RunningStateMachine", model.RUNNING_STATE)
        idle = model.states("Idle")
        shown = [
            await nodes.value(
                place, "CurrentState", ua.LocalizedText(text), space="", state=True
            )
            for place, text in ((outer, idle.unit), (inner, idle.running))
        ]

        def follow(state: str) -> list[tuple[Any, str]]:
            both = model.states(state)
            return list(zip(shown, (both.unit, both.running), strict=True))

        self._states[f"{vessel}.State"] = follow
        for place, name, command in (
            (inner, "Hold", Command.HOLD),
            (inner, "Unhold", Command.RESTART),
            (outer, "Abort", Command.ABORT),
        ):
            call = partial(self._commanded, command, vessel)
            self._guard.reserve(
                await nodes.method(place, name, call, []), Role.OPERATOR
            )

        start = partial(self._started, vessel)
        method = await nodes.method(
            outer,
            "StartProgram",
            start,
            _start_arguments(nodes),
            [_text_argument("DeviceProgramRunId")],
        )
        self._guard.reserve(method, Role.OPERATOR)

    async def _started(self, vessel: str, parent: Any, *given: Any) -> Any:  # noqa: ANN401
        """Start the next batch; its result shows what it was started with."""
        del parent
        values = [one.Value for one in given]
        if len(values) != len(_ARGUMENTS) or values[0] not in {"", None, model.RECIPE}:
            return ua.StatusCode(ua.StatusCodes.BadInvalidArgument)
        _, properties, job, _, samples = values
        answer = self._desk.done(Command.START, vessel, job or "")
        if not isinstance(answer, list):
            return answer
        for node, made in zip(self._told[vessel], (properties, samples), strict=True):
            kind = ua.VariantType.ExtensionObject
            value = ua.DataValue(ua.Variant(made or [], kind, is_array=True))
            value.SourceTimestamp = datetime.now(UTC)
            await self._space.write_attribute_value(node, ua.AttributeIds.Value, value)
        return [ua.Variant(self._desk.batch(vessel), ua.VariantType.String)]

    async def _commanded(
        self,
        command: Command,
        vessel: str,
        parent: Any,  # noqa: ANN401
        *given: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        del parent, given
        answer = self._desk.done(command, vessel)
        return [] if isinstance(answer, list) else answer

    async def _program(self, unit: Any, vessel: str) -> None:  # noqa: ANN401
        nodes = self._nodes
        manager = await nodes.object(unit, "ProgramManager", model.PROGRAM_MANAGER)
        templates = await self._set(manager, "ProgramTemplateSet", model.TEMPLATE_SET)
        await self._template(templates, model.RECIPE)
        active = await nodes.object(manager, "ActiveProgram", model.ACTIVE)
        step = await nodes.value(active, "CurrentStepName", ua.LocalizedText(""))
        self._states[f"{vessel}.Phase"] = lambda phase: [(step, phase)]
        await self._alias(active, "DeviceProgramRunId", f"{vessel}.BatchId")
        results = await self._set(manager, "ResultSet", model.RESULT_SET)
        await self._result(results, vessel)

    async def _template(self, parent: Any, name: str) -> None:  # noqa: ANN401
        made = await self._nodes.object(parent, name, model.TEMPLATE)
        never = datetime(2026, 1, 1, tzinfo=UTC)
        for key, value in (
            ("Author", _AUTHOR),
            ("Created", never),
            ("Modified", never),
            ("Description", ua.LocalizedText("The recipe of the process")),
            ("DeviceTemplateId", name),
            ("Version", "1"),
        ):
            await self._nodes.value(made, key, value)

    async def _result(self, results: Any, vessel: str) -> None:  # noqa: ANN401
        nodes = self._nodes
        batch = await nodes.object(results, "CurrentBatch", model.RESULT)
        await self._alias(batch, "SupervisoryJobId", f"{vessel}.BatchId")
        await self._alias(batch, "SupervisoryTaskId", f"{vessel}.Phase")
        for key, value in (
            ("ApplicationUri", "urn:fedbatch:simulator"),
            ("Description", ua.LocalizedText("The batch in the vessel")),
            ("User", ""),
        ):
            await nodes.value(batch, key, value)
        self._told[vessel] = (
            await nodes.structures(batch, "Properties", model.KEY_VALUE),
            await nodes.structures(batch, "Samples", model.SAMPLE),
        )
        await self._template(batch, "ProgramTemplate")
        await self._set(batch, "FileSet", model.FILE_SET)
        assays = await self._set(batch, "VariableSet", model.VARIABLE_SET)
        for node in (n for n in self._tags if n.startswith(f"{vessel}.LAB.")):
            name = node.rpartition(".")[2]
            await self._shown(assays, name, node, ua.ObjectIds.AnalogItemType)

    async def _function(self, parent: Any, vessel: str, one: model.Function) -> None:  # noqa: ANN401
        nodes = self._nodes
        made = await nodes.object(parent, one.name, one.type)
        await nodes.value(made, "IsEnabled", value=True)
        two_state = one.type == model.TWO_STATE
        shown = [
            await self._shown(
                made, name, f"{vessel}.{tag}",
                TWO_STATE if two_state else ANALOG_UNIT_RANGE,
            )
            for name, tag in one.values.items()
        ]  # fmt: skip
        group = await nodes.object(made, "Operational", model.GROUP)
        await nodes.organize(group, shown)
        if two_state:
            for name in ("TrueState", "FalseState"):
                text = ua.LocalizedText("on" if name == "TrueState" else "off")
                await nodes.value(shown[0], name, text, space="")
        elif one.target:
            await self._control(made, vessel, one)

    async def _control(self, made: Any, vessel: str, one: model.Function) -> None:  # noqa: ANN401
        nodes = self._nodes
        machine = await nodes.object(made, "ControlFunctionState", model.CONTROL_STATE)
        state = await nodes.value(
            machine, "CurrentState", ua.LocalizedText("Running"), space="", state=True
        )
        if not one.mode:
            return
        self._modes[f"{vessel}.{one.mode}"] = state
        target = ua.Argument(
            Name="TargetValue",
            DataType=ua.NodeId(ua.ObjectIds.Double),
            ValueRank=ua.ValueRank.Scalar,
        )
        mode, setpoint = f"{vessel}.{one.mode}", f"{vessel}.{one.target}"
        for name, on, arguments in (
            ("Start", 1.0, []),
            ("StartWithTargetValue", 1.0, [target]),
            ("Stop", 0.0, []),
        ):
            call = partial(self._switched, mode, setpoint, on)
            method = await nodes.method(machine, name, call, arguments)
            self._guard.reserve(method, Role.OPERATOR)

    async def _switched(
        self,
        mode: str,
        setpoint: str,
        on: float,
        parent: Any,  # noqa: ANN401
        *given: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        del parent
        values = [one.Value for one in given]
        if not all(isinstance(one, float) for one in values):
            return ua.StatusCode(ua.StatusCodes.BadInvalidArgument)
        try:
            for value in values:
                self._operate(setpoint, value)
            self._operate(mode, on)
        except WriteRefused:
            return ua.StatusCode(ua.StatusCodes.BadOutOfRange)
        return []

    async def _shown(
        self,
        parent: Any,  # noqa: ANN401
        name: str,
        node: str,
        type_id: int,
    ) -> Any:  # noqa: ANN401
        tag = self._tags[node]
        made = await self._nodes.tag(
            parent, name, tag, type_id=type_id, writable=tag.writable,
            history=self.history,
        )  # fmt: skip
        self.aliases[made] = node
        return made

    async def _alias(self, parent: Any, name: str, node: str) -> None:  # noqa: ANN401
        await self._shown(parent, name, node, ua.ObjectIds.PropertyType)

    async def follow(self, columns: Columns) -> None:
        """Show the states that an instant of the flat profile brings."""
        for row, text in columns.texts.items():
            node = self._places.get(int(columns.nodes[row]), "")
            if node in self._states:
                for shown, word in self._states[node](text):
                    await self._write(shown, word)
        if not len(self._mode_places):
            return
        for row in np.flatnonzero(np.isin(columns.nodes, self._mode_places)).tolist():
            state = self._modes[self._places[int(columns.nodes[row])]]
            on = columns.numbers[row] == 1.0
            await self._write(state, "Running" if on else "Stopped")

    async def _write(self, node: Any, text: str) -> None:  # noqa: ANN401
        value = ua.DataValue(ua.Variant(ua.LocalizedText(text)))
        value.SourceTimestamp = datetime.now(UTC)
        await self._space.write_attribute_value(node, ua.AttributeIds.Value, value)


def _start_arguments(nodes: Nodes) -> list[Any]:
    """Return the arguments of StartProgram as the standard has them."""
    return [
        _text_argument(name)
        if structure is None
        else ua.Argument(
            Name=name,
            DataType=nodes.id(structure.id),
            ValueRank=ua.ValueRank.OneDimension,
            ArrayDimensions=[0],
        )
        for name, structure in _ARGUMENTS
    ]


def _text_argument(name: str) -> Any:  # noqa: ANN401  Argument
    return ua.Argument(
        Name=name,
        DataType=ua.NodeId(ua.ObjectIds.String),
        ValueRank=ua.ValueRank.Scalar,
    )
