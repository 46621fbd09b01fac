"""Starting from the saved state of another plant."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from simulators.loop import STATE_FILE
from simulators.plant import Layout, Plant
from simulators.recipes import US_PER_H
from simulators.settings import SimulatorSettings
from simulators.start import StateOfAnotherPlant, start

SECOND = 1_000_000


def clock() -> int:
    return time.time_ns() // 1000


def settings(folder: Path, **changes: Any) -> SimulatorSettings:
    plain = {"data": folder, "vessels": 1, "history": "PT2H"}
    return SimulatorSettings.model_validate(plain | changes)


def test_a_saved_plant_of_other_settings_is_refused_by_name(tmp_path: Path) -> None:
    plant = Plant(Layout(("BR101",), seed=1), clock())
    body = {"version": 2, "live": True, "published_before": 0, "plant": plant.to_json()}
    (tmp_path / STATE_FILE).write_text(json.dumps(body))
    with pytest.raises(StateOfAnotherPlant, match=r"state\.json: seed of the saved"):
        start(settings(tmp_path, seed=2), clock())
    with pytest.raises(StateOfAnotherPlant, match="ahead of the clock"):
        start(settings(tmp_path, seed=1), plant.now - SECOND)
    (tmp_path / STATE_FILE).write_text("{}")
    with pytest.raises(StateOfAnotherPlant, match="version None: expected 3"):
        start(settings(tmp_path), clock())


def test_shards_of_a_site_share_neither_batch_nor_noise(tmp_path: Path) -> None:
    site = {"vessels": 4, "process": "ecoli", "history": "PT0S", "shards": 2}
    seen: dict[str, str] = {}
    shown = []
    for shard in (1, 2):
        begun = start(settings(tmp_path, **site, shard=shard), clock())
        (plant,) = (suite.plant for suite in begun.site.suites)
        for _ in range(2):
            for place, vessel in enumerate(plant.layout.vessels):
                batch = plant.context(place)[0]
                assert not batch or seen.setdefault(batch, vessel) == vessel
            plant.fast_forward(plant.now + 40 * US_PER_H, 900 * SECOND)
        shown.append(plant.values)
    assert len(seen) >= 6
    assert not (shown[0] == shown[1]).all(axis=1).any()
