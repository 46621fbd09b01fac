"""One server's collection: connect, subscribe, receive, and begin again for ever."""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING

from services.ingest.collect.intake import Source
from services.ingest.opcua.decode import (
    MalformedNotification,
    Publish,
    PublishRefused,
    decode_publish,
    decode_republish,
    decode_together,
)
from services.ingest.opcua.items import Items
from services.ingest.opcua.pump import Pump
from services.ingest.opcua.session import SESSION_LIFETIME_S
from services.ingest.opcua.situations import (
    ServerUnreachable,
    ServiceRefused,
    SessionLost,
    SubscriptionLost,
)
from services.ingest.opcua.subscription import KEEP_ALIVE_S, Subscription, utc_now
from shared.domain import Actual, GapCause, Kind, Origin, SubscriptionState, Unavailable
from shared.wire import Liveness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from services.ingest.collect.intake import Intake
    from services.ingest.collect.losses import Losses
    from services.ingest.collect.memory import ServerMemory
    from services.ingest.collect.plan import Plan
    from services.ingest.collect.writer import Writer
    from services.ingest.opcua.pump import Arrived
    from services.ingest.opcua.session import Session
    from shared.readings import Block

_log = logging.getLogger(__name__)

RETRY_FIRST_S = 1.0
RETRY_LAST_S = 10.0
"""Pauses after a refusal. A server that is away is asked again each publishing interval
for ever, so that a gap is hardly wider than the outage."""
_RAW_BYTES = 64 * 1024
"""Most of a notification that is kept when it is not understood."""
_LAST_NUMBER = 2**32 - 1
"""Sequence numbers run from 1 to here and start anew (Part 4, 7.8)."""
_MOST_MISSING = 1000
"""Notifications asked for again one by one; a wider jump is a loss at once."""


