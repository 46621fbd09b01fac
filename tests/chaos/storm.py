"""A plant at 3 000 readings/s, what befalls it, and what must hold at the end."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import asyncpg
import pyarrow as pa

from tests.chaos import load
from tests.chaos.equation import Declared, Sums, columns, equation
from tests.chaos.schedule import Fault, Kind
from tests.chaos.shifted import set_clock
from tests.chaos.truth import changing, generated, heartbeats, tags_by_server
from tests.system.site import Site, free_port, to_us, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from deploy.embedded.postgres import EmbeddedPostgres
    from tests.chaos.wires import Wires
    from tests.neighbours.kafka import KafkaBroker
    from tests.neighbours.timescale import TimescaleServer
    from tests.system.disk import SmallDisk
    from tests.system.site import Variant

S = 1_000_000
VESSELS = 9
"""Of 34 variables, of which about 20 are sent each second; see load.VESSELS."""
PROBE = "BR101/TIC-101.PV"
RECOVERY_S = 30
"""Within which data must flow again after a fault is healed."""
PUBLISHING_US = S // 2
SLACK_US = 2 * PUBLISHING_US
"""What a gap may be wider than the outage, at either end."""
LATELY_US = 5 * S
"""Tags that sent something so shortly before a fault are waited for after it."""
SIMULATED = {"VESSELS": str(VESSELS), "HISTORY": "PT2S", "INSTRUMENTS": "core"}
SPOOL = {"SPOOL_QUOTA": "2MiB", "SPOOL_RESERVE": "1MiB"}


@dataclass(frozen=True, slots=True)
class Outage:
    """A fault, and between which readings others could not pass.

    As the database shows it, whatever the collector says: from the newest readings of a
    server's tags that were stored when the fault began until all that had sent shortly
    before were stored with readings of after the healing.
    """

    fault: Fault | str
    start: int
    newest: Mapping[str, int]
    """By server, us UTC."""
    end: int
    healed: int
    """us UTC"""

    def __str__(self) -> str:
        return (
            f"{self.fault}: {(self.end - self.start) / S:.1f} s, "
            f"flows {(self.end - self.healed) / S:.1f} s after healing"
        )


@dataclass(slots=True)
class Storm:
    """One plant of one variant under faults.

    Invariant: between two strikes every part is up and data flow.
    """

    site: Site
    wires: Wires
    database: EmbeddedPostgres | TimescaleServer
    broker: KafkaBroker | None
    disk: SmallDisk | None
    """Of the local log."""
    direct: str
    """DSN past the proxy."""
    outages: list[Outage] = field(default_factory=list)

    def begin(self) -> None:
        """Bring everything up, the collector by way of the proxies."""
        site = self.site
        site.start("simulator")
        port = free_port()
        site.processes["load"] = load.start(port)
        site.wait_for_port(site.opcua_port)
        site.command("migrate")
        site.plant_yaml.write_text(site.command("discover", site.endpoint).stdout)
        load.add_to(site.plant_yaml, self.wires.lay("load", port))
        site.apply()
        site.start("archiver", "api", "collector")
        until("the API answers", lambda: site.get("/health/live").is_success)
        self.flows("the start")

    def flows(self, what: object) -> None:
        """Wait until a reading of after now is stored."""
        now = now_us()
        names = [n for n, t in self.site.tags().items() if t["id"] > load.FIRST]
        for tag in (PROBE, names[0]):
            until(
                f"{tag} flows after {what}",
                functools.partial(self._is_newer, tag, now),
                timeout_s=RECOVERY_S,
                every_s=0.1,
            )

    def _all_flow(self, tags: Sequence[int], since: int, what: object) -> None:
        """Wait until each of `tags` has a stored reading newer than `since`."""
        query = (
            f"select count(distinct tag) from {self.site.variant.namespace}.reading"
            " where tag = any($1::int[]) and time > to_timestamp($2 / 1000000.0)"
        )
        until(
            f"all of {len(tags)} tags flow after {what}",
            lambda: self._ask(query, tags, since)[0][0] == len(tags),
            timeout_s=RECOVERY_S,
            every_s=0.2,
        )

    def _newest(self) -> tuple[dict[str, int], list[int]]:
        """Return what is stored of each server, and the tags that sent lately.

        Of a server the oldest of these tags' newest readings: a gap of all its tags
        that began later would hide what this tag missed. Readings of the future, from
        a clock that was set on, do not count: the collector believes none of them.
        """
        query = (
            "select tag, (extract(epoch from max(time)) * 1000000)::bigint"
            f" from {self.site.variant.namespace}.reading"
            " where time > to_timestamp($1 / 1000000.0)"
            " and time <= received + interval '5 seconds' group by tag"
        )
        found = {row[0]: row[1] for row in self._ask(query, now_us() - 12 * LATELY_US)}
        lately = max(found.values()) - LATELY_US
        flowing = {tag for tag, last in found.items() if last > lately}
        flowing -= {*changing(self.site), *heartbeats(self.site)}
        newest = {
            server: min(
                (found[tag] for tag in tags if tag in flowing), default=now_us()
            )
            for server, tags in tags_by_server(self.site).items()
        }
        return newest, sorted(flowing)

    def _ask(self, query: str, *arguments: object) -> list[Any]:
        async def ask() -> list[Any]:
            connection = await asyncpg.connect(self.direct)
            try:
                return list(await connection.fetch(query, *arguments))
            finally:
                await connection.close()

        return asyncio.run(ask())

    def _is_newer(self, tag: str, than: int) -> bool:
        answer = self.site.get("/recorded", tag=tag, start="*-10s", end="*+1m")
        times = answer.json()["time"] if answer.is_success else []
        return bool(times) and to_us(times[-1]) > than

    def strike(self, fault: Fault) -> Outage:
        """Let one fault happen, heal it, and wait until data flow."""
        newest, lately = self._newest()
        start = now_us()
        with self._hurt(fault):
            time.sleep(fault.seconds)
        healed = now_us()
        self.flows(fault)
        self._all_flow(lately, healed, fault)
        struck = Outage(fault, start, newest, now_us(), healed)
        self.outages.append(struck)
        return struck

    def _hurt(self, fault: Fault) -> contextlib.AbstractContextManager[None]:
        hurts: dict[Kind, Callable[[Fault], contextlib.AbstractContextManager[None]]]
        hurts = {
            Kind.KILL: self._killed,
            Kind.FREEZE: self._frozen,
            Kind.CUT: self._cut,
            Kind.BLACK_HOLE: self._cut,
            Kind.RESTART: self._restarted,
            Kind.CLOCK: self._clock_set,
            Kind.FULL: self._full,
        }
        return hurts[fault.kind](fault)

    @contextlib.contextmanager
    def _killed(self, fault: Fault) -> Iterator[None]:
        neighbour = self._neighbour(fault.target)
        if neighbour is not None:
            neighbour.kill()
            yield
            neighbour.start()
            return
        self.site.kill(fault.target)
        yield
        self.site.start(fault.target)

    @contextlib.contextmanager
    def _restarted(self, fault: Fault) -> Iterator[None]:
        neighbour = self._neighbour(fault.target)
        assert neighbour is not None
        neighbour.stop()
        yield
        neighbour.start()

    def _neighbour(
        self, name: str
    ) -> EmbeddedPostgres | TimescaleServer | KafkaBroker | None:
        return {"database": self.database, "broker": self.broker}.get(name)

    @contextlib.contextmanager
    def _frozen(self, fault: Fault) -> Iterator[None]:
        pid = self.site.processes[fault.target].pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    @contextlib.contextmanager
    def _cut(self, fault: Fault) -> Iterator[None]:
        if fault.kind is Kind.CUT:
            self.wires.cut(fault.target)
        else:
            self.wires.black_hole(fault.target)
        yield
        self.wires.heal(fault.target)

    @contextlib.contextmanager
    def _clock_set(self, fault: Fault) -> Iterator[None]:
        file = self.site.folder / f"{fault.target}.clock"
        set_clock(file, fault.jump_s)
        yield
        set_clock(file, 0)

    @contextlib.contextmanager
    def _full(self, fault: Fault) -> Iterator[None]:
        if fault.target == "spool":
            assert self.broker is not None
            self.broker.stop()
            yield
            self.broker.start()
            return
        assert self.disk is not None
        writers = [self.site.processes[n].pid for n in ("collector", "archiver")]
        self.disk.fill(writers)
        yield
        self.disk.empty()

    def settle(self) -> Sums:
        """Stop the source; return the equation once nothing more arrives."""
        began, (newest, _) = now_us(), self._newest()
        last = load.last_tick(self.site.processes["load"])
        self.site.stop("simulator")
        made, only_changes = generated(self.site), changing(self.site)
        found = [asyncio.run(self._equation(made, last, only_changes))]

        def holds() -> bool:
            if not found[-1].balanced:
                found.append(asyncio.run(self._equation(made, last, only_changes)))
            return found[-1].balanced

        with contextlib.suppress(AssertionError):
            until("balanced", holds, timeout_s=RECOVERY_S, every_s=1)
        end = Outage("the end", began, newest, now_us() + 3600 * S, began)
        self.outages.append(end)
        return found[-1]

    async def _equation(
        self, made: pa.Table, last: int, only_changes: set[int]
    ) -> Sums:
        connection = await asyncpg.connect(self.direct)
        try:
            stored = await self._stored(connection)
            made = pa.concat_tables([made, load.generated_since(stored, last)])
            stored = load.without_edges(stored, last)
            return equation(made, stored, await self._gaps(), only_changes)
        finally:
            await connection.close()

    async def _stored(self, connection: asyncpg.Connection) -> pa.Table:
        heartbeat = heartbeats(self.site)
        rows = await connection.fetch(
            "select tag, (extract(epoch from time) * 1000000)::bigint as time,"
            " value, status::bigint & 4294967295 as status, text"
            f" from {self.site.variant.namespace}.reading where tag <> all($1::int[])",
            heartbeat,
        )
        names = ("tag", "time", "value", "status", "text")
        types = (pa.int32(), pa.int64(), pa.float64(), pa.int64(), pa.string())
        return columns(
            *(
                pa.array([row[name] for row in rows], kind)
                for name, kind in zip(names, types, strict=True)
            )
        )

    async def _gaps(self) -> list[Declared]:
        connection = await asyncpg.connect(self.direct)
        try:
            rows = await connection.fetch(
                "select server, cause, (extract(epoch from since) * 1000000)::bigint,"
                " (extract(epoch from until) * 1000000)::bigint, tags"
                f" from {self.site.variant.namespace}.gap order by since"
            )
        finally:
            await connection.close()
        everything = tags_by_server(self.site)
        return [
            Declared(server, cause, start, end, tuple(tags or everything[server]))
            for server, cause, start, end, tags in rows
        ]

    def verified(self) -> str:
        """Stop the collector; return what the ledger finds wrong, empty if nothing."""
        self.site.stop("collector")
        said = [""]

        def agrees() -> bool:
            verify = self.site.command("ledger", "verify", "--days", "1", check=False)
            said.append(verify.stdout + verify.stderr)
            return verify.returncode == 0

        try:
            until("the ledger agrees", agrees, timeout_s=RECOVERY_S, every_s=2)
        except AssertionError:
            return f"ledger: {said[-1]}"
        return ""

    def gaps(self) -> list[Declared]:
        """Return every declared gap."""

        return asyncio.run(self._gaps())

    def outside(self) -> list[Declared]:
        """Return the gaps that are wider than the true outages allow."""
        return [gap for gap in self.gaps() if not self._is_true(gap)]

    def _is_true(self, gap: Declared) -> bool:
        end = gap.start if gap.end is None else gap.end
        return any(
            outage.newest.get(gap.server, outage.start) - SLACK_US <= gap.start
            and end <= outage.end + SLACK_US
            for outage in self.outages
        )


def now_us() -> int:
    """Return UTC, us."""
    return time.time_ns() // 1000


def storm(
    folder: Path,
    variant: Variant,
    wires: Wires,
    *,
    database: EmbeddedPostgres | TimescaleServer,
    broker: KafkaBroker | None = None,
    disk: SmallDisk | None = None,
) -> Storm:
    """Return a plant that is not started yet; `folder` is made."""
    folder.mkdir(parents=True)
    through = {}
    for name in ("simulator", "collector"):
        clock = folder / f"{name}.clock"
        set_clock(clock, 0)
        through[name] = ("tests.chaos.shifted", str(clock))
    direct = database.dsn
    port = urlsplit(direct).port
    assert port is not None
    dsn = direct.replace(f":{port}/", f":{wires.lay('database', port)}/")
    opcua = free_port()
    site = Site(
        folder,
        replace(variant, dsn=dsn),
        simulator=SIMULATED,
        collector={} if broker is None else SPOOL,
        through=through,
        opcua_port=opcua,
        opcua_way=wires.lay("opcua", opcua),
    )
    return Storm(site, wires, database, broker, disk, direct)
