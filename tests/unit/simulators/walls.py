"""What crosses the walls of one simulated vessel, added up over its culture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulators.plant import Layout

if TYPE_CHECKING:
    from simulators.plant import Plant


class OneFreshVessel(Layout):
    """One vessel whose first batch begins at the start."""

    def age_h(self, index: int) -> float:
        del index
        return -self.recipe.before_culture_h


class Ledger:
    """Inventories of the vessel at the first and last note, and all that crossed."""

    def __init__(self, samples_l: float) -> None:
        """Begin; `samples_l` is what is drawn between the first and the last note."""
        self._samples_l = samples_l
        self._first: dict[str, float] = {}
        self._last: dict[str, float] = {}
        self._crossed = dict.fromkeys(CROSSING, 0.0)

    def note(self, plant: Plant) -> None:
        crossing = plant.crossing
        assert crossing is not None
        self._last = inventories(plant)
        if not self._first:
            self._first = self._last
            return
        for name in self._crossed:
            self._crossed[name] += float(getattr(crossing, name)[0])

    def balance(self) -> dict[str, tuple[float, float]]:
        """Return what is missing and what was turned over: mmol, and L of broth."""
        rose = {name: self._last[name] - self._first[name] for name in self._last}
        c = self._crossed
        oxygen = c["oxygen_in"] - c["oxygen_out"] - c["oxygen_used"] - rose["oxygen"]
        carbon = c["carbon_in"] + c["carbon_made"] - c["carbon_out"] - rose["carbon"]
        left = c["liquids_in"] - c["evaporated"] - self._samples_l
        broth = left - rose["volume"]
        return {
            "oxygen": (oxygen, c["oxygen_used"]),
            "carbon": (carbon, c["carbon_made"]),
            "broth": (broth, c["liquids_in"]),
        }


CROSSING = (
    "oxygen_in", "oxygen_out", "oxygen_used", "carbon_in", "carbon_out", "carbon_made",
    "liquids_in", "evaporated",
)  # fmt: skip


def inventories(plant: Plant) -> dict[str, float]:
    """Return mmol of oxygen and carbon in broth and headspace, and L of broth."""
    state = plant.state
    volume = float(state.volume[0])
    head_mmol = (plant.layout.design.gas_room_l - volume) * 10.0 / 22.414
    return {
        "oxygen": float(state.oxygen[0]) * volume + head_mmol * float(state.off_o2[0]),
        "carbon": float(state.carbon[0]) * volume + head_mmol * float(state.off_co2[0]),
        "volume": volume,
    }
