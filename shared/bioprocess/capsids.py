"""Recombinant AAV made in cells after triple transfection: 21 amounts per cell. Pure.

Structure and constants: Nguyen, Sha, Hong, Barone, Roberts, Braatz et al., Mol. Ther.
Methods Clin. Dev. 2021, 21:642-655. Three plasmids (rep/cap, vector, helper) go from
the medium by endosome and cytosol to the nucleus; there Rep proteins, capsids and
vector DNA are made, and capsids are filled. The amounts are copies per cell, so growth
dilutes them and a larger volume does not.

Time constants go from a hundredth of a second to weeks; `step` is a Rosenbrock method
that no step makes unstable. A state has shape (21, n).
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Mapping

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]


class Cell(IntEnum):
    """Rows of a state, copies per cell."""

    OUTSIDE_RC = 0
    OUTSIDE_VECTOR = 1
    OUTSIDE_HELPER = 2
    """In the medium, bound to a cell."""
    ENDOSOME_RC = 3
    ENDOSOME_VECTOR = 4
    ENDOSOME_HELPER = 5
    CYTOSOL_RC = 6
    CYTOSOL_VECTOR = 7
    CYTOSOL_HELPER = 8
    NUCLEUS_RC = 9
    NUCLEUS_VECTOR = 10
    NUCLEUS_HELPER = 11
    REP = 12
    """Rep proteins."""
    CAP = 13
    """Capsid proteins, sixty to a capsid."""
    DNA = 14
    """Vector DNA that is not packed."""
    EMPTY_NUCLEUS = 15
    FULL_NUCLEUS = 16
    EMPTY = 17
    """Empty capsids that have left the nucleus."""
    FULL = 18
    """Full ones."""
    REP_ON_PLASMID = 19
    REP_ON_EMPTY = 20
    """Empty capsids that Rep has bound."""


PLASMID = 7.6e4
"""Copies of each plasmid per cell at transfection."""
CONSTANTS: Mapping[str, float] = {
    "uptake": 0.0011888365,
    "escape": 0.6,
    "entry": 0.0043,
    "decay": 0.0195,
    "rep": 64891.157,
    "cap": 64891.157,
    "rep_decay": 0.0245,
    "cap_decay": 0.2773,
    "dna": 3.09896555e-7,
    "bind_plasmid": 3.38290148e-5,
    "assemble": 1e5,
    "bind_capsid": 5.697899e-3,
    "pack": 0.0817843744,
    "secrete": 1e5,
}
"""Per hour, or per hour and copy; Nguyen 2021, table 1."""
PROTEINS_PER_CAPSID = 60.0
_GAMMA = 1.0 - 1.0 / np.sqrt(2.0)
_C = Cell
_REACTIONS: tuple[tuple[str, Cell, Cell, tuple[tuple[Cell, float], ...]], ...] = (
    ("rep", _C.NUCLEUS_RC, _C.NUCLEUS_HELPER, ((_C.REP, 1.0),)),
    ("cap", _C.NUCLEUS_RC, _C.NUCLEUS_HELPER, ((_C.CAP, 1.0),)),
    ("bind_plasmid", _C.NUCLEUS_RC, _C.REP,
     ((_C.NUCLEUS_RC, -1.0), (_C.REP, -1.0), (_C.REP_ON_PLASMID, 1.0))),
    ("bind_capsid", _C.REP, _C.EMPTY_NUCLEUS,
     ((_C.REP, -1.0), (_C.EMPTY_NUCLEUS, -1.0), (_C.REP_ON_EMPTY, 1.0))),
    ("pack", _C.REP_ON_EMPTY, _C.DNA,
     ((_C.REP_ON_EMPTY, -1.0), (_C.DNA, -1.0), (_C.REP, 1.0), (_C.FULL_NUCLEUS, 1.0))),
)  # fmt: skip
"""Constant, the two partners, and what the reaction does to each amount."""
_ONE = np.array([one for _, one, _, _ in _REACTIONS])
_OTHER = np.array([other for _, _, other, _ in _REACTIONS])
_SPEED = np.array([CONSTANTS[name] for name, _, _, _ in _REACTIONS])
_UNDILUTED = (
    _C.OUTSIDE_RC, _C.OUTSIDE_VECTOR, _C.OUTSIDE_HELPER,
    _C.REP_ON_PLASMID, _C.REP_ON_EMPTY,
)  # fmt: skip


def _stoichiometry() -> Matrix:
    found = np.zeros((len(Cell), len(_REACTIONS)))
    for reaction, (_, _, _, changes) in enumerate(_REACTIONS):
        for cell, amount in changes:
            found[cell, reaction] += amount
    return found


def _linear() -> Matrix:
    """Return the part of the derivative that is proportional to the state."""
    k, found = CONSTANTS, np.zeros((len(Cell), len(Cell)))

    def moves(source: int, to: int | None, per_h: float, share: float = 1.0) -> None:
        found[source, source] -= per_h
        if to is not None:
            found[to, source] += share * per_h

    for plasmid in range(3):
        moves(plasmid, 3 + plasmid, k["uptake"])
        moves(3 + plasmid, 6 + plasmid, k["escape"])
        moves(6 + plasmid, 9 + plasmid, k["entry"])
        for place in (3, 6, 9):
            moves(place + plasmid, None, k["decay"])
    moves(_C.REP, None, k["rep_decay"])
    moves(_C.CAP, None, k["cap_decay"])
    moves(_C.CAP, _C.EMPTY_NUCLEUS, PROTEINS_PER_CAPSID * k["assemble"],
          1.0 / PROTEINS_PER_CAPSID)  # fmt: skip
    moves(_C.EMPTY_NUCLEUS, _C.EMPTY, k["secrete"])
    moves(_C.FULL_NUCLEUS, _C.FULL, k["secrete"])
    return found


_STOICHIOMETRY = _stoichiometry()
_LINEAR = _linear()
_DILUTED = np.ones(len(Cell))
_DILUTED[list(_UNDILUTED)] = 0.0


def derivative(cell: Matrix, growth: Vector) -> Matrix:
    """Return d(cell)/dt per hour, shape (21, n); `growth` is 1/h, shape (n,)."""
    speeds = _SPEED[:, None] * cell[_ONE] * cell[_OTHER]
    slope: Matrix = _LINEAR @ cell + _STOICHIOMETRY @ speeds
    slope -= _DILUTED[:, None] * growth * cell
    slope[_C.DNA] += (
        CONSTANTS["dna"]
        * cell[_C.REP]
        * cell[_C.NUCLEUS_VECTOR]
        * cell[_C.NUCLEUS_HELPER]
    )
    return slope


def step(cell: Matrix, growth: Vector, hours: float) -> Matrix:
    """Return the amounts `hours` later; exact to 1e-3 for steps up to 3 min.

    The L-stable Rosenbrock method ROS2; it stays of second order with the Jacobian of
    `_jacobian`, which leaves one small term out. Source: Verwer, Spee, Blom and
    Hundsdorfer, SIAM J. Sci. Comput. 1999, 20:1456-1480.
    """
    matrix = np.eye(len(Cell)) - _GAMMA * hours * _jacobian(cell, growth)
    first = np.linalg.solve(matrix, derivative(cell, growth).T[..., None])[..., 0].T
    ahead = derivative(cell + hours * first, growth) - 2.0 * first
    second = np.linalg.solve(matrix, ahead.T[..., None])[..., 0].T
    following: Matrix = np.maximum(cell + hours * (1.5 * first + 0.5 * second), 0.0)
    return following


def _jacobian(cell: Matrix, growth: Vector) -> Matrix:
    """Return the derivative's Jacobian, shape (n, 21, 21)."""
    count = cell.shape[1]
    found = np.repeat(_LINEAR[None], count, axis=0)
    diagonal = np.arange(len(Cell))
    found[:, diagonal, diagonal] -= _DILUTED * growth[:, None]
    for reaction, (one, other) in enumerate(zip(_ONE, _OTHER, strict=True)):
        effect = _SPEED[reaction] * _STOICHIOMETRY[:, reaction]
        found[:, :, one] += effect * cell[other][:, None]
        found[:, :, other] += effect * cell[one][:, None]
    found[:, _C.DNA, _C.REP] += (
        CONSTANTS["dna"] * cell[_C.NUCLEUS_VECTOR] * cell[_C.NUCLEUS_HELPER]
    )
    return found


