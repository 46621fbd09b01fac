"""What a vessel is in the Laboratory and Analytical Device Standard, OPC 30500. Pure.

Types with the names and numbers of the published nodeset (LADS 1.0.0, 2023-11-30, MIT),
as far as a bioreactor needs them, and which tag of the flat profile each value is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

VERSION = "1.0.0"
DI = "http://opcfoundation.org/UA/DI/"
AMB = "http://opcfoundation.org/UA/AMB/"
MACHINERY = "http://opcfoundation.org/UA/Machinery/"
LADS = "http://opcfoundation.org/UA/LADS/"
NAMESPACES = (DI, AMB, MACHINERY, LADS)

Id = tuple[str, int]
"""Namespace (empty: OPC UA's own) and number of a node."""
DEVICE_SET: Id = (DI, 5001)
GROUP: Id = (DI, 1005)
IDENTIFICATION: Id = (MACHINERY, 1012)
DEVICE, FUNCTIONAL_UNIT, FUNCTION_SET = (LADS, 1002), (LADS, 1003), (LADS, 1026)
UNIT_SET, PROGRAM_MANAGER, ACTIVE = (LADS, 1023), (LADS, 1006), (LADS, 1040)
TEMPLATE_SET, TEMPLATE = (LADS, 1019), (LADS, 1018)
RESULT_SET, RESULT, FILE_SET = (LADS, 1020), (LADS, 1021), (LADS, 1022)
VARIABLE_SET = (LADS, 1041)
DEVICE_STATE, UNIT_STATE, RUNNING_STATE = (LADS, 1039), (LADS, 1043), (LADS, 1036)
CONTROL_STATE = (LADS, 1044)
CONTROLLER, TOTALISED = (LADS, 1009), (LADS, 1014)
SENSOR, COMPENSATED, TWO_STATE = (LADS, 1016), (LADS, 1000), (LADS, 1031)


@dataclass(frozen=True, slots=True)
class TypeOf:
    """An object type."""

    id: Id
    name: str
    above: Id
    abstract: bool = False


TYPES: tuple[TypeOf, ...] = (
    TypeOf((DI, 1001), "TopologyElementType", ("", 58), abstract=True),
    TypeOf((DI, 15063), "ComponentType", (DI, 1001), abstract=True),
    TypeOf((DI, 1002), "DeviceType", (DI, 15063), abstract=True),
    TypeOf(GROUP, "FunctionalGroupType", ("", 61)),
    TypeOf((MACHINERY, 1004), "MachineryItemIdentificationType", GROUP, abstract=True),
    TypeOf(IDENTIFICATION, "MachineIdentificationType", (MACHINERY, 1004)),
    TypeOf(DEVICE, "LADSDeviceType", (DI, 1002)),
    TypeOf(FUNCTIONAL_UNIT, "FunctionalUnitType", (DI, 1001)),
    TypeOf((LADS, 1004), "FunctionType", (DI, 1001), abstract=True),
    TypeOf((LADS, 61), "SetType", ("", 61), abstract=True),
    TypeOf(UNIT_SET, "FunctionalUnitSetType", (LADS, 61)),
    TypeOf(FUNCTION_SET, "FunctionSetType", (LADS, 61)),
    TypeOf(TEMPLATE_SET, "ProgramTemplateSetType", (LADS, 61)),
    TypeOf(RESULT_SET, "ResultSetType", (LADS, 61)),
    TypeOf(FILE_SET, "ResultFileSetType", (LADS, 61)),
    TypeOf(VARIABLE_SET, "VariableSetType", (LADS, 61)),
    TypeOf(PROGRAM_MANAGER, "ProgramManagerType", (DI, 1001)),
    TypeOf(TEMPLATE, "ProgramTemplateType", ("", 58)),
    TypeOf(ACTIVE, "ActiveProgramType", ("", 58)),
    TypeOf(RESULT, "ResultType", ("", 58)),
    TypeOf((LADS, 1007), "BaseControlFunctionType", (LADS, 1004), abstract=True),
    TypeOf(CONTROLLER, "AnalogControlFunctionType", (LADS, 1007)),
    TypeOf(TOTALISED, "AnalogControlFunctionWithTotalizerType", CONTROLLER),
    TypeOf((LADS, 1005), "BaseSensorFunctionType", (LADS, 1004), abstract=True),
    TypeOf((LADS, 1046), "AnalogSensorFunctionType", (LADS, 1005), abstract=True),
    TypeOf(SENSOR, "AnalogScalarSensorFunctionType", (LADS, 1046)),
    TypeOf(COMPENSATED, "AnalogScalarSensorFunctionWithCompensationType", SENSOR),
    TypeOf((LADS, 1012), "DiscreteSensorFunctionType", (LADS, 1005), abstract=True),
    TypeOf(TWO_STATE, "TwoStateDiscreteSensorFunctionType", (LADS, 1012)),
    TypeOf(DEVICE_STATE, "LADSDeviceStateMachineType", ("", 2771)),
    TypeOf((LADS, 1038), "FunctionalStateMachineType", ("", 2771), abstract=True),
    TypeOf(RUNNING_STATE, "RunningStateMachineType", ("", 2771)),
    TypeOf(UNIT_STATE, "FunctionalUnitStateMachineType", (LADS, 1038)),
    TypeOf(CONTROL_STATE, "ControlFunctionStateMachineType", (LADS, 1038)),
)
"""In the order in which they can be made."""


@dataclass(frozen=True, slots=True)
class Structure:
    """A data type of texts."""

    id: Id
    name: str
    encoding: Id
    """Of its binary form."""
    fields: tuple[str, ...]


KEY_VALUE = Structure((LADS, 3003), "KeyValueType", (LADS, 5045), ("Key", "Value"))
SAMPLE = Structure(
    (LADS, 3002), "SampleInfoType", (LADS, 5042),
    ("ContainerId", "SampleId", "Position", "CustomData"),
)  # fmt: skip
RECIPE = "Recipe"
"""The one program template: what StartProgram may name."""


@dataclass(frozen=True, slots=True)
class Function:
    """One function of a vessel."""

    name: str
    type: Id
    values: Mapping[str, str]
    """Browse name in LADS to the tag that is shown there."""
    mode: str = ""
    """Tag of the loop's mode, where it has one."""

    @property
    def target(self) -> str:
        """Return the tag of the setpoint; empty for a sensor."""
        return self.values.get("TargetValue", "")


def _controller(name: str, loop: str, *, mode: bool = True) -> Function:
    values = {"CurrentValue": f"{loop}.PV", "TargetValue": f"{loop}.SP"}
    return Function(name, CONTROLLER, values, f"{loop}.MODE" if mode else "")


def _pump(number: int, target: str = "PV") -> Function:
    return Function(
        f"Pump{number}",
        TOTALISED,
        {
            "CurrentValue": f"FIC-12{number}.PV",
            "TargetValue": f"FIC-12{number}.{target}",
            "TotalizedValue": f"FQ-12{number}.PV",
        },
    )


def _sensor(name: str, loop: str, raw: str = "PV") -> Function:
    values = {"SensorValue": f"{loop}.PV", "RawValue": f"{loop}.{raw}"}
    return Function(name, SENSOR, values)


FUNCTIONS: tuple[Function, ...] = (
    _controller("TemperatureController", "TIC-101"),
    _controller("pHController", "AIC-101"),
    _controller("DOController", "AIC-102"),
    _controller("StirrerController", "SIC-101", mode=False),
    _controller("FAirController", "FIC-111", mode=False),
    _controller("FO2Controller", "FIC-112", mode=False),
    _controller("FCO2Controller", "FIC-113", mode=False),
    _pump(1, "SP"),
    _pump(2),
    _pump(3),
    _pump(4),
    _sensor("TemperatureSensor", "TIC-101"),
    _sensor("JacketTemperatureSensor", "TIC-102"),
    Function(
        "pHSensor",
        COMPENSATED,
        {
            "SensorValue": "AIC-101.PV",
            "RawValue": "AIC-101.RAW",
            "CompensationValue": "TIC-101.PV",
        },
    ),
    _sensor("DOSensor", "AIC-102", "RAW"),
    _sensor("pCO2Sensor", "AIT-103"),
    _sensor("CapacitanceSensor", "AIT-104"),
    _sensor("TurbiditySensor", "AIT-105"),
    _sensor("GlucoseSensor", "AIT-106A"),
    _sensor("LactateSensor", "AIT-106B"),
    _sensor("ProductSensor", "AIT-106C"),
    _sensor("OffGasO2Sensor", "AIT-131"),
    _sensor("OffGasCO2Sensor", "AIT-132"),
    _sensor("PressureSensor", "PIC-101"),
    _sensor("StirrerPowerSensor", "JI-101"),
    _sensor("StirrerTorqueSensor", "EI-101"),
    _sensor("FN2Sensor", "FIC-114"),
    _sensor("WeightSensor", "WIT-101"),
    _sensor("Pump1WeightSensor", "WIT-121"),
    _sensor("Pump2WeightSensor", "WIT-122"),
    _sensor("Pump3WeightSensor", "WIT-123"),
    _sensor("Pump4WeightSensor", "WIT-124"),
    _sensor("ConductivitySensor", "AT-141"),
    Function("FoamSensor", TWO_STATE, {"SensorValue": "LSH-101.PV"}),
)
"""In the shape of a vendor's bioreactor; pumps 1 to 4: feed, base, glucose, antifoam.

A pump that only its loop turns has no setpoint of its own: its target is its speed. A
sensor without a raw signal shows its value there.
"""


def functions(tags: Collection[str]) -> Iterator[Function]:
    """Yield the functions of a vessel that has these tags."""
    for one in FUNCTIONS:
        main = one.values.get("CurrentValue", one.values.get("SensorValue", ""))
        if main in tags:
            shown = {
                name: tag if tag in tags else main for name, tag in one.values.items()
            }
            yield Function(
                one.name, one.type, shown, one.mode if one.mode in tags else ""
            )


@dataclass(frozen=True, slots=True)
class States:
    """States of a functional unit and of the machine inside `Running`."""

    unit: str
    running: str


_STATES: Mapping[str, States] = {
    "Idle": States("Stopped", "Idle"),
    "Running": States("Running", "Execute"),
    "Held": States("Running", "Held"),
    "Aborting": States("Aborting", "Idle"),
    "Aborted": States("Aborted", "Idle"),
    "Complete": States("Running", "Complete"),
}


def states(procedure: str) -> States:
    """Return the LADS states of an ISA-88 state.

    >>> states("Held").running
    'Held'
    """
    return _STATES.get(procedure, _STATES["Idle"])
