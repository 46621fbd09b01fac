"""Batch, phase and state events (ISA-88) from what a vessel's context tags say. Pure.

The rules are those of shared/batches.py, taken forward one instant at a time: a batch
runs from the reading that names it until one that names another or none, a phase lies
within its batch as does a state, and readings that are not Good say nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.events import BatchEvent, digest
from shared.readings import Block, is_good

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shared.plant import Vessel


@dataclass(frozen=True, slots=True)
class Said:
    """What the context tags said last; empty where they said that there is none."""

    batch: str = ""
    phase: str = ""
    product: str = ""
    client: str = ""
    state: str = ""


class BatchWatch:
    """What one vessel is doing.

    Order: events come in the order of their instants; at one instant ends before
    beginnings, a phase's end before its batch's, a batch's beginning before its
    phase's, that before its state's. Duplicates: text that says the same again makes
    no event.
    """

    def __init__(self, vessel: Vessel) -> None:
        ids = {tag.name: tag.id for tag in vessel.tags}
        self._vessel = vessel.name
        self._roles = {
            ids[name]: role for role, name in vessel.context if name is not None
        }
        self._tags = np.array(sorted(self._roles), np.int32)
        self._said = Said()
        self._at: dict[str, int] = {}

    @property
    def batch(self) -> str | None:
        """The batch that runs, if one does."""
        return self._said.batch or None

    @property
    def phase(self) -> str | None:
        """The phase of that batch, if it has one."""
        return (self._said.phase or None) if self._said.batch else None

    @property
    def since(self) -> int:
        """When batch or phase were said last, us UTC; 0 before."""
        return max(self._at.get("batch", 0), self._at.get("phase", 0))

    def see(self, block: Block) -> list[BatchEvent]:
        """Return what the readings of one instant began and ended.

        Readings older than what their tag said before are passed over, so that late
        ones may be given too, instant by instant.
        """
        events: list[BatchEvent] = []
        by_time: dict[int, dict[str, str]] = {}
        for time, role, text in self._readings(block):
            if time >= self._at.get(role, time):
                by_time.setdefault(time, {})[role] = text
        for time, texts in sorted(by_time.items()):
            before, self._said = self._said, replace(self._said, **texts)
            self._at |= dict.fromkeys(texts, time)
            events += self._changed(before, self._said, time)
        return events

    def _readings(self, block: Block) -> Iterator[tuple[int, str, str]]:
        if block.text is None or len(self._tags) == 0:
            return
        rows = np.flatnonzero(np.isin(block.tag, self._tags) & is_good(block.status))
        for row in rows.tolist():
            text = block.text[row].as_py()
            if text is not None:
                role = self._roles[int(block.tag[row])]
                yield int(block.time[row]), role, text.strip()

    def _changed(self, before: Said, after: Said, time: int) -> Iterator[BatchEvent]:
        was, now = _phase(before), _phase(after)
        other_batch = before.batch != after.batch
        if was and (other_batch or was != now):
            yield self._event(before, was, time, began=False)
        if other_batch and before.batch:
            yield self._event(before, None, time, began=False)
        if other_batch and after.batch:
            yield self._event(after, None, time, began=True)
        if now and (other_batch or was != now):
            yield self._event(after, now, time, began=True)
        state = after.state if after.batch else ""
        if state and (other_batch or state != before.state):
            yield self._event(after, None, time, began=True, state=state)

    def _event(
        self,
        said: Said,
        phase: str | None,
        time: int,
        *,
        began: bool,
        state: str | None = None,
    ) -> BatchEvent:
        named = (self._vessel, said.batch, phase, began, time)
        return BatchEvent(
            id=digest(*named) if state is None else digest(*named, state),
            vessel=self._vessel,
            batch=said.batch,
            phase=phase,
            began=began,
            time=time,
            product=said.product or None,
            client=said.client or None,
            state=state,
        )

    def state(self) -> dict[str, Any]:
        """Return what is known, for the checkpoint."""
        return {"said": asdict(self._said), "at": dict(self._at)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self._said = Said(**state["said"])
        self._at = dict(state["at"])


def _phase(said: Said) -> str:
    return said.phase if said.batch else ""
