"""What a culture must say so that any reactor, simulator or estimator can run it. Pure.

A process is kinetics only: states that change with their surroundings. Vessel, gases,
acids, heat, loops and instruments are the reactor's. Everything is vectorised: a state
has shape (quantities, n) for n cultures, other arguments are floats or of shape (n,).
Units: hours, litres, °C; concentrations in the unit of each quantity.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from _typeshed import DataclassInstance

Vector = NDArray[np.float64]
"""One number per culture, shape (n,)."""
Matrix = NDArray[np.float64]
"""A state or its derivative, shape (quantities, n)."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """One row of a state."""

    name: str
    unit: str
    """UCUM code, per litre of broth for concentrations; `L` for the volume."""
    what: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the reactor does to the cells during a step."""

    temperature_degc: Vector
    ph: Vector
    oxygen_percent: Vector
    """Dissolved oxygen, % of air saturation."""
    agitation_rpm: Vector
    carbon_dioxide_mmhg: Vector
    """Partial pressure of dissolved carbon dioxide."""
    inflow_lph: Vector
    """All liquids added; each dilutes everything."""
    outflow_lph: Vector
    """Water that leaves alone (evaporation): it concentrates everything."""
    entering: Matrix
    """Amount of each quantity that the liquids bring per hour: concentration in the
    liquid times its flow in L/h; the volume's row is zero."""
    hours: Vector
    """Culture time since inoculation; negative before."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the cells exchange with the broth, mmol/(L h)."""

    oxygen: Vector
    """Taken up."""
    carbon_dioxide: Vector
    """Given off."""


@dataclass(frozen=True, slots=True)
class Biomass:
    """What probes in the broth see of the cells."""

    viable: Vector
    """1e9 cells/L or g dry mass/L, as the process counts."""
    viability_percent: Vector
    capacitance: Vector
    """pF/cm."""
    turbidity: Vector
    """Absorbance units."""


class Process(Protocol):
    """A culture's kinetics; see the module. Implementations keep no state."""

    @property
    def name(self) -> str:
        """Return its short name, such as `cho`."""

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """Return the rows of a state, in order."""

    @property
    def volume_row(self) -> int:
        """Return the row of the broth's volume, L."""

    @property
    def spread(self) -> Mapping[str, float]:
        """Return lognormal standard deviations of constants from batch to batch."""

    @property
    def liquids(self) -> Mapping[str, Mapping[int, float]]:
        """Return what liquids contain: by liquid (`feed`, `glucose`), row to amount/L.

        A liquid that is not named contains none of the quantities.
        """

    def inoculated(
        self, viable: float | Vector, volume_l: float, cultures: int = 1
    ) -> Matrix:
        """Return fresh medium with cells; `viable` 0: without."""

    def advance(
        self,
        state: Matrix,
        around: Surroundings,
        factors: Mapping[str, Vector],
        hours: float,
    ) -> tuple[Matrix, Exchange]:
        """Return the state `hours` later and the exchange at the start of the step.

        Surroundings are held for the step; a stiff process takes smaller steps inside.

        Args:
            state: left as it is.
            around: the surroundings.
            factors: on kinetic constants, by name; a missing one is 1.
            hours: up to two minutes in a live plant, a quarter of an hour in others.
        """

    def strong_ions(self, state: Matrix) -> Vector:
        """Return the charge the cells' products add to the broth's alkalinity, meq/L.

        Positive raises pH: ammonium less lactate, for example.
        """

    def biomass(self, state: Matrix) -> Biomass:
        """Return what probes see of the cells."""

    def assays(self, state: Matrix) -> Mapping[str, Vector]:
        """Return what the laboratory would find, by assay.

        Names: `vcd` 1e6/mL, `viability` %, `glucose` g/L, `lactate` g/L, `ammonium`
        mmol/L, `titer` g/L, `osmolality` mOsm/kg; a process may leave out or add some.
        """


P = TypeVar("P", bound="DataclassInstance")
"""Constants of a process: a frozen dataclass."""


def scaled(plain: P, factors: Mapping[str, Vector]) -> P:
    """Return constants times their factors, by name; names not theirs are left out."""
    names = {one.name for one in fields(plain)}
    known = {n: getattr(plain, n) * f for n, f in factors.items() if n in names}
    return replace(plain, **known)


def of_cells(
    viable: Vector, total: Vector, capacitance: float, absorbance: float
) -> Biomass:
    """Return what probes see of cells.

    Args:
        viable: as the process counts, per litre.
        total: with the dead, alike; the same as `viable` where none are counted.
        capacitance: pF/cm per unit of viable cells.
        absorbance: units of turbidity per unit of all cells.
    """
    return Biomass(
        viable=viable,
        viability_percent=100.0 * viable / np.maximum(total, 1e-12),
        capacitance=capacitance * viable,
        turbidity=absorbance * total,
    )


def midpoint(
    state: Matrix, slope: Matrix, slope_at: Callable[[Matrix], Matrix], hours: float
) -> Matrix:
    """Return the state `hours` later by the midpoint rule; nothing falls below zero.

    Args:
        state: at the start.
        slope: its derivative there, per hour.
        slope_at: derivative at any state.
        hours: length of the step.
    """
    middle = state + 0.5 * hours * slope
    following: Matrix = np.maximum(state + hours * slope_at(middle), 0.0)
    return following


def diluted(state: Matrix, around: Surroundings, volume_row: int) -> Matrix:
    """Return d(state)/dt of liquids alone: dilution, evaporation, what they bring.

    A process adds to it what its cells do.
    """
    volume = state[volume_row]
    slope: Matrix = (
        around.entering - (around.inflow_lph - around.outflow_lph) * state
    ) / volume
    slope[volume_row] = around.inflow_lph - around.outflow_lph
    return slope
