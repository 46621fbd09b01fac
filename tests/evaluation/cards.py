"""The card of every detector, into docs/detectors.md: false alarms, delay, cost.

python -m tests.evaluation.cards                 some minutes on one core
python -m tests.evaluation.cards --only frozen   prints those of one detector

Checks of a tag are watched as the monitor watches them, the delays of the alarm
included: 30 tags at once, each a replicate. Detectors of several tags see rows.
"""

from __future__ import annotations

import argparse
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from tests.evaluation.card_learned import of_learned
from tests.evaluation.card_picture import draw
from tests.evaluation.card_rows import of_rows
from tests.evaluation.card_tags import of_tags
from tests.evaluation.chosen_rate import as_table, met

if TYPE_CHECKING:
    from tests.evaluation.card import Card

PAGE = Path(__file__).parents[2] / "docs" / "detectors.md"
PICTURE = PAGE.parent / "pictures" / "detectors.png"
HEAD = (
    "| detector | setting | between false alarms | change | delay by size | cost |\n"
    "|---|---|---|---|---|---|"
)


def main() -> None:
    """Measure, print, and write the page unless only some were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="the beginning of a detector's name")
    only = parser.parse_args().only
    cards: list[Card] = []
    print(HEAD)
    for detector, measure in chain(of_tags(), of_learned(), of_rows()):
        if detector.startswith(only):
            cards.append(measure())
            print(cards[-1].line(), flush=True)
    if only:
        return
    rates = met()
    print(as_table(rates))
    page = between(
        PAGE.read_text(), "cards", "\n".join([HEAD, *(c.line() for c in cards)])
    )
    PAGE.write_text(between(page, "rates", as_table(rates)))
    draw(cards, rates, PICTURE)


def between(page: str, name: str, text: str) -> str:
    """Return a page with what stands between two marks put anew.

    >>> between("a <!-- x --> b <!-- end x --> c", "x", "new")
    'a <!-- x -->\\\\n\\\\nnew\\\\n\\\\n<!-- end x --> c'
    """
    begin, end = f"<!-- {name} -->", f"<!-- end {name} -->"
    before, rest = page.split(begin)
    after = rest.split(end)[1]
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"


if __name__ == "__main__":
    main()
