"""The plant of the load: vessels, tags, servers, as plant.yaml. Pure.

Tag ids are the load's item index plus one; six of thirty tags carry limits that the
values never reach, so that the monitor has its ordinary work.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.benchmarks.load.subscription import TAGS

WATCHED = 6
"""Of them, how many carry limits."""
FIRST_HEARTBEAT = 1_000_000_000


@dataclass(frozen=True, slots=True)
class SitePlan:
    """How many vessels, on how many servers, sampled how often."""

    vessels: int = 1_000
    servers: int = 4
    rate_hz: float = 1.0
    publishing_ms: int = 250
    partitions: int = 4

    @property
    def period_us(self) -> int:
        """Between two readings of a tag."""
        return round(1e6 / self.rate_hz)

    def vessels_of(self, server: int) -> range:
        """Return the vessels of one server, counted from 0."""
        first = server * self.vessels // self.servers
        return range(first, (server + 1) * self.vessels // self.servers)

    def items_of(self, server: int) -> range:
        """Return the item indices of one server."""
        vessels = self.vessels_of(server)
        return range(vessels.start * TAGS, vessels.stop * TAGS)

    def probe_tags(self, count: int) -> list[int]:
        """Return so many tags, spread over the vessels."""
        step = max(1, self.vessels * TAGS // count)
        return [1 + index for index in range(0, self.vessels * TAGS, step)][:count]


def plant_yaml(plan: SitePlan, ports: list[int]) -> str:
    """Return the configuration; `ports` has one port per server."""
    lines = ["site: Load", "servers:"]
    for number, port in enumerate(ports):
        lines.append(
            f"  - {{name: S{number}, url: 'opc.tcp://127.0.0.1:{port}', "
            f"publishing_interval_ms: {plan.publishing_ms}, "
            f"heartbeat: {{id: {FIRST_HEARTBEAT + number}}}}}"
        )
    lines.append("vessels:")
    for server in range(plan.servers):
        for vessel in plan.vessels_of(server):
            partition = vessel % plan.partitions
            lines += [
                f"  - name: V{vessel:04d}",
                f"    server: S{server}",
                f"    partition: {partition}",
                "    tags:",
            ]
            lines += [_tag(vessel * TAGS + place, place) for place in range(TAGS)]
    return "\n".join(lines) + "\n"


def _tag(index: int, place: int) -> str:
    checks = ""
    if place < WATCHED:
        limits = ", ".join(
            f"{{side: {side}, value: {value}, on_delay_s: 5, off_delay_s: 5}}"
            for side, value in (("h", 200_000), ("l", -1))
        )
        checks = f", checks: {{limits: [{limits}]}}"
    number = index + 1
    named = f"id: {number}, name: T{place:02d}, node: ns=1;i={number}"
    return f"      - {{{named}{checks}}}"
