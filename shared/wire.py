"""Blocks and small messages to bytes and back: the only room that knows the format.

A `readings` record is one Arrow IPC stream with one record batch. Everything else is
JSON with sorted keys. Headers travel beside the value and carry what a consumer
needs before it decodes: kind, origin, session, sequence range, configuration version
and wire version. Readers accept version N and N-1 and ignore columns they do not know.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from shared.domain import (
    Actual,
    Desired,
    FedbatchError,
    Gap,
    GapCause,
    Kind,
    Origin,
    SubscriptionState,
)
from shared.readings import COLUMNS, Block

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIRE_VERSION = 1
"""Version written; versions WIRE_VERSION and WIRE_VERSION - 1 are read."""

MAX_TEXT_BYTES = 8 * 1024
"""Longest `text` of a reading, in UTF-8 bytes."""

_SCHEMA = pa.schema(
    [
        pa.field("tag", pa.int32(), nullable=False),
        pa.field("time", pa.int64(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("status", pa.uint32(), nullable=False),
        pa.field("tie", pa.int32(), nullable=False),
        pa.field("received", pa.int64(), nullable=False),
        pa.field("server", pa.int32(), nullable=False),
        pa.field("text", pa.string()),
    ]
)


class NotUnderstood(FedbatchError):  # noqa: N818
    """Bytes that are not a message of this wire version."""


@dataclass(frozen=True, slots=True)
class ReadingsHeader:
    """What a `readings` record says of itself beside its columns."""

    origin: Origin
    server: str
    """Name of the OPC UA server in plant.yaml (or of the manual source)."""
    session: str
    """Source session: changes whenever a subscription starts anew."""
    sequence: tuple[int, int]
    """First and last notification sequence number of the session in this record."""
    configuration: int
    """Version of plant.yaml that named the tags."""


def encode_readings(
    block: Block, header: ReadingsHeader
) -> tuple[dict[str, str], bytes]:
    """Return headers and value of one `readings` record."""
    valid = ~np.isnan(block.value)
    arrays = [
        pa.array(block.value, mask=~valid)
        if name == "value"
        else pa.array(getattr(block, name))
        for name in COLUMNS
    ]
    text = pa.nulls(len(block), pa.string()) if block.text is None else block.text
    batch = pa.record_batch([*arrays, text], schema=_SCHEMA)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, _SCHEMA) as writer:
        writer.write_batch(batch)
    headers = {
        "kind": Kind.READINGS.value,
        "wire": str(WIRE_VERSION),
        "origin": header.origin.value,
        "server": header.server,
        "session": header.session,
        "sequence": f"{header.sequence[0]}-{header.sequence[1]}",
        "configuration": str(header.configuration),
        "rows": str(len(block)),
    }
    return headers, sink.getvalue().to_pybytes()


def decode_readings(
    headers: Mapping[str, str], value: bytes
) -> tuple[ReadingsHeader, Block]:
    """Return the header and the columns of a `readings` record.

    Raises:
        NotUnderstood: the version, a header, or the Arrow stream is not ours.
    """
    header = _readings_header(headers)
    try:
        with pa.ipc.open_stream(value) as reader:
            table = reader.read_all()
        columns = {name: _column(table, name) for name in COLUMNS}
        text = table.column("text").combine_chunks()
        if isinstance(text, pa.ChunkedArray):
            text = (
                pa.concat_arrays(text.chunks)
                if text.num_chunks
                else pa.array([], pa.string())
            )
        text = text.cast(pa.string())
        text.validate(full=True)
        _all_there(headers, table)
    except (pa.ArrowException, KeyError, OSError) as error:
        raise NotUnderstood(
            f"readings record of session {header.session!r}: expected an Arrow stream "
            f"with columns {', '.join(_SCHEMA.names)}: {error}"
        ) from error
    return header, Block(**columns, text=None if text.null_count == len(text) else text)


def _all_there(headers: Mapping[str, str], table: pa.Table) -> None:
    """Refuse a stream that was cut between two of its messages."""
    if headers.get("rows") != str(len(table)):
        raise pa.ArrowInvalid(
            f"{len(table)} rows where the header says {headers.get('rows')}"
        )


def _column(table: pa.Table, name: str) -> np.ndarray[Any, Any]:
    column = table.column(name)
    if name != "value" and column.null_count:
        raise pa.ArrowInvalid(f"column {name!r} holds nulls")
    values = column.to_numpy()
    return np.ascontiguousarray(values.astype(COLUMNS[name], copy=False))


def _readings_header(headers: Mapping[str, str]) -> ReadingsHeader:
    try:
        version = int(headers["wire"])
        first, _, last = headers["sequence"].partition("-")
        header = ReadingsHeader(
            origin=Origin(headers["origin"]),
            server=headers["server"],
            session=headers["session"],
            sequence=(int(first), int(last)),
            configuration=int(headers["configuration"]),
        )
    except (KeyError, ValueError) as error:
        raise NotUnderstood(
            f"headers of a readings record {dict(headers)}: {error!r}"
        ) from error
    if version not in {WIRE_VERSION, WIRE_VERSION - 1}:
        raise NotUnderstood(
            f"wire version {version}: expected {WIRE_VERSION} or {WIRE_VERSION - 1}"
        )
    return header


@dataclass(frozen=True, slots=True)
class Clock:
    """The collector's clock, appended to every partition each second."""

    now: int
    """UTC of the collector, us."""
    heard: Mapping[str, int]
    """Per server: when anything last came from it, us UTC."""