class Collection:
    """Keeps one server subscribed and its readings on the way to the log.

    Bounded by: the writer and the pump's answers. When full: asks the server for no
    more. Order: by sequence number; what was missed is fetched again before what came
    after it. Duplicates: republished readings that are known are dropped. On cancel:
    the session is closed; readings held by the writer are the writer's.
    """

    def __init__(  # noqa: PLR0913  composed in one place, used in one way
        self,
        plan: Plan,
        session: Session,
        *,
        writer: Writer,
        intake: Intake,
        losses: Losses,
        memory: ServerMemory,
        show: Callable[[Plan, Sequence[SubscriptionState]], None],
        dead_letter: Callable[[dict[str, str], bytes], None],
        tail: Sequence[Sequence[Block]],
        keep_alive_s: float = KEEP_ALIVE_S,
    ) -> None:
        self.plan = plan
        self.heard = 0
        """When anything last came from the server, us UTC; 0 before."""
        self._session = session
        self._writer = writer
        self._intake = intake
        self._losses = losses
        self._memory = memory
        self._show = show
        self._dead_letter = dead_letter
        self._tail = tail
        self._items = Items(plan.wanted, utc_now())
        self._subscription = Subscription(
            session,
            self._items,
            publishing_interval_ms=plan.server.publishing_interval_ms,
            keep_alive_s=keep_alive_s,
            changed=self._changed,
        )
        self._wake = asyncio.Event()
        self._name = ""
        self._expected = 1
        self._settle = False
        self._unsafe: set[int] = set()
        self._opened = False
        self._heard_now = False
        self._told = 0
        self._said = ""
        self._lost_at: float | None = None
        intake.follow(plan, self._items.tags)

    @property
    def _interval_us(self) -> int:
        return int(self._subscription.interval_s * 1_000_000)

    def want(self, plan: Plan) -> None:
        """Follow a new configuration that needs no new connection."""
        self.plan = plan
        states = self._items.want(plan.wanted, utc_now())
        self._intake.follow(plan, self._items.tags)
        self._changed(states)
        self._wake.set()

    def liveness(self) -> Liveness | None:
        """Return the subscription's liveness when it was heard since the last call."""
        if not self._name or self.heard <= self._told:
            return None
        self._told = self.heard
        tags = self._items.subscribed_tags()
        return Liveness(self.plan.server.name, self._name, self.heard, tags)

    def reached(self) -> int | None:
        """Return the source time up to which all is on the log, us UTC."""
        return self._intake.durable.reached()

    async def run(self) -> None:
        """Collect until cancelled."""
        self._show(self.plan, self._items.states())
        self._losses.after_start(self._tail, self._interval_us)
        self._tail = ()
        pause = RETRY_FIRST_S
        try:
            while True:
                self._opened = self._heard_now = False
                away = False
                try:
                    await self._connected()
                except* Unavailable as group:
                    error = _first(group)
                    away = isinstance(error, ServerUnreachable)
                    self._lost(error)
                if away:
                    await asyncio.sleep(self._subscription.interval_s)
                    continue
                pause = RETRY_FIRST_S if self._heard_now else pause
                await asyncio.sleep(pause)
                pause = min(2 * pause, RETRY_LAST_S)
        finally:
            await self._session.close()

    async def _connected(self) -> None:
        """Connect and collect until something breaks."""
        await self._take_up()
        if self._said:
            _log.info("server %s: collecting again", self.plan.server.name)
            self._said = ""
        self._lost_at = None
        self._opened = True
        self._wake.set()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._session.keep_channel())
            group.create_task(self._tend())
            group.create_task(self._receive())

    async def _tend(self) -> None:
        """Have every item made, then keep them as they are wanted."""
        await self._subscription.reconcile()
        self._losses.made(utc_now())
        await self._subscription.tend(self._wake)

    async def _take_up(self) -> None:
        """Have a subscription: the former one where the server still keeps it."""
        resumed = await self._session.open()
        subscription = self._subscription
        same = self._memory.started == self._session.started
        self._memory.started = self._session.started
        if subscription.id and (resumed or same):
            try:
                if not resumed:
                    await subscription.transfer()
                await subscription.probe()
            except (SubscriptionLost, ServiceRefused):
                pass
            else:
                self._settle = True
                self._changed(self._items.resume(utc_now()))
                return
        elif self._memory.subscription and same and not subscription.id:
            await self._end_former(self._memory.subscription)
        await self._start_anew()

    async def _end_former(self, former: int) -> None:
        """Delete what a crashed collector left, so that the server need not queue."""
        self._subscription.id = former
        try:
            await self._subscription.transfer()
            await self._subscription.delete(former)
        except (SubscriptionLost, ServiceRefused):
            pass
        finally:
            self._subscription.id = 0

    async def _start_anew(self) -> None:
        states = self._items.begin_anew(utc_now())
        self._losses.lost(
            GapCause.SUBSCRIPTION_LOST,
            self._interval_us,
            "a new subscription",
            anew=True,
        )
        await self._subscription.create()
        self._memory.subscription = self._subscription.id
        self._name = secrets.token_hex(8)
        self._unsafe = set()
        self._expected = 1
        self._settle = False
        self._changed(states)

    async def _receive(self) -> None:
        async with Pump(self._session) as pump:
            while True:
                arrived = await pump.next(self._subscription.keep_alive_s)
                for each, publish in zip(arrived, self._decoded(arrived), strict=True):
                    await self._writer.room()
                    await self._take(publish, each.received, pump)

    async def _take(self, publish: Publish | None, received: int, pump: Pump) -> None:
        self.heard = received
        if publish is None:
            return
        if publish.subscription != self._subscription.id:
            await self._subscription.delete(publish.subscription)
            return
        self._heard_now = True
        if publish.status_change is not None:
            raise SubscriptionLost(
                f"{self._session.url}: the server ended the subscription with "
                f"0x{publish.status_change:08X}"
            )
        await self._fetch_missing(publish, pump)
        if self._settle:
            self._acknowledge_old(publish, pump)
        if not publish.keep_alive:
            self._expected = _after(publish.sequence)
            self._hand_over(publish, received, Origin.LIVE, pump)

    def _decoded(self, arrived: Sequence[Arrived]) -> Iterable[Publish | None]:
        """Return what each says; what is not understood, when its turn comes."""
        if len(arrived) > 1:
            bodies, received = zip(*arrived, strict=True)
            together = decode_together(bodies, self._items.tags, received)
            if together is not None:
                return together
        return map(self._decoded_alone, arrived)

    def _decoded_alone(self, arrived: Arrived) -> Publish | None:
        try:
            return decode_publish(arrived.body, self._items.tags, arrived.received)
        except PublishRefused as error:
            raise ServerUnreachable(f"{self._session.url}: {error}") from error
        except MalformedNotification as error:
            self._not_understood(arrived.body, str(error))
            return None

    def _not_understood(self, body: bytes, reason: str) -> None:
        """Keep the bytes, declare the loss; the server is not asked for it again."""
        _log.error("server %s: %s", self.plan.server.name, reason)
        headers = {
            "kind": Kind.DEAD_LETTER.value,
            "server": self.plan.server.name,
            "reason": reason,
            "bytes": str(len(body)),
        }
        self._dead_letter(headers, body[:_RAW_BYTES])
        self._losses.lost(GapCause.SEQUENCE_MISSING, self._interval_us, reason)
        self._expected = _after(self._expected)

    async def _fetch_missing(self, publish: Publish, pump: Pump) -> None:
        """Fetch what lies between the last notification and this one."""
        missing = (publish.sequence - self._expected) % _LAST_NUMBER
        if missing == 0 or missing > _LAST_NUMBER // 2:
            return
        number = self._expected
        for _ in range(min(missing, _MOST_MISSING)):
            again = await self._republished(number)
            if again is None:
                break
            self._expected = number = _after(number)
            self._hand_over(again, utc_now(), Origin.REPUBLISHED, pump)
        if self._expected != publish.sequence:
            lost = f"notifications {number} to {publish.sequence - 1} are lost"
            self._losses.lost(GapCause.SEQUENCE_MISSING, self._interval_us, lost)
            self._expected = publish.sequence

    async def _republished(self, number: int) -> Publish | None:
        """Return a notification once more; None when the server no longer has it."""
        received = utc_now()
        try:
            body = await self._subscription.republish(number)
            again = decode_republish(
                body, self._items.tags, received, self._subscription.id
            )
        except (ServiceRefused, PublishRefused):
            return None
        except MalformedNotification as error:
            self._not_understood(body, str(error))
            return None
        return None if again.keep_alive or again.sequence != number else again

    def _acknowledge_old(self, publish: Publish, pump: Pump) -> None:
        """After a resumption: the acknowledgements that went with the connection."""
        self._settle = False
        for number in publish.available:
            before = (self._expected - 1 - number) % _LAST_NUMBER < _LAST_NUMBER // 2
            if before and number not in self._unsafe:
                pump.acknowledge(self._subscription.id, number)

    def _hand_over(
        self, publish: Publish, received: int, origin: Origin, pump: Pump
    ) -> None:
        subscription = publish.subscription
        fetched = origin is Origin.REPUBLISHED
        if self._items.greets(publish.block.tag):
            origin = Origin.REPUBLISHED
        self._unsafe.add(publish.sequence)

        def safe() -> None:
            self._unsafe.discard(publish.sequence)
            pump.acknowledge(subscription, publish.sequence)

        source = Source(
            server=self.plan.server.name,
            session=self._name,
            configuration=self.plan.version,
            origin=origin,
            fetched=fetched,
        )
        self._intake.take(publish, source, received, safe)
        refused = {what.tag: what.what for what in publish.refused}
        self._subscription.judge_values(publish.block.tag, refused)

    def _lost(self, error: Unavailable) -> None:
        """Say it once, show it with the tags, declare the gap, and keep what helps."""
        now_s = asyncio.get_running_loop().time()
        self._lost_at = now_s if self._lost_at is None else self._lost_at
        mute = self._opened and not self._heard_now
        hopeless = mute or now_s - self._lost_at > SESSION_LIFETIME_S
        if isinstance(error, SessionLost) or hopeless:
            self._session.forget()
        else:
            self._session.drop()
        if isinstance(error, SubscriptionLost) or hopeless:
            self._subscription.id = 0
        text = str(error)
        if text != self._said:
            _log.warning("server %s: %s", self.plan.server.name, text)
            self._said = text
        gone = isinstance(error, SessionLost | SubscriptionLost)
        cause = GapCause.SUBSCRIPTION_LOST if gone else GapCause.SERVER_UNREACHABLE
        self._losses.lost(cause, self._interval_us, text)
        self._changed(self._items.suspend(text, utc_now()))

    def _changed(self, states: Sequence[SubscriptionState]) -> None:
        for state in states:
            if state.actual is Actual.REFUSED:
                handle = self._items.handle(state.tag)
                self._losses.refused(state.tag, handle, state.error)
        if states:
            self._show(self.plan, states)


def _after(number: int) -> int:
    return 1 if number == _LAST_NUMBER else number + 1


def _first(group: BaseExceptionGroup[Unavailable]) -> Unavailable:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if not isinstance(error, Unavailable):
        raise error
    return error
