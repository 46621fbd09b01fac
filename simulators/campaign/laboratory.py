"""The laboratory's results of a batch: what it says, of which draw, how late. Pure.

A result has two times: that of the draw, to which its value belongs, and that at which
the laboratory has reported it. Between them nobody can know it. The plant's laboratory
finds what is asked of any process; what only one process has is added here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulators.tags import ASSAY, ASSAYS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from simulators.laboratory import Result

_STREAM = 31


@dataclass(frozen=True, slots=True)
class Method:
    """How a quantity is found that only some processes have."""

    unit: str
    """UCUM."""
    error: float
    """Standard deviation, as a share of the value."""


OWN: Mapping[str, Method] = {
    "dry_mass": Method("g/L", 0.03),
    "acetate": Method("g/L", 0.04),
    "full_capsids": Method("10*9/mL", 0.10),
    "capsids": Method("10*9/mL", 0.08),
    "full_share": Method("%", 0.10),
    "vector_dna": Method("10*9/mL", 0.10),
}
"""Errors: practice of capsid ELISA and digital PCR, dry mass, enzymatic assays."""


@dataclass(frozen=True, slots=True)
class Assay:
    """One result."""

    sample: str
    """Such as CHO-2026-0001-S03."""
    assay: str
    value: float
    unit: str
    drawn: int
    """us UTC."""
    available: int
    """us UTC; never before `drawn`."""


def units(names: Sequence[str]) -> dict[str, str]:
    """Return the unit of each assay that is asked for, by name."""
    standard = {tag.name: "" if tag.unit is None else tag.unit.ucum for tag in ASSAYS}
    return {
        name: OWN[name].unit if name in OWN else standard[f"LAB.{name.upper()}"]
        for name in names
    }


def asked(process_assays: Sequence[str]) -> list[str]:
    """Return what is asked of a sample of a process that has these assays."""
    known = [n for n in process_assays if n in OWN or f"LAB.{n.upper()}" in ASSAY]
    return [*known, "ph"]


def assays(
    batch: str,
    number: int,
    seed: int,
    results: Sequence[Result],
    contents: Sequence[Mapping[str, float]],
) -> list[Assay]:
    """Return all results of a batch in the order in which they become known.

    Args:
        batch: its name.
        number: of the batch in the campaign.
        seed: of the campaign.
        results: the plant's, with the batch's own times.
        contents: what was in each of the samples, by assay.
    """
    found = [
        one
        for result, inside in zip(results, contents, strict=True)
        for one in _of_sample(batch, number, seed, result, inside)
    ]
    return sorted(found, key=lambda one: (one.available, one.sample, one.assay))


def _of_sample(
    batch: str, number: int, seed: int, result: Result, inside: Mapping[str, float]
) -> Iterator[Assay]:
    names = asked(tuple(inside))
    unit = units(names)
    random = np.random.Generator(
        np.random.PCG64([seed, _STREAM, number, result.number])
    )
    noise = dict(zip(OWN, random.standard_normal(len(OWN)), strict=True))
    for name in names:
        if name in OWN:
            value = float(inside[name]) * (1.0 + OWN[name].error * noise[name])
        else:
            value = result.values[ASSAY[f"LAB.{name.upper()}"]]
        yield Assay(
            sample=f"{batch}-S{result.number:02d}",
            assay=name,
            value=float(f"{max(value, 0.0):.4g}"),
            unit=unit[name],
            drawn=result.drawn,
            available=result.known,
        )
