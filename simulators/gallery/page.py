"""The text of docs/gallery.md, from the catalogue of faults. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulators.gallery import panels

if TYPE_CHECKING:
    from simulators.faults.catalogue import Catalogue, Fault

KINDS = {
    "sensor": "Sensors",
    "actuator": "Machines",
    "process": "Cells",
    "communication": "Communication",
    "human": "People",
}
HEAD = """# Gallery of the simulated plant

Made by `python -m simulators.gallery` (40 s of CPU; needs the extra `plots`). What it
shows is [described here](simulator.md); every curve is what the plant published, or the
truth behind it.

## The process
One fault-free batch of CHO-REF, 14 days; shaded: feed until the temperature shift, and
harvest. Dots are the laboratory's daily samples.

![A batch: cells, metabolites, antibody, temperature, pH, oxygen](gallery/process.png)

Twelve batches of one seed: kinetics and inoculum differ from batch to batch, as
documented in `shared/bioprocess`.

![Viable cells, lactate and antibody of twelve batches](gallery/variety.png)

One batch of each of the other processes: E. coli with overflow to acetate, HEK293 with
transfection, penicillin.

![A batch of E. coli](simulator-ecoli.png)

![A batch of HEK293](simulator-hek293.png)

![A batch of penicillin](simulator-penicillin.png)

## The faults
Blue: what is shown; red: the truth, which nobody sees; grey: the same plant with the
same noise, without the fault; shaded: while the fault is at work. Each at its default
size, in CHO; low transfection (P05) in HEK293.
"""


def text(known: Catalogue) -> str:
    """Return the page."""
    parts = [HEAD]
    for kind, title in KINDS.items():
        parts.append(f"\n### {title}\n")
        parts += [
            _fault(name, fault)
            for name, fault in known.faults.items()
            if fault.kind == kind and name in panels.OF
        ]
    return "".join(parts)


def _fault(name: str, fault: Fault) -> str:
    size = fault.magnitude
    unit = "" if size.unit == "1" else f" {size.unit}"
    default = "" if size.low == size.high else f"; {size.default:g}{unit}"
    sentence = fault.what[0].upper() + fault.what[1:]
    return (
        f"\n**{name} {fault.name}**{default}. {sentence}.\n\n"
        f"![{name} {fault.name}](gallery/{name}.png)\n"
    )
