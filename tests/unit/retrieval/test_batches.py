from __future__ import annotations

from shared.batches import Batch, Context, Phase, Said, batches


def said(*rows: tuple[int, str]) -> list[Said]:
    return [Said(time, text) for time, text in rows]


def test_a_batch_runs_until_another_or_none_is_named() -> None:
    ids = said((10, "A"), (20, "A"), (50, ""), (60, "B"), (90, "C"))
    found = batches("BR101", Context(batch=ids))
    assert [(b.batch, b.start, b.end) for b in found] == [
        ("A", 10, 50),
        ("B", 60, 90),
        ("C", 90, None),
    ]


def test_phases_are_cut_to_their_batch() -> None:
    context = Context(
        batch=said((10, "A"), (50, "B")),
        phase=said((5, "grow"), (30, "feed"), (40, ""), (45, "harvest"), (60, "grow")),
        product=said((0, "mab-1"), (50, "mab-2")),
        client=said((0, ""), (12, "Acme")),
    )
    assert batches("V", context) == [
        Batch(
            "V",
            "A",
            "mab-1",
            "Acme",
            10,
            50,
            (
                Phase("grow", 10, 30),
                Phase("feed", 30, 40),
                Phase("harvest", 45, 50),
            ),
        ),
        Batch(
            "V",
            "B",
            "mab-2",
            "Acme",
            50,
            None,
            (Phase("harvest", 50, 60), Phase("grow", 60, None)),
        ),
    ]


def test_a_vessel_that_never_named_a_batch_has_none() -> None:
    assert batches("V", Context(batch=said((1, ""), (2, " ")))) == []