def transfected(copies: float | Vector, cultures: int = 1) -> Matrix:
    """Return cells that have just been transfected with `copies` of each plasmid."""
    cell = np.zeros((len(Cell), cultures))
    cell[:3] = copies
    return cell


def words(cell: Cell) -> str:
    """Return what a row counts.

    >>> words(Cell.FULL)
    'full capsids per cell'
    """
    what = {Cell.FULL: "full capsids", Cell.EMPTY: "empty capsids"}
    return f"{what.get(cell, cell.name.lower().replace('_', ' '))} per cell"


def full(cell: Matrix) -> Vector:
    """Return full capsids per cell."""
    amount: Vector = cell[_C.FULL_NUCLEUS] + cell[_C.FULL]
    return amount


def capsids(cell: Matrix) -> Vector:
    """Return all capsids per cell, but those that Rep holds."""
    amount: Vector = full(cell) + cell[_C.EMPTY_NUCLEUS] + cell[_C.EMPTY]
    return amount


def vector_dna(cell: Matrix) -> Vector:
    """Return all copies of the vector's DNA per cell: free, packed, on plasmids."""
    plasmids = cell[_C.ENDOSOME_VECTOR] + cell[_C.CYTOSOL_VECTOR]
    amount: Vector = plasmids + cell[_C.NUCLEUS_VECTOR] + cell[_C.DNA] + full(cell)
    return amount
