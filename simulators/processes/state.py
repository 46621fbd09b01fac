"""What the vessels hold, what acts on them, and what crosses their walls. Pure.

Every field is an array over the vessels, n of them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from simulators.processes import acid_base, gas
from simulators.processes.design import LIQUIDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from shared.bioprocess.process import Process
    from simulators.processes.design import Design

    Vector = NDArray[np.float64]


@dataclass(slots=True)
class State:
    """What the vessels hold."""

    culture: Vector
    """Of the process, shape (quantities, n)."""
    volume: Vector
    """Broth, L: the culture's row of that name."""
    temperature: Vector
    """Broth, °C."""
    jacket: Vector
    """°C."""
    oxygen: Vector
    """Dissolved, mmol/L."""
    carbon: Vector
    """Dissolved CO2 and bicarbonate, mmol/L."""
    alkalinity: Vector
    """Strong ions but those of the process, meq/L."""
    ph: Vector
    off_o2: Vector
    """In the headspace, % by volume, dry."""
    off_co2: Vector
    off_flow: Vector
    """Leaving the vessel, normal L/min."""
    antifoam: Vector
    """1 right after a shot, fading."""
    head_mbar: Vector
    """Head pressure, gauge."""
    delivered_l: Vector
    """Liquids that came in this batch, shape (4, n) in the order of LIQUIDS."""
    counted_l: Vector
    """The same as the pumps count it."""
    evaporated_l: Vector
    """In this batch."""
    bacteria: Vector
    """Contamination, g/L."""
    bacteria_per_h: Vector
    """Its growth rate."""

    @classmethod
    def empty(
        cls, vessels: int, process: Process, design: Design, rest_l: float = 50.0
    ) -> Self:
        """Return clean vessels with a rest of fresh medium at ambient temperature."""
        zero = np.zeros(vessels)
        culture = process.inoculated(0.0, rest_l, vessels)
        return cls(
            culture=culture,
            volume=culture[process.volume_row].copy(),
            temperature=zero + design.ambient_degc,
            jacket=zero + design.ambient_degc,
            oxygen=zero + 0.19,
            carbon=zero + design.medium_carbon,
            alkalinity=zero + design.medium_alkalinity,
            ph=zero + 7.3,
            off_o2=zero + 20.9,
            off_co2=zero + 0.04,
            off_flow=zero + design.overlay_lpm,
            antifoam=zero.copy(),
            head_mbar=zero + 5.0,
            delivered_l=np.zeros((len(LIQUIDS), vessels)),
            counted_l=np.zeros((len(LIQUIDS), vessels)),
            evaporated_l=zero.copy(),
            bacteria=zero.copy(),
            bacteria_per_h=zero.copy(),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the exact numbers as nested lists."""
        return {f.name: getattr(self, f.name).tolist() for f in fields(self)}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Return what `to_json` saw."""
        return cls(**{f.name: np.array(body[f.name], float) for f in fields(cls)})

    @property
    def oxygen_percent(self) -> Vector:
        """Return dissolved oxygen, % of air saturation."""
        return gas.oxygen_percent(self.oxygen, self.temperature)

    @property
    def carbon_dioxide_mmhg(self) -> Vector:
        """Return the partial pressure of dissolved carbon dioxide."""
        return acid_base.dissolved(self.carbon, self.ph) / gas.CO2_MM_PER_MMHG

    @property
    def viable(self) -> Vector:
        """Return living cells: the first row of any process."""
        row: Vector = self.culture[0]
        return row


@dataclass(frozen=True, slots=True)
class Actuators:
    """What acts on the vessels during a step."""

    agitation_rpm: Vector
    gases_lpm: Vector
    """Air, oxygen, carbon dioxide, nitrogen through the sparger, shape (4, n)."""
    liquids_mlpm: Vector
    """Feed, base, glucose, antifoam, shape (4, n)."""
    jacket_degc: Vector
    """Setpoint of the jacket."""
    heating: NDArray[np.bool_]
    """Whether the jacket's circuit runs."""
    vent: Vector | float = 1.0
    """Factor on the resistance of the vent filter."""
    jacket_share: Vector | float = 1.0
    """Share of the heat through the jacket that still passes."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """What crossed the walls of the vessels in a step, and what the cells took.

    mmol per vessel for gases, L for liquids; for balances.
    """

    oxygen_in: Vector
    oxygen_out: Vector
    oxygen_used: Vector
    carbon_in: Vector
    """As gas and as carbonate."""
    carbon_out: Vector
    carbon_made: Vector
    liquids_in: Vector
    evaporated: Vector
