"""How a recorded file is laid out: a small YAML file, or settings. Pure.

```yaml
time: {column: PDatTime, pattern: "%d.%m.%Y %H:%M:%S", zone: Europe/Berlin}
delimiter: ";"
decimal: ","
encoding: latin-1
skip_below_header: 2
tags:
  R1.TIC-101.PV: {column: TEMP, unit: Cel, low: 0, high: 60}
  R1.AIC-101.PV: {column: pH, status: pH_quality}
statuses: {ok: Good, failed: BadSensorFailure}
```

A long file (one value a row) says which of its columns are what, and `tags` then names
its series: `long: {tag: name, value: value, status: quality}`.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from simulators import units
from simulators.faults.acts import STATUSCODES
from simulators.faults.located import FileInvalid, Part, parse
from simulators.units import Unit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_KNOWN = {one.ucum: one for one in vars(units).values() if isinstance(one, Unit)}
_WORDS = {"Good": 0, "Uncertain": 0x40000000, "Bad": 0x80000000, **STATUSCODES}
_MOST = 2**32


class Time(Part):
    """The column of times."""

    column: str = "time"
    unit: Literal["date", "s", "min", "h"] = "date"
    """`date`: ISO 8601 or `pattern`; else a count since the start of the run."""
    zone: str = ""
    """IANA zone of dates that name none; empty: such dates are refused."""
    pattern: str = ""
    """Of dates, as strptime has it; empty: ISO 8601."""


class Place(Part):
    """Where a tag's values are, and what they are."""

    column: str
    """Of a wide file; of a long one the name of the series."""
    status: str = ""
    """Column of its statuses, in a wide file."""
    unit: str = ""
    """UCUM code."""
    low: float | None = None
    high: float | None = None
    """Its range (EURange); both or none."""


class Long(Part):
    """Columns of a file with one value a row."""

    tag: str
    value: str
    status: str = ""


class Mapping(Part):
    """The whole layout."""

    time: Time = Time()
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """Of a CSV file, as the next four."""
    decimal: Annotated[str, Field(min_length=1, max_length=1)] = "."
    encoding: str = "utf-8"
    skip_above_header: Annotated[int, Field(ge=0)] = 0
    """Lines."""
    skip_below_header: Annotated[int, Field(ge=0)] = 0
    long: Long | None = None
    """None: wide, one row an instant and one column a tag."""
    tags: MappingOf[str, str | Place] = {}
    """Node identifier to its place; empty: every column or series, by its own name."""
    statuses: MappingOf[str, str | int] = {}
    """Words or numbers in the file to StatusCodes, by name or number."""

    def places(self) -> dict[str, Place]:
        """Return each tag's place."""
        return {
            node: Place(column=place) if isinstance(place, str) else place
            for node, place in self.tags.items()
        }

    def status(self, word: str) -> int | None:
        """Return the StatusCode of a word of the file; None: nobody knows it."""
        if word in self.statuses:
            code = self.statuses[word]
            return code if isinstance(code, int) else _WORDS[code]
        if word in _WORDS:
            return _WORDS[word]
        return int(word) if word.isdigit() and int(word) < _MOST else None


def unit_of(place: Place) -> Unit | None:
    """Return a tag's unit, with its UNECE code where we know it."""
    if not place.unit:
        return None
    return _KNOWN.get(place.unit) or Unit(place.unit, place.unit)


def read_mapping(path: Path) -> Mapping:
    """Return the layout in a YAML file.

    Raises:
        FileInvalid: there is no such file, or what is wrong, with its line.
    """
    if not path.is_file():
        raise FileInvalid([f"{path}: no such file; expected a mapping"])
    return parse(path.read_text("utf-8"), path.name, Mapping, _misfits)


def _misfits(found: Mapping) -> Iterator[tuple[tuple[int | str, ...], str]]:
    for word, code in found.statuses.items():
        if isinstance(code, str) and code not in _WORDS:
            known = ", ".join(_WORDS)
            yield ("statuses", word), f"{code}: expected a number or one of {known}"
        if isinstance(code, int) and not 0 <= code < _MOST:
            yield ("statuses", word), f"{code}: expected 0 to 4294967295"
    for node, place in found.places().items():
        if not _is_span(place.low, place.high):
            yield ("tags", node), "low and high: expected both, low below high, or none"
        if found.long is not None and place.status:
            yield ("tags", node, "status"), "expected long.status in a long file"


def _is_span(low: float | None, high: float | None) -> bool:
    if low is None or high is None:
        return low is high
    return low < high
