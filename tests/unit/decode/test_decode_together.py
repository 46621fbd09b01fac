"""A burst of notifications says the same decoded together as one by one."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.opcua.decode import (
    MalformedNotification,
    Publish,
    PublishRefused,
    decode_publish,
    decode_together,
)
from shared.readings import COLUMNS
from tests.unit.decode.encoder import (
    NOW,
    RECEIVED,
    Sent,
    data_change,
    double,
    extension,
    items,
    number,
    response,
    string,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

TAGS = np.arange(100, 164, dtype=np.int32)


def same(found: Publish, wanted: Publish) -> bool:
    """Whether two say the same, column by column and bit by bit."""
    for field in dataclasses.fields(Publish):
        one, other = getattr(found, field.name), getattr(wanted, field.name)
        if field.name == "block":
            parts = [(getattr(one, c), getattr(other, c)) for c in COLUMNS]
            if any(a.tobytes() != b.tobytes() for a, b in parts):
                return False
            texts = [
                None if b.text is None else b.text.to_pylist() for b in (one, other)
            ]
            if texts[0] != texts[1]:
                return False
        elif field.name == "overflow":
            if one.tolist() != other.tolist():
                return False
        elif one != other:
            return False
    return True


def alone(bodies: Sequence[bytes], received: Sequence[int]) -> list[Publish]:
    """Return what one by one gives."""
    each = zip(bodies, received, strict=True)
    return [decode_publish(body, TAGS, at) for body, at in each]


def burst(*parts: list[Sent], handles: list[int] | None = None) -> list[bytes]:
    """Return a response for each list of items."""
    return [response([data_change(items(part, handles))]) for part in parts]


def uniform(count: int, first: float = 0.0, **how: Any) -> list[Sent]:
    """Return items of one layout with values of their own."""
    return [Sent(double(first + n), **how) for n in range(count)]


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"status": 0x0480},
        {"status": 0x8034_0000},
        {"server": None},
        {"source": None},
        {"source_pico": 7, "server_pico": 9},
    ],
)
def test_a_burst_of_one_layout_is_decoded_in_one_go(how: dict[str, Any]) -> None:
    bodies = burst(uniform(20, **how), uniform(3, 50.0, **how), uniform(1, 9.0, **how))
    received = [RECEIVED, RECEIVED + 5, RECEIVED + 9]
    found = decode_together(bodies, TAGS, received)
    assert found is not None
    pairs = zip(found, alone(bodies, received), strict=True)
    assert all(same(one, other) for one, other in pairs)


def test_values_beyond_a_number_keep_their_text_in_their_own_notification() -> None:
    bodies = burst([Sent(double(1.0))], [Sent(double(float("inf"))), Sent(double(2.0))])
    received = [RECEIVED, RECEIVED]
    found = decode_together(bodies, TAGS, received)
    assert found is not None
    assert found[0].block.text is None
    pairs = zip(found, alone(bodies, received), strict=True)
    assert all(same(one, other) for one, other in pairs)


UNUSUAL = {
    "another layout": burst(uniform(2), [Sent(number(6, "i", 3))]),
    "a text": burst(uniform(2), [Sent(string(b"recipe"))]),
    "no timestamp": burst(uniform(2), uniform(2, source=None, server=None)),
    "the null time": burst(uniform(2, source=0, server=0)),
    "an unknown handle": burst(uniform(2), handles=[5, 64]),
    "a keep-alive": [*burst(uniform(2)), response([])],
    "no items": [*burst(uniform(2)), response([data_change(items([]))])],
    "two in one": [response([data_change(items(uniform(2)))] * 2)],
    "an event": [response([extension(916, b"event")])],
    "a status change": [response([extension(820, bytes(5))])],
    "nothing like it": [b"\x01\x00\x3d\x03"],
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_anything_unusual_is_left_to_one_by_one(name: str) -> None:
    bodies = UNUSUAL[name]
    assert decode_together(bodies, TAGS, [RECEIVED] * len(bodies)) is None


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_comes_together_is_the_same_or_left_alone(data: st.DataObject) -> None:
    layouts = [
        lambda n: Sent(double(n)),
        lambda n: Sent(number(6, "i", n), status=0x0480),
        lambda n: Sent(number(10, "f", n), source=NOW + 10 * n),
        lambda n: Sent(None, status=0x8034_0000),
    ]
    one = data.draw(st.sampled_from(layouts))
    bodies = []
    for _ in range(data.draw(st.integers(1, 4))):
        count = data.draw(st.integers(1, 6))
        other = data.draw(st.sampled_from([one, one, one, *layouts]))
        bodies += burst([(other if n == count - 1 else one)(n) for n in range(count)])
    if data.draw(st.booleans()):
        which = data.draw(st.integers(0, len(bodies) - 1))
        broken = bytearray(bodies[which])
        at = data.draw(st.integers(0, len(broken) - 1))
        broken[at] = data.draw(st.integers(0, 255))
        bodies[which] = bytes(broken)
    received = [RECEIVED + n for n in range(len(bodies))]
    found = decode_together(bodies, TAGS, received)
    try:
        wanted = alone(bodies, received)
    except (MalformedNotification, PublishRefused):
        assert found is None
        return
    if found is not None:
        assert all(same(a, b) for a, b in zip(found, wanted, strict=True))
