"""(a) generated = stored + inside a declared gap, through the HTTP API."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.system.balance import Balance, balance
from tests.system.site import Site, status_of, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.site import Variant

DAY_US = 86_400_000_000
HISTORY = {"HISTORY": "PT2H", "CATCHUP_STEP": "PT10S", "VESSELS": "3"}


def settled(site: Site) -> Balance:
    """Return the balance once nothing more arrives of what was generated."""
    now = time.time_ns() // 1000
    start, end = now - 2 * DAY_US, now + DAY_US
    generated = site.generated()

    def balanced() -> Balance | None:
        found = balance(
            generated,
            site.stored(start, end),
            site.gaps(start, end),
            site.only_changes(),
        )
        print(found)
        return found if found.balanced else None

    last = until("balanced", balanced, timeout_s=30, every_s=2)
    assert isinstance(last, Balance)
    return last


def test_every_generated_reading_is_stored_once_bit_for_bit(
    tmp_path: Path, variant: Variant
) -> None:
    with Site(tmp_path / "site", variant, simulator=HISTORY) as site:
        site.begin()
        until(
            "the plant is live",
            lambda: status_of(site.folder / "simulator").get("state") == "live",
        )
        time.sleep(5)
        site.stop("simulator")
        found = settled(site)
    assert found.generated > 3 * 20 * 720
    assert found.declared == 0
