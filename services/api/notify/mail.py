"""Pushes to one mail address over SMTP."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING

from services.api.notify.target import PushRefused, TargetAway
from services.api.notify.words import instant, subject, text

if TYPE_CHECKING:
    from services.api.notify.settings import MailSettings
    from services.api.notify.words import Place
    from shared.events import AlarmTransition

_STEP_S = 10.0
"""Longest that one step of the dialogue may take."""
_IMPORTANCE = {1: ("high", "1"), 2: ("high", "2")}
_MESSAGE_DOMAIN = "fedbatch.invalid"
"""Right-hand side of Message-IDs: a domain that nobody has (RFC 2606)."""


def message(
    said: AlarmTransition, push_id: str, place: Place, now: int
) -> EmailMessage:
    """Return the mail without its addresses.

    The same transition always has the same Message-ID, and all of one alarm refer to
    the same one, so that mail programs show them as one conversation.
    """
    mail = EmailMessage()
    mail["Subject"] = " ".join(subject(said).split())
    mail["Date"] = format_datetime(instant(now))
    mail["Message-ID"] = f"<{push_id}@{_MESSAGE_DOMAIN}>"
    mail["References"] = f"<alarm.{said.alarm}@{_MESSAGE_DOMAIN}>"
    mail["X-Fedbatch-Push"] = push_id
    mail["Auto-Submitted"] = "auto-generated"
    importance, priority = _IMPORTANCE.get(said.priority, ("normal", "3"))
    mail["Importance"], mail["X-Priority"] = importance, priority
    mail.set_content(text(said, place, now))
    return mail


class Mailbox:
    """One address. The dialogue runs in a thread of its own.

    Bounded by: one thread and one connection. When full: a try waits for the one
    before, and ends with it or after `timeout`. Order: n/a. Duplicates: a mail whose
    last answer was lost is sent again with the same Message-ID. On cancel: the
    dialogue under way ends by itself within 10 s a step.
    """

    def __init__(self, address: str, settings: MailSettings, place: Place) -> None:
        self.name = f"mail {address}"
        self._address = address
        self._settings = settings
        self._place = place
        self._trust = ssl.create_default_context(cafile=settings.ca_file)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=self.name)

    async def send(self, said: AlarmTransition, push_id: str, now: int) -> None:
        """See Target; the server has taken it when it answered the data with 250."""
        mail = message(said, push_id, self._place, now)
        mail["From"], mail["To"] = self._settings.sender, self._address
        loop = asyncio.get_running_loop()
        limit_s = self._settings.timeout.total_seconds()
        try:
            async with asyncio.timeout(limit_s):
                await loop.run_in_executor(self._thread, self._deliver, mail)
        except TimeoutError as error:
            said_s = f"no answer within {limit_s:g} s"
            raise TargetAway(f"{self.name}: {said_s}") from error

    def _deliver(self, mail: EmailMessage) -> None:
        """Hold the dialogue with the server."""
        place = f"{self.name} over {self._settings.host}:{self._settings.port}"
        try:
            with self._connected() as server:
                server.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            code, reason = error.recipients[self._address]
            raise _situation(place, code, reason) from error
        except (smtplib.SMTPSenderRefused, smtplib.SMTPAuthenticationError) as error:
            said = _said(error.smtp_code, error.smtp_error)
            raise TargetAway(f"{place}: {said}") from error
        except smtplib.SMTPDataError as error:
            raise _situation(place, error.smtp_code, error.smtp_error) from error
        except (smtplib.SMTPException, OSError) as error:
            raise TargetAway(f"{place}: {error or type(error).__name__}") from error

    def _connected(self) -> smtplib.SMTP:
        """Return a connection that is as safe as it has to be, and logged in."""
        settings = self._settings
        if settings.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.host, settings.port, timeout=_STEP_S, context=self._trust
            )
        else:
            server = smtplib.SMTP(settings.host, settings.port, timeout=_STEP_S)
        try:
            if settings.security == "starttls":
                server.starttls(context=self._trust)
            if settings.user is not None and settings.password is not None:
                server.login(settings.user, settings.password.get_secret_value())
        except BaseException:
            server.close()
            raise
        return server


def _situation(place: str, code: int, reason: bytes | str) -> TargetAway | PushRefused:
    """Return what an answer means: 4xx may pass, 5xx concerns this mail."""
    said = f"{place}: {_said(code, reason)}"
    return PushRefused(said) if code >= 500 else TargetAway(said)


def _said(code: int, reason: bytes | str) -> str:
    words = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else reason
    return f"SMTP {code} {words}"
