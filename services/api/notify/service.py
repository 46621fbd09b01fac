"""The process: one sender for each target, for as long as we are the one that sends."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING

from services.api.notify.mail import Mailbox
from services.api.notify.sending import Patience, Sender
from services.api.notify.webhook import Webhook
from services.api.notify.words import Place
from shared.domain import FedbatchError, Unavailable
from shared.store.migrations import wait_for_schema
from shared.store.outbox import open_outbox

if TYPE_CHECKING:
    from datetime import timedelta

    from services.api.notify.settings import NotifierSettings
    from services.api.notify.target import Target
    from shared.store.outbox import Outbox

_log = logging.getLogger(__name__)

_EXPIRE_EVERY_S = 60.0
_PAUSES_S = (1.0, 30.0)
"""First and longest pause while the database is away."""


class NobodyToTell(FedbatchError):  # noqa: N818
    """No target is configured."""


def targets(settings: NotifierSettings) -> list[Target]:
    """Return who is told: every webhook, and every address of every mail server."""
    place = Place(settings.public_url, settings.tz)
    webhooks: list[Target] = [
        Webhook(name, each, place) for name, each in settings.webhooks.items()
    ]
    addresses = {
        address: each for each in settings.mails.values() for address in each.recipients
    }
    return [*webhooks, *(Mailbox(to, each, place) for to, each in addresses.items())]


async def notify(settings: NotifierSettings) -> None:
    """Push for ever.

    Bounded by: one push under way for each target. When full: n/a. Order: see Sender.
    Duplicates: see Sender. Retries: while the database is away, every 1 to 30 s for
    ever. On cancel: what was not noted as delivered is sent again by the next one.

    Raises:
        NobodyToTell: no target is configured.
        FedbatchError: what `wait_for_schema` and `open_connection` cannot wait for.
    """
    told = targets(settings)
    if not told:
        raise NobodyToTell(
            "expected FEDBATCH_NOTIFIER_WEBHOOKS__<NAME>__URL or "
            "FEDBATCH_NOTIFIER_MAILS__<NAME>__HOST to be set"
        )
    pause, away = _PAUSES_S[0], False
    while True:
        await wait_for_schema(settings.database)
        try:
            async with open_outbox(settings.database) as outbox:
                pause, away = _PAUSES_S[0], False
                await _send(outbox, told, settings)
        except* Unavailable as group:
            if not away:
                _log.error("waiting: %s", group.exceptions[0])
                away = True
        await asyncio.sleep(pause)
        pause = min(2 * pause, _PAUSES_S[1])


async def _send(outbox: Outbox, told: list[Target], settings: NotifierSettings) -> None:
    patience = Patience(settings.look, settings.longest_pause)
    withdrawn = await outbox.register([target.name for target in told])
    if withdrawn:
        _log.warning("%d pushes withdrawn: their targets are no more", withdrawn)
    await _end_old(outbox, settings.give_up_after)
    async with asyncio.TaskGroup() as tasks:
        for target in told:
            sender = Sender(outbox, target, patience)
            tasks.create_task(sender.send_for_ever(), name=target.name)
        tasks.create_task(_expire(outbox, settings.give_up_after), name="expire")


async def _expire(outbox: Outbox, age: timedelta) -> None:
    while True:
        await asyncio.sleep(_EXPIRE_EVERY_S)
        await _end_old(outbox, age)


async def _end_old(outbox: Outbox, age: timedelta) -> None:
    """End what has waited too long, and say so."""
    for target, count in Counter(await outbox.expire(age)).items():
        _log.error("%s: %d pushes expired after %s", target, count, age)
