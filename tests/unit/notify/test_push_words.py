"""What people and receivers are told, and which settings are refused."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from services.api.notify.mail import message
from services.api.notify.settings import MailSettings, WebhookSettings
from services.api.notify.webhook import signature
from services.api.notify.words import Place, body, subject, text
from shared.events import AlarmState, AlarmTransition, Cause
from tests.neighbours.said import raised, went_on

T0 = 1_790_000_000_000_000
S = 1_000_000
PLACE = Place("https://fedbatch.site.test", UTC)
HOOK = {"url": "https://h/x", "secret": base64.b64encode(bytes(32)).decode()}
MAIL = {"host": "h", "sender": "a@b.test", "to": "c@d.test"}


def real(**more: Any) -> AlarmTransition:
    return replace(raised(T0, priority=1), simulated=False, **more)


def test_the_first_lines_say_how_urgent_where_and_the_value_against_its_limit() -> None:
    assert text(real(), PLACE, T0).splitlines()[:2] == [
        "URGENT ALARM, priority 1",
        "BR101/TIC-101.PV 37.8, expected at most 37.5 Cel",
    ]


def test_a_simulated_alarm_says_so_wherever_it_is_told_and_a_real_one_does_not() -> (
    None
):
    simulated = raised(T0)
    assert subject(simulated).startswith("SIMULATED ")
    assert "SIMULATED PLANT" in text(simulated, PLACE, T0)
    assert json.loads(body(simulated, "i", PLACE))["simulated"] is True
    assert "SIMULATED" not in subject(real()) + text(real(), PLACE, T0)


def test_a_learning_model_is_named_as_advisory() -> None:
    said = real()
    learned = replace(said, explanation=replace(said.explanation, advisory=True))
    assert "ADVISORY" in text(learned, PLACE, T0)
    assert "ADVISORY" not in text(said, PLACE, T0)


def test_a_push_that_was_kept_for_long_says_so() -> None:
    said = real()
    assert "TOLD LATE" not in text(said, PLACE, said.known + 200 * S)
    late = text(said, PLACE, said.known + 3725 * S)
    assert "known for 1 h 2 min" in late


def test_a_return_says_how_long_it_lasted_and_wakes_nobody_with_advice() -> None:
    back = went_on(real(), Cause.RETURNED, AlarmState.RETURNED, seconds=754)
    said = text(back, PLACE, back.known)
    assert subject(back) == "P1 returned: BR101/TIC-101.PV, at most 37.5 Cel"
    assert "after 13 min 34 s" in said
    assert "Look at first" not in said


def test_an_alarm_whose_check_is_no_more_says_by_whose_hand() -> None:
    comment = "no such check in version 7 of plant.yaml"
    ended = replace(
        went_on(real(), Cause.WITHDRAWN, AlarmState.NORMAL, seconds=754, actor="anna"),
        comment=comment,
    )
    said = text(ended, PLACE, ended.known)
    assert subject(ended) == f"P1 withdrawn: BR101/TIC-101.PV, {comment}"
    assert said.startswith("WITHDRAWN: an alarm of priority 1\n")
    assert "Withdrawn" in said
    assert "Look at first" not in said


def test_times_are_told_in_the_zone_of_those_who_read() -> None:
    berlin = Place(PLACE.url, ZoneInfo("Europe/Berlin"))
    assert "Mon 21 Sep 2026 16:13:20 CEST" in text(real(), berlin, T0)
    assert "Mon 21 Sep 2026 14:13:20 UTC" in text(real(), PLACE, T0)


def test_a_vessel_of_which_nothing_else_moved_and_no_data_came_is_told_of() -> None:
    said = real()
    bare = replace(said.explanation, value=None, moved=())
    told = text(replace(said, explanation=bare), PLACE, T0)
    assert "BR101/TIC-101.PV no data, expected" in told
    assert "No other tag of the vessel moved." in told


def test_lines_are_short_enough_for_every_mail_program() -> None:
    said = real()
    long = replace(said.explanation, advice="Look at the jacket. " * 20)
    lines = text(replace(said, explanation=long), PLACE, T0).splitlines()
    assert max(len(line) for line in lines if "://" not in line) <= 72


def test_a_subject_is_one_line_whatever_a_setting_holds() -> None:
    said = real()
    broken = replace(said.explanation, expected="at most\r\nBcc: x@y.test")
    mail = message(replace(said, explanation=broken), "i", PLACE, T0)
    assert mail["Bcc"] is None
    assert "Bcc: x@y.test" in mail["Subject"]


def test_the_signature_is_that_of_the_published_example() -> None:
    """The example of the Standard Webhooks reference libraries."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    content = b'{"test": 2432232314}'
    found = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, content)
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"url": "http://other.test/x"}, "expected https"),
        ({"secret": "short"}, "24 to 64 bytes"),
        ({"secret": base64.b64encode(bytes(20)).decode()}, "24 to 64 bytes"),
    ],
)
def test_an_unsafe_webhook_is_refused(more: dict[str, str], expected: str) -> None:
    assert WebhookSettings.model_validate(HOOK)
    assert WebhookSettings.model_validate(HOOK | {"url": "http://127.0.0.1:1/"})
    with pytest.raises(ValidationError, match=expected):
        WebhookSettings.model_validate(HOOK | more)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"to": "c@d.test, nobody"}, "'nobody': expected an address"),
        ({"user": "me"}, "expected both or none"),
        ({"user": "me", "password": "x", "security": "none"}, "expected no user"),
    ],
)
def test_an_unsafe_mail_server_is_refused(more: dict[str, str], expected: str) -> None:
    assert MailSettings.model_validate(MAIL).security == "starttls"
    with pytest.raises(ValidationError, match=expected):
        MailSettings.model_validate(MAIL | more)
