"""Transfer lines of the vessels: medium and inoculum in, harvest out. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.bioprocess.process import Process
    from simulators.processes.design import Design
    from simulators.processes.state import State
    from simulators.recipes import Recipe

DRAINED_SHARE = 0.75
"""Last part of Harvest, in which the vessel is emptied."""


@dataclass(frozen=True, slots=True)
class Transfers:
    """What moves through the lines of a vessel; hours count from a batch's start."""

    process: Process
    design: Design
    recipe: Recipe

    def fill(self, state: State, index: int, viable: float, volume_l: float) -> None:
        """Let a vessel hold this volume of fresh broth with so many viable cells."""
        state.culture[:, [index]] = self.process.inoculated(viable, volume_l)
        state.volume[index] = volume_l

    def medium(self, state: State, index: int, hours: float) -> None:
        """Fill in medium of ambient temperature, evenly."""
        recipe, volume = self.recipe, float(state.volume[index])
        done = min(hours / recipe.fill_h, 1.0)
        filled = recipe.rest_l + done * (recipe.medium_l - recipe.rest_l)
        litres = max(filled - volume, 0.0)
        share = litres / (volume + litres)
        ambient = self.design.ambient_degc
        state.temperature[index] += share * (ambient - state.temperature[index])
        self.fill(state, index, 0.0, volume + litres)

    def inoculate(self, state: State, index: int, hours: float, factor: float) -> None:
        """Fill in the inoculum, evenly; `factor` on the recipe's cells."""
        recipe = self.recipe
        done = (hours - recipe.prepare_h) / recipe.inoculate_h
        filled = recipe.medium_l + done * (recipe.start_l - recipe.medium_l)
        cells = recipe.viable * factor * recipe.start_l * done
        self.fill(state, index, float(cells / filled), filled)

    def drain(self, state: State, index: int, hours: float, before: float) -> None:
        """Empty the vessel evenly; `before` is the hour of the step before."""
        recipe = self.recipe
        end = recipe.cycle_h - recipe.clean_h
        if hours > end - DRAINED_SHARE * recipe.harvest_h:
            above = float(state.volume[index]) - recipe.rest_l
            left = above * (end - hours) / (end - before)
            volume = recipe.rest_l + max(left, 0.0)
            state.culture[self.process.volume_row, index] = volume
            state.volume[index] = volume
