"""Units of measure with their UNECE codes, as OPC UA servers publish them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

UNECE = "http://www.opcfoundation.org/UA/units/un/cefact"
"""NamespaceUri of units that have a UNECE code."""
OWN = "urn:fedbatch:units"
"""NamespaceUri of units that have none; their UnitId is -1."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of measure."""

    ucum: str
    """UCUM code; published as the DisplayName."""
    name: str
    code: str = ""
    """UNECE Recommendation 20 code; empty when there is none."""

    @property
    def unit_id(self) -> int:
        """Return the UnitId of OPC UA Part 8: the code's bytes as one number, or -1.

        >>> Unit("Cel", "degree Celsius", "CEL").unit_id
        4408652
        """
        return int.from_bytes(self.code.encode(), "big") if self.code else -1

    @property
    def namespace(self) -> str:
        """Return the NamespaceUri to publish with `unit_id`."""
        return UNECE if self.code else OWN


DEGREE_CELSIUS = Unit("Cel", "degree Celsius", "CEL")
PERCENT = Unit("%", "percent", "P1")
PH = Unit("[pH]", "pH", "Q30")
MILLIBAR = Unit("mbar", "millibar", "MBR")
PICOFARAD_PER_CM = Unit("pF/cm", "picofarad per centimetre")
PER_MINUTE = Unit("/min", "revolutions per minute", "RPM")
LITRE_PER_MINUTE = Unit("L/min", "litre per minute", "L2")
MILLILITRE_PER_MINUTE = Unit("mL/min", "millilitre per minute", "41")
LITRE = Unit("L", "litre", "LTR")
MILLIVOLT = Unit("mV", "millivolt", "2Z")
NANOAMPERE = Unit("nA", "nanoampere", "C39")
WATT = Unit("W", "watt", "WTT")
NEWTON_METRE = Unit("N.m", "newton metre", "NU")
GRAM_PER_LITRE = Unit("g/L", "gram per litre", "GL")
MILLIMOLE_PER_LITRE = Unit("mmol/L", "millimole per litre", "M33")
MILLISIEMENS_PER_CM = Unit("mS/cm", "millisiemens per centimetre", "H61")
ONE = Unit("1", "absorbance unit", "C62")
CELLS = Unit("10*6/mL", "million cells per millilitre")
CAPSIDS = Unit("10*9/mL", "thousand million particles per millilitre")
OSMOLALITY = Unit("mosm/kg", "milliosmole per kilogram")
KILOGRAM = Unit("kg", "kilogram", "KGM")
SECOND = Unit("s", "second", "SEC")
