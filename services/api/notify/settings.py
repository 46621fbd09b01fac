"""Settings of the process that pushes alarms."""

from __future__ import annotations

import base64
import binascii
import zoneinfo
from datetime import UTC, timedelta, tzinfo
from email.utils import parseaddr
from pathlib import Path
from typing import ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from shared.settings import DatabaseSettings, Section, ServiceSettings

_SECRET_BYTES = range(24, 65)
"""Length of a webhook's secret, as Standard Webhooks wants it."""
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class WebhookSettings(Section):
    """One HTTP receiver, signed to as standardwebhooks.com says."""

    url: str = Field(pattern=r"^https?://[^\s/]+\S*$")
    """HTTPS, or HTTP on this machine."""
    secret: SecretStr
    """`whsec_` and 24 to 64 bytes in base64; `openssl rand -base64 32` makes some."""
    ca_file: Path | None = None
    """Certificates to trust; default: the system's."""
    timeout: timedelta = timedelta(seconds=10)
    """Longest that one try may take."""

    @property
    def key(self) -> bytes:
        """The secret's bytes."""
        return base64.b64decode(
            self.secret.get_secret_value().removeprefix("whsec_"), validate=True
        )

    @model_validator(mode="after")
    def _safe(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ValueError(
                f"url http://{parts.hostname}: expected https, because alarms say what "
                "is made and how it goes"
            )
        try:
            length = len(self.key)
        except binascii.Error:
            length = 0
        if length not in _SECRET_BYTES:
            raise ValueError(
                "secret: expected whsec_ and 24 to 64 bytes in base64, for example of "
                "`openssl rand -base64 32`"
            )
        return self


class MailSettings(Section):
    """A mail server and who is written to over it."""

    host: str
    port: int = Field(default=587, ge=1, le=65_535)
    """587 with `starttls`, 465 with `tls`."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """`none` sends in clear text and never logs in: for a relay on this machine."""
    user: str | None = None
    password: SecretStr | None = None
    ca_file: Path | None = None
    """Certificates to trust; default: the system's."""
    sender: str
    """Address that the mails come from."""
    to: str
    """Addresses with commas between them; each one is a target of its own."""
    timeout: timedelta = timedelta(seconds=30)
    """Longest that one try may take."""

    @property
    def recipients(self) -> tuple[str, ...]:
        """The addresses."""
        return tuple(part.strip() for part in self.to.split(",") if part.strip())

    @field_validator("sender", "to")
    @classmethod
    def _addresses(cls, text: str) -> str:
        parts = [part.strip() for part in text.split(",")]
        wrong = [p for p in parts if parseaddr(p)[1] != p or "@" not in p[1:-1]]
        if wrong:
            raise ValueError(f"{wrong[0]!r}: expected an address such as me@site.org")
        return text

    @model_validator(mode="after")
    def _no_password_in_clear_text(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password: expected both or none")
        if self.security == "none" and self.user is not None:
            raise ValueError("security none: expected no user, or starttls or tls")
        return self


class NotifierSettings(ServiceSettings):
    """Who is told of alarms, and how."""

    model_config = SettingsConfigDict(env_prefix="FEDBATCH_NOTIFIER_")
    service: ClassVar[str] = "notifier"

    database: DatabaseSettings
    webhooks: dict[str, WebhookSettings] = Field(default_factory=dict)
    """By name: `FEDBATCH_NOTIFIER_WEBHOOKS__ONCALL__URL=https://...`."""
    mails: dict[str, MailSettings] = Field(default_factory=dict)
    """By name: `FEDBATCH_NOTIFIER_MAILS__SHIFT__HOST=mail.site.org`."""
    public_url: str = Field(
        default="http://127.0.0.1:8080", pattern=r"^https?://\S+[^/\s]$"
    )
    """Where those who are told reach the API; links begin with it."""
    zone: str = "UTC"
    """IANA name of the zone that times are told in, for example Europe/Berlin."""
    give_up_after: timedelta = timedelta(days=7)
    """A push that could not be delivered for so long expires."""
    look: timedelta = Field(default=timedelta(seconds=0.5), gt=timedelta(0))
    """Pause between looks for new pushes."""
    longest_pause: timedelta = timedelta(minutes=1)
    """Between tries of a target that is away; the first is 1 s."""

    @property
    def tz(self) -> tzinfo:
        """The zone."""
        return UTC if self.zone == "UTC" else zoneinfo.ZoneInfo(self.zone)

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            if name != "UTC":
                zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(
                f"{name!r}: expected UTC or an IANA name such as Europe/Berlin"
            ) from error
        return name
