"""`python -m simulators.gallery [docs]`: makes gallery.md and its pictures."""

from __future__ import annotations

import sys
from pathlib import Path

from simulators.faults import catalogue
from simulators.gallery import drawing, page, runs


def main(folder: Path) -> None:
    """Write the page and its pictures; say what is done."""
    known, pictures = catalogue.load(), folder / "gallery"
    pictures.mkdir(parents=True, exist_ok=True)
    print("twelve batches ...", flush=True)
    batches = runs.batches(12)
    drawing.process(batches[0], pictures / "process.png")
    drawing.variety(batches, pictures / "variety.png")
    for fine, process in ((False, "cho"), (True, "cho"), (False, "hek293")):
        step = "5 s" if fine else "2 min"
        print(f"faults of {process} at steps of {step} ...", flush=True)
        for name, (faulty, clean) in runs.faults(fine=fine, process=process).items():
            lasts_h = known.faults[name].duration.default.total_seconds() / 3600.0
            drawing.fault(name, faulty, clean, lasts_h, pictures / f"{name}.png")
    (folder / "gallery.md").write_text(page.text(known), encoding="utf-8")
    sizes = [picture.stat().st_size for picture in pictures.glob("*.png")]
    total = sum(sizes) / 1000
    print(f"{folder / 'gallery.md'}: {len(sizes)} pictures, {total:.0f} kB in all")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