@dataclass(frozen=True, slots=True)
class Liveness:
    """A subscription is proven alive: its `change` values still hold."""

    server: str
    session: str
    alive_at: int
    """When its last notification or keep-alive came, us UTC."""
    tags: tuple[int, ...] | None = None
    """The tags it covers; None means every tag of the server."""


@dataclass(frozen=True, slots=True)
class LedgerCounts:
    """Readings counted at one hop for one vessel and minute of source time."""

    vessel: str
    minute: int
    """Start of the minute, us UTC."""
    hop: str
    """`seen`, `duplicate`, `spooled`, `lost`, `quarantined`, `stored`."""
    tags: tuple[int, ...]
    counts: tuple[int, ...]
    """One count per tag, added to what is already there."""


@dataclass(frozen=True, slots=True)
class ConfigurationRecord:
    """One applied plant.yaml."""

    version: int
    sha256: str
    text: str
    applied_at: int
    actor: str


def encode_clock(clock: Clock) -> tuple[dict[str, str], bytes]:
    """Return headers and value of a `clock` record."""
    return _json(Kind.CLOCK, {"now": clock.now, "heard": dict(clock.heard)})


def decode_clock(value: bytes) -> Clock:
    """Return the clock. Raises NotUnderstood."""
    body = _parse(Kind.CLOCK, value)
    with _expecting(Kind.CLOCK):
        return Clock(
            int(body["now"]), {str(k): int(v) for k, v in body["heard"].items()}
        )


def encode_liveness(liveness: Liveness) -> tuple[dict[str, str], bytes]:
    """Return headers and value of a `liveness` record."""
    return _json(Kind.LIVENESS, asdict(liveness))


def decode_liveness(value: bytes) -> Liveness:
    """Return the liveness. Raises NotUnderstood."""
    body = _parse(Kind.LIVENESS, value)
    with _expecting(Kind.LIVENESS):
        tags = None if body["tags"] is None else tuple(int(tag) for tag in body["tags"])
        return Liveness(
            str(body["server"]), str(body["session"]), int(body["alive_at"]), tags
        )


def encode_gap(gap: Gap) -> tuple[dict[str, str], bytes]:
    """Return headers and value of a `gap` record."""
    return _json(Kind.GAP, asdict(gap))


