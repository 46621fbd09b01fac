"""Times on the command line of `fedbatch replay`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.command.options import OptionInvalid
from deploy.command.replaying import Asked, NothingToReplay, moment, replayed

if TYPE_CHECKING:
    from pathlib import Path

NOON = 1_767_268_800_000_000


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-01-01T12:00Z", NOON),
        ("2026-01-01T13:00:00.5+01:00", NOON + 500_000),
        ("90m", NOON - 5_400_000_000),
        ("1d12h", NOON - 129_600_000_000),
    ],
)
def test_a_time_is_iso_with_its_zone_or_how_long_ago(text: str, found: int) -> None:
    assert moment(text, "--from", NOON) == found


@pytest.mark.parametrize("text", ["2026-01-01T12:00", "noon", "", "-5m"])
def test_what_is_no_time_is_refused_by_name(text: str) -> None:
    with pytest.raises(OptionInvalid, match="--from"):
        moment(text, "--from", NOON)


async def test_a_log_that_is_none_is_not_called_equal(tmp_path: Path) -> None:
    asked = Asked("1h", "1m", None, f"local:{tmp_path}/none", None, everything=False)
    with pytest.raises(NothingToReplay, match="no topic `plant`"):
        await replayed(asked, print)


async def test_the_end_is_after_the_beginning(tmp_path: Path) -> None:
    asked = Asked("1m", "1h", None, f"local:{tmp_path}/none", None, everything=False)
    with pytest.raises(OptionInvalid, match="--to 1h"):
        await replayed(asked, print)
