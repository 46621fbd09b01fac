"""Foam that rises by chance, its switch, and the antifoam pump behind it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simulators.processes.design import AIR, OXYGEN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from simulators.processes.design import Design
    from simulators.processes.state import Actuators

    Vector = NDArray[np.float64]

FOAM_US = 30_000_000
"""How long foam stays at the probe."""


class Foam:
    """Of all vessels; see the module."""

    def __init__(self, vessels: int, design: Design, seed: int) -> None:
        self._design = design
        self._until = np.zeros(vessels, np.int64)
        self._shot_l = np.zeros(vessels)
        self._next_shot = np.zeros(vessels, np.int64)
        self._random = np.random.Generator(np.random.PCG64([seed, 1]))

    def at_probe(self, now: int) -> NDArray[np.bool_]:
        """Return whether there is foam at the probe, per vessel."""
        return now < self._until

    def dose_mlpm(self, switched: NDArray[np.bool_], to: int, seconds: float) -> Vector:
        """Return what the antifoam pump is told for the step that ends at `to`.

        A shot when the switch says foam, then a pause.
        """
        design = self._design
        starts = switched & (self._next_shot <= to)
        if starts.any():
            self._shot_l[starts] = design.antifoam_shot_l
            self._next_shot[starts] = to + round(design.antifoam_pause_s * 1e6)
        if not self._shot_l.any():
            return np.zeros_like(self._shot_l)
        litres = np.minimum(self._shot_l, design.antifoam_mlpm * seconds / 60_000.0)
        self._shot_l = self._shot_l - litres
        flow: Vector = litres * 60_000.0 / seconds
        return flow

    def rise(self, by: Actuators, viable: Vector, to: int, seconds: float) -> None:
        """Let foam rise by chance: more with more gas and more cells."""
        design = self._design
        flow = by.gases_lpm[AIR] + by.gases_lpm[OXYGEN]
        share = flow / (design.air_high_lpm + design.oxygen_high_lpm)
        per_h = design.foam_per_h * share * viable / 20.0
        chance = -np.expm1(-per_h * seconds / 3600.0)
        rises = self._random.random(len(viable)) < chance
        self._until[rises] = to + FOAM_US

    def to_json(self) -> dict[str, Any]:
        """Return the exact state."""
        return {
            "until": self._until.tolist(),
            "shot_l": self._shot_l.tolist(),
            "next_shot": self._next_shot.tolist(),
            "random": self._random.bit_generator.state,
        }

    def restore(self, body: Mapping[str, Any]) -> None:
        """Go on from what `to_json` saw."""
        self._until = np.array(body["until"], np.int64)
        self._shot_l = np.array(body["shot_l"], float)
        self._next_shot = np.array(body["next_shot"], np.int64)
        self._random.bit_generator.state = body["random"]
