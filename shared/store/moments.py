"""Our integers of microseconds to the driver's datetimes and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(us: int) -> datetime:
    """Return the UTC instant `us` microseconds after 1970.

    Raises:
        OverflowError: outside the years 1 to 9999.
    """
    return _EPOCH + timedelta(microseconds=us)


def optional_moment(us: int | None) -> datetime | None:
    """Return `moment`, and None for None."""
    return None if us is None else moment(us)


def microseconds(instant: datetime) -> int:
    """Return microseconds since 1970 of an aware instant, exactly."""
    return (instant - _EPOCH) // timedelta(microseconds=1)
