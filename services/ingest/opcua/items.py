"""What is wanted of a server's tags and what it granted. Pure: no clock, no I/O.

A handle is a tag's place in `Items.tags`. Handles are given in the order in which tags
first appear and are never re-used within a subscription's life, so a reading that was
on its way when a configuration changed still finds its tag.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from shared.domain import Actual, Desired, SubscriptionState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from shared.plant import Report

RETRY_FIRST_S = 2.0
"""Pause before a refused item is asked for again; doubled up to RETRY_LAST_S."""
RETRY_LAST_S = 60.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """One variable to be monitored."""

    tag: int
    node: str
    """NodeId as in plant.yaml."""
    report: Report
    sampling_ms: int
    queue: int
    heartbeat: bool = False


@dataclass(slots=True)
class Item:
    """One tag's monitored item: wanted, granted, the last error, when to try again."""

    handle: int
    wanted: Wanted
    state: SubscriptionState
    granted: int | None = None
    """MonitoredItemId."""
    tries: int = 0
    due: float = 0.0
    """Earliest next try, seconds of the caller's monotonic clock."""


class Items:
    """All tags of one server.

    Invariant: an item that is due has no `granted` id; one that is SUBSCRIBED has.
    """

    def __init__(self, wanted: Sequence[Wanted], now: int) -> None:
        self._items: dict[int, Item] = {}
        self._leaving: list[int] = []
        self.tags: NDArray[np.int32] = np.empty(0, np.int32)
        """Tag id by handle."""
        self._greeting: set[int] = set()
        self._complaints: set[int] = set()
        self.want(wanted, now)

    def __len__(self) -> int:
        return len(self._items)

    def want(self, wanted: Sequence[Wanted], now: int) -> list[SubscriptionState]:
        """Take a new list of what is wanted; return the states that changed.

        Items whose definition stayed the same are not touched. Ids of monitored items
        that are to be deleted are then in `leaving`.
        """
        fresh = {w.tag: w for w in wanted}
        changed = [self._remove(tag, now) for tag in [*self._items] if tag not in fresh]
        added = []
        for tag, definition in fresh.items():
            item = self._items.get(tag)
            if item is None:
                added.append(definition)
            elif item.wanted != definition:
                self._let_go(item)
                item.wanted, item.tries, item.due = definition, 0, 0.0
                changed.append(self._move(item, Actual.PENDING, now, ""))
        changed += self._add(added, now)
        return changed

    def _add(self, added: Sequence[Wanted], now: int) -> list[SubscriptionState]:
        known = {int(tag): handle for handle, tag in enumerate(self.tags)}
        new = [w.tag for w in added if w.tag not in known]
        known |= {tag: len(self.tags) + i for i, tag in enumerate(new)}
        self.tags = np.concatenate([self.tags, np.array(new, np.int32)])
        states = []
        for w in added:
            state = SubscriptionState(w.tag, Desired.SUBSCRIBED, Actual.PENDING, now)
            self._items[w.tag] = Item(known[w.tag], w, state)
            states.append(state)
        return states

    def _remove(self, tag: int, now: int) -> SubscriptionState:
        item = self._items.pop(tag)
        self._let_go(item)
        return SubscriptionState(tag, Desired.NONE, Actual.DISCONNECTED, now)

    def _let_go(self, item: Item) -> None:
        if item.granted is not None:
            self._leaving.append(item.granted)
            item.granted = None

    def handle(self, tag: int) -> int:
        """Return the handle of a tag that is wanted."""
        return self._items[tag].handle

    def ask(self, items: Iterable[Item]) -> None:
        """Note that the first reading of these items will be their present value."""
        self._greeting |= {item.wanted.tag for item in items}

    def greets(self, tags: NDArray[np.int32]) -> bool:
        """Whether one of these readings is the first since its item was made.

        Such a reading may have been delivered before.
        """
        if not self._greeting:
            return False
        first = self._greeting.intersection(tags.tolist())
        self._greeting -= first
        return bool(first)

    def leaving(self) -> list[int]:
        """Return the monitored items to delete; the list starts anew."""
        leaving, self._leaving = self._leaving, []
        return leaving

    def due(self, now_s: float) -> list[Item]:
        """Return the items that are not granted and whose time to try has come."""
        return [i for i in self._items.values() if i.granted is None and i.due <= now_s]

    def next_due(self) -> float | None:
        """Return when the next refused item is due; None when all are granted."""
        waiting = [i.due for i in self._items.values() if i.granted is None]
        return min(waiting, default=None)

    def grant(self, item: Item, granted: int, now: int, note: str) -> SubscriptionState:
        """Record that the server monitors the item."""
        item.granted, item.tries = granted, 0
        return self._move(item, Actual.SUBSCRIBED, now, note)

    def refuse(
        self, item: Item, error: str, now: int, now_s: float
    ) -> SubscriptionState | None:
        """Record a refusal; return the state when it is news."""
        pause = min(RETRY_FIRST_S * 2**item.tries, RETRY_LAST_S)
        item.tries, item.due, item.granted = item.tries + 1, now_s + pause, None
        old = item.state
        if old.actual is Actual.REFUSED and old.error == error:
            return None
        return self._move(item, Actual.REFUSED, now, error)

    def complain(self, item: Item, error: str, now: int) -> SubscriptionState | None:
        """Show a granted item as refused because of what it sends; None if known."""
        self._complaints.add(item.wanted.tag)
        if (item.state.actual, item.state.error) == (Actual.REFUSED, error):
            return None
        return self._move(item, Actual.REFUSED, now, error)

    def content(self, tags: NDArray[np.int32], now: int) -> list[SubscriptionState]:
        """Take back the complaints about tags that sent a reading again."""
        if not self._complaints:
            return []
        again = self._complaints.intersection(tags.tolist())
        self._complaints -= again
        return [
            self._move(item, Actual.SUBSCRIBED, now, "")
            for item in self.items_of(again)
            if item.granted is not None
        ]

    def begin_anew(self, now: int) -> list[SubscriptionState]:
        """Forget what was granted; return the states that changed."""
        self._leaving = []
        self._greeting = set()
        self._complaints = set()
        changed = []
        for item in self._items.values():
            item.granted, item.tries, item.due = None, 0, 0.0
            if item.state.actual is not Actual.PENDING:
                changed.append(self._move(item, Actual.PENDING, now, ""))
        return changed

    def suspend(self, error: str, now: int) -> list[SubscriptionState]:
        """Record a broken connection whose subscription may still be taken up again.

        The granted ids are kept; `resume` shows them as subscribed again.
        """
        return [
            self._move(item, Actual.DISCONNECTED, now, error)
            for item in self._items.values()
            if (item.state.actual, item.state.error) != (Actual.DISCONNECTED, error)
        ]

    def resume(self, now: int) -> list[SubscriptionState]:
        """Record that the subscription goes on with the items it had."""
        return [
            self._move(item, Actual.SUBSCRIBED, now, "")
            for item in self._items.values()
            if item.granted is not None
        ]

    def _move(
        self, item: Item, actual: Actual, now: int, error: str
    ) -> SubscriptionState:
        item.state = replace(
            item.state,
            actual=actual,
            error=error,
            since=item.state.since if item.state.actual is actual else now,
        )
        return item.state

    def states(self) -> list[SubscriptionState]:
        """Return every tag's state, by handle."""
        return [item.state for item in self._items.values()]

    def refused_tags(self) -> list[int]:
        """Return the tags that the server refuses now."""
        return self._with(Actual.REFUSED)

    def subscribed_tags(self) -> tuple[int, ...] | None:
        """Return the tags that are monitored; None when all are."""
        tags = self._with(Actual.SUBSCRIBED)
        return None if len(tags) == len(self._items) else tuple(tags)

    def _with(self, actual: Actual) -> list[int]:
        return [t for t, item in self._items.items() if item.state.actual is actual]

    def items_of(self, tags: Iterable[int]) -> list[Item]:
        """Return the items of those tags that are still wanted."""
        return [self._items[tag] for tag in tags if tag in self._items]
