"""What a plant must go on doing, whatever was done to it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.system.balance import Balance, balance
from tests.system.site import to_us, until

if TYPE_CHECKING:
    from tests.system.site import Site

TAG = "BR101/TIC-101.PV"
"""The tag that is watched."""
S = 1_000_000
DAY_US = 86_400 * S


def newest(site: Site) -> int:
    """Return the time of the newest stored reading of TAG, us UTC; 0 without."""
    answer = site.get("/recorded", tag=TAG, start="*-1m")
    times = answer.json()["time"] if answer.is_success else []
    return to_us(times[-1]) if times else 0


def behind(site: Site) -> float:
    """Return how long ago the newest stored reading was, s."""
    return time.time() - newest(site) / S


def flows(site: Site) -> None:
    """Hold: readings of after now are stored."""
    now = time.time_ns() // 1000
    until("readings go on being stored", lambda: newest(site) > now)


def balanced(site: Site) -> Balance:
    """Hold the loss equation of what was generated until now."""
    now = time.time_ns() // 1000
    generated = {
        tag: [entry for entry in rows if entry.time <= now]
        for tag, rows in site.generated().items()
    }

    def holds() -> Balance | None:
        stored, gaps = site.stored(now - DAY_US, now), site.gaps(now - DAY_US, now)
        found = balance(generated, stored, gaps, site.only_changes())
        print(found, *gaps, sep="\n  ")
        return found if found.balanced else None

    found: Balance = until("balanced", holds, timeout_s=30, every_s=1)
    return found