def decode_gap(value: bytes) -> Gap:
    """Return the gap. Raises NotUnderstood."""
    body = _parse(Kind.GAP, value)
    with _expecting(Kind.GAP):
        return Gap(
            server=str(body["server"]),
            cause=GapCause(body["cause"]),
            start=int(body["start"]),
            end=None if body["end"] is None else int(body["end"]),
            tags=None if body["tags"] is None else tuple(int(t) for t in body["tags"]),
            count=None if body["count"] is None else int(body["count"]),
            detail=str(body["detail"]),
        )


def encode_subscriptions(
    server: str, states: Sequence[SubscriptionState]
) -> tuple[dict[str, str], bytes]:
    """Return headers and value of a `subscriptions` record: only what changed."""
    return _json(
        Kind.SUBSCRIPTIONS,
        {"server": server, "states": [asdict(state) for state in states]},
    )


def decode_subscriptions(value: bytes) -> tuple[str, tuple[SubscriptionState, ...]]:
    """Return the server and its changed states. Raises NotUnderstood."""
    body = _parse(Kind.SUBSCRIPTIONS, value)
    with _expecting(Kind.SUBSCRIPTIONS):
        return str(body["server"]), tuple(
            SubscriptionState(
                tag=int(state["tag"]),
                desired=Desired(state["desired"]),
                actual=Actual(state["actual"]),
                since=int(state["since"]),
                error=str(state["error"]),
            )
            for state in body["states"]
        )


def encode_ledger(counts: Sequence[LedgerCounts]) -> tuple[dict[str, str], bytes]:
    """Return headers and value of a `ledger` record."""
    body = [
        {
            "vessel": count.vessel,
            "minute": count.minute,
            "hop": count.hop,
            "tags": count.tags,
            "counts": count.counts,
        }
        for count in counts
    ]
    return _json(Kind.LEDGER, {"counts": body})


def decode_ledger(value: bytes) -> tuple[LedgerCounts, ...]:
    """Return the counts. Raises NotUnderstood."""
    body = _parse(Kind.LEDGER, value)
    with _expecting(Kind.LEDGER):
        return tuple(
            LedgerCounts(
                vessel=str(entry["vessel"]),
                minute=int(entry["minute"]),
                hop=str(entry["hop"]),
                tags=tuple(int(tag) for tag in entry["tags"]),
                counts=tuple(int(count) for count in entry["counts"]),
            )
            for entry in body["counts"]
        )


def encode_configuration(record: ConfigurationRecord) -> tuple[dict[str, str], bytes]:
    """Return headers and value of a `configuration` record."""
    return _json(Kind.CONFIGURATION, asdict(record))


def decode_configuration(value: bytes) -> ConfigurationRecord:
    """Return the applied configuration. Raises NotUnderstood."""
    body = _parse(Kind.CONFIGURATION, value)
    with _expecting(Kind.CONFIGURATION):
        return ConfigurationRecord(
            version=int(body["version"]),
            sha256=str(body["sha256"]),
            text=str(body["text"]),
            applied_at=int(body["applied_at"]),
            actor=str(body["actor"]),
        )


def _json(kind: Kind, body: Mapping[str, Any]) -> tuple[dict[str, str], bytes]:
    value = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    return {"kind": kind.value, "wire": str(WIRE_VERSION)}, value


def _parse(kind: Kind, value: bytes) -> dict[str, Any]:
    try:
        body = json.loads(value)
    except ValueError as error:
        raise NotUnderstood(f"{kind} record: expected JSON: {error}") from error
    if not isinstance(body, dict):
        raise NotUnderstood(
            f"{kind} record: expected a JSON object, found {body!r:.80}"
        )
    return body


class _expecting:  # noqa: N801  reads as a clause: with _expecting(kind)
    """Turn a missing or mistyped field into NotUnderstood."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: object, error: BaseException | None, _tb: object) -> None:
        if isinstance(error, KeyError | ValueError | TypeError | AttributeError):
            raise NotUnderstood(f"{self._kind} record: field {error}") from error
