"""Batches as followed through a vessel's context tags."""

from __future__ import annotations

from shared.domain import US_PER_S
from shared.store.batches import Context, Seen, follow
from shared.store.configuration import Role

BATCH, PRODUCT, CLIENT = Role.BATCH, Role.PRODUCT, Role.CLIENT


def at(seconds: int) -> int:
    """Return source time."""
    return seconds * US_PER_S


def test_a_new_batch_takes_the_product_set_before_it() -> None:
    _, seen = follow({}, [(at(0), "V", PRODUCT, "mAb"), (at(900), "V", BATCH, "B1")])
    assert seen == [Seen("V", "B1", "mAb", None, at(900))]


def test_at_one_instant_the_batch_comes_first() -> None:
    before = {"V": Context("B1", at(0), "old", "c")}
    readings = [(at(9000), "V", PRODUCT, "new"), (at(9000), "V", BATCH, "B2")]
    changed, seen = follow(before, readings)
    assert seen == [Seen("V", "B2", "new", "c", at(9000))]
    assert changed["V"] == Context("B2", at(9000), "new", "c")


def test_a_product_set_late_in_a_batch_is_for_the_next_one() -> None:
    before = {"V": Context("B1", at(0), "old", None)}
    changed, seen = follow(before, [(at(61), "V", PRODUCT, "next")])
    assert seen == []
    _, seen = follow(changed, [(at(100), "V", BATCH, "B2")])
    assert seen == [Seen("V", "B2", "next", None, at(100))]


def test_a_product_that_was_missing_is_added_whenever_it_comes() -> None:
    before = {"V": Context("B1", at(0), None, None)}
    _, seen = follow(before, [(at(5000), "V", PRODUCT, "mAb")])
    assert seen == [Seen("V", "B1", "mAb", None, at(0))]


def test_what_is_said_again_or_empty_changes_nothing() -> None:
    before = {"V": Context("B1", at(0), "mAb", None)}
    readings = [(at(5), "V", BATCH, "B1"), (at(6), "V", BATCH, "")]
    assert follow(before, readings) == ({}, [])


def test_vessels_do_not_mix() -> None:
    readings = [(at(0), "V", BATCH, "B1"), (at(0), "W", CLIENT, "acme")]
    changed, seen = follow({}, readings)
    assert seen == [Seen("V", "B1", None, None, at(0))]
    assert changed["W"] == Context(None, 0, None, "acme")
