"""StatusCodes of answers: codes, data-location bits, severities and their names.

A stored reading keeps its StatusCode bit for bit. A value that was computed gets the
historian bits of OPC 10000-4: InfoType DataValue (0x400) and where the value is from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

GOOD = 0x0000_0000
UNCERTAIN = 0x4000_0000
BAD = 0x8000_0000
BAD_NO_COMMUNICATION = 0x8031_0000
BAD_NO_DATA = 0x809B_0000
UNCERTAIN_DATA_SUB_NORMAL = 0x40A4_0000

RAW = 0x00
CALCULATED = 0x01
INTERPOLATED = 0x02
PARTIAL = 0x04
"""The interval is shorter than asked for."""
EXTRA_DATA = 0x08
"""Several readings have this very time."""
MULTIPLE_VALUES = 0x10
"""Several readings share the extreme; the oldest is given."""

_INFO_DATA_VALUE = 0x400
_CODE = 0xFFFF_0000
_FLAGS = {
    PARTIAL: "Partial",
    EXTRA_DATA: "ExtraData",
    MULTIPLE_VALUES: "MultipleValues",
}

NAMES: dict[int, str] = {
    GOOD: "Good",
    0x0096_0000: "GoodLocalOverride",
    0x00A2_0000: "GoodEntryInserted",
    0x00A3_0000: "GoodEntryReplaced",
    0x00A5_0000: "GoodNoData",
    0x00A6_0000: "GoodMoreData",
    UNCERTAIN: "Uncertain",
    0x4208_0000: "UncertainTransducerInManual",
    0x4209_0000: "UncertainSimulatedValue",
    0x420A_0000: "UncertainSensorCalibration",
    0x408F_0000: "UncertainNoCommunicationLastUsableValue",
    0x4090_0000: "UncertainLastUsableValue",
    0x4091_0000: "UncertainSubstituteValue",
    0x4092_0000: "UncertainInitialValue",
    0x4093_0000: "UncertainSensorNotAccurate",
    0x4094_0000: "UncertainEngineeringUnitsExceeded",
    0x4095_0000: "UncertainSubNormal",
    UNCERTAIN_DATA_SUB_NORMAL: "UncertainDataSubNormal",
    BAD: "Bad",
    0x8001_0000: "BadUnexpectedError",
    0x8002_0000: "BadInternalError",
    0x8003_0000: "BadOutOfMemory",
    0x8004_0000: "BadResourceUnavailable",
    0x8005_0000: "BadCommunicationError",
    0x800A_0000: "BadTimeout",
    0x800D_0000: "BadServerNotConnected",
    0x801F_0000: "BadUserAccessDenied",
    BAD_NO_COMMUNICATION: "BadNoCommunication",
    0x8032_0000: "BadWaitingForInitialData",
    0x8033_0000: "BadNodeIdInvalid",
    0x8034_0000: "BadNodeIdUnknown",
    0x803A_0000: "BadNotReadable",
    0x803C_0000: "BadOutOfRange",
    0x803D_0000: "BadNotSupported",
    0x803E_0000: "BadNotFound",
    0x8074_0000: "BadTypeMismatch",
    0x8089_0000: "BadConfigurationError",
    0x808A_0000: "BadNotConnected",
    0x808B_0000: "BadDeviceFailure",
    0x808C_0000: "BadSensorFailure",
    0x808D_0000: "BadOutOfService",
    BAD_NO_DATA: "BadNoData",
    0x809D_0000: "BadDataLost",
    0x809E_0000: "BadDataUnavailable",
}
"""Names of the codes that servers send with values (OPC 10000-6, StatusCode.csv)."""


def marked(
    code: NDArray[np.uint32], bits: NDArray[np.uint32] | int
) -> NDArray[np.uint32]:
    """Return codes with data-location bits, as computed values carry them."""
    info = np.uint32(_INFO_DATA_VALUE) | np.asarray(bits, np.uint32)
    return (code & np.uint32(_CODE)) | info


def severity(status: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Return 0 where Good, 1 where Uncertain, 2 where Bad."""
    level = (status >> np.uint32(30)).astype(np.uint8)
    return np.minimum(level, np.uint8(2))


def name(status: int) -> str:
    """Return a status in words.

    >>> name(0x40A40402)
    'UncertainDataSubNormal, Interpolated'
    >>> name(0)
    'Good'
    """
    code = status & _CODE
    severities = ("Good", "Uncertain", "Bad", "Bad")
    words = [NAMES.get(code, f"{severities[status >> 30]} (0x{code:08X})")]
    if status & _INFO_DATA_VALUE:
        source = {CALCULATED: "Calculated", INTERPOLATED: "Interpolated"}
        words += filter(None, [source.get(status & 0b11)])
        words += [word for bit, word in _FLAGS.items() if status & bit]
        words += ["Overflow"] if status & 0x80 else []
    return ", ".join(words)
