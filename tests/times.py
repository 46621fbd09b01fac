"""Where a test runs, and how its time is shared out by kind of test.

Two workers run side by side. Every test that needs a neighbour of the whole run (the
broker, TimescaleDB, the npm packages) runs in one of them: there is one of each.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

ROOT = Path(__file__).parent
TOGETHER = {"kafka_broker", "timescale_server", "node_modules"}
"""Fixtures that exist once in the whole run."""
INSTALLED = TOGETHER | {"plain_server"}
"""Fixtures whose start counts as installation."""
MARKS = {"kafka", "timescale", "node"}
GROUP = "neighbours"
INSTALL = "install"

Span = tuple[str, float, float]
"""Kind, begin and end in seconds of the machine's monotonic clock."""


def shares(spans: Iterable[Span]) -> dict[str, float]:
    """Return seconds by kind; what ran at the same time shares that time equally.

    The sum over all kinds is the time during which anything ran.
    """
    found = list(spans)
    edges = sorted({edge for _, begin, end in found for edge in (begin, end)})
    starting: dict[float, list[str]] = {}
    ending: dict[float, list[str]] = {}
    for kind, begin, end in found:
        if begin < end:
            starting.setdefault(begin, []).append(kind)
            ending.setdefault(end, []).append(kind)
    seconds: dict[str, float] = {kind: 0.0 for kind, _, _ in found}
    running: list[str] = []
    for edge, following in pairwise(edges):
        for kind in ending.get(edge, ()):
            running.remove(kind)
        running += starting.get(edge, ())
        for kind in running:
            seconds[kind] += (following - edge) / len(running)
    return seconds


@dataclass(slots=True, eq=False)
class Times:
    """Plugin: groups the tests, and collects spans from all workers."""

    spans: list[Span] = field(default_factory=list)
    report: Path | None = None
    """Where the seconds of each kind are written."""
    _installing: list[Span] = field(default_factory=list)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Give the tests that need neighbours to one worker."""
        for item in items:
            marked = any(item.get_closest_marker(mark) for mark in MARKS)
            if marked or TOGETHER & set(getattr(item, "fixturenames", ())):
                item.add_marker(pytest.mark.xdist_group(GROUP))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item
    ) -> Generator[None, object, object]:
        """Count a test's whole time for the folder below tests/ that holds it."""
        self._installing.clear()
        begin = time.monotonic()
        result = yield
        kind = item.path.relative_to(ROOT).parts[0]
        for _, start, stop in self._installing:
            self.spans.append((kind, begin, start))
            begin = stop
        self.spans += [(kind, begin, time.monotonic()), *self._installing]
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """Count the start of a neighbour as installation."""
        name = fixturedef.argname
        if name in TOGETHER and not request._pyfuncitem.get_closest_marker(
            "xdist_group"
        ):
            pytest.fail(f"{name}: expected a mark of {sorted(MARKS)} on what uses it")
        begin = time.monotonic()
        result = yield
        if name in INSTALLED:
            self._installing.append((INSTALL, begin, time.monotonic()))
        return result

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take the spans of a worker that ended."""
        self.spans += [tuple(each) for each in node.workeroutput.get("spans", ())]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand the spans to the run that started this worker, or write the seconds."""
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output["spans"] = self.spans
        elif self.report:
            self.report.write_text(json.dumps(shares(self.spans)))
