"""UNECE unit codes, as EngineeringUnits carry them, to UCUM. Pure.

Source: OPC UA Part 8, 5.6.4.3 (UnitId is the code's bytes as one number), and the
Foundation's UNECE_to_OPCUA.csv for the codes of bioprocess instruments.
"""

from __future__ import annotations

UNECE = "http://www.opcfoundation.org/UA/units/un/cefact"
"""NamespaceUri of units that have a UNECE code."""

UCUM = {
    "CEL": "Cel",
    "KEL": "K",
    "Q30": "[pH]",
    "2Z": "mV",
    "P1": "%",
    "C39": "nA",
    "MBR": "mbar",
    "BAR": "bar",
    "PAL": "Pa",
    "C62": "1",
    "GL": "g/L",
    "M1": "mg/L",
    "M33": "mmol/L",
    "RPM": "/min",
    "WTT": "W",
    "KWT": "kW",
    "NU": "N.m",
    "E32": "L/h",
    "L2": "L/min",
    "41": "mL/min",
    "G55": "mL/h",
    "MLT": "mL",
    "LTR": "L",
    "KGM": "kg",
    "GRM": "g",
    "H61": "mS/cm",
    "HUR": "h",
    "MIN": "min",
    "SEC": "s",
    "NTU": "[NTU]",
    "OHM": "Ohm",
}


def ucum(namespace: str | None, unit_id: int, display_name: str) -> str:
    """Return the UCUM code; the display name where the unit has no known code.

    >>> ucum(UNECE, 4408652, "°C")
    'Cel'
    >>> ucum("urn:own", -1, "pF/cm")
    'pF/cm'
    """
    if namespace == UNECE and unit_id > 0:
        size = (unit_id.bit_length() + 7) // 8
        code = unit_id.to_bytes(size, "big").decode("ascii", "replace")
        return UCUM.get(code, display_name)
    return display_name
