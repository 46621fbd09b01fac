"""The gallery's page says what the catalogue says, and its pictures are there."""

from __future__ import annotations

from pathlib import Path

from simulators.faults import catalogue
from simulators.gallery import page, panels
from simulators.tags import ASSAY, COLUMN

DOCS = Path(__file__).parents[3] / "docs"
KNOWN = catalogue.load()
LARGEST = 60_000


def test_the_page_is_what_the_command_writes() -> None:
    assert (DOCS / "gallery.md").read_text(encoding="utf-8") == page.text(KNOWN)


def test_every_fault_has_its_small_picture() -> None:
    shown = set(KNOWN.faults)
    assert set(panels.OF) == shown
    for name, fault in KNOWN.faults.items():
        assert panels.OF[name].process == (fault.process or "cho")
    pictures = {path.stem: path.stat().st_size for path in DOCS.glob("gallery/*.png")}
    assert set(pictures) == shown | {"process", "variety"}
    assert max(pictures.values()) < LARGEST


def test_every_curve_is_a_tag_an_assay_or_a_named_truth() -> None:
    for name, shown in panels.OF.items():
        known = {*COLUMN, *ASSAY, *panels.TRUE}
        assert set(shown.curves) <= known, name
