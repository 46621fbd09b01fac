"""`fedbatch simulate campaign`: data sets of simulated batches."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.command.options import OptionInvalid, duration
from simulators.campaign import mix, plan
from simulators.campaign.plan import Campaign
from simulators.campaign.produce import produce
from simulators.faults import catalogue
from simulators.organisms import organism

if TYPE_CHECKING:
    from pathlib import Path

_SAY_S = 5.0
"""Between two lines of progress where there is no terminal."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of the command, as given."""

    process: str
    batches: int
    faults: str
    out: Path
    step: str
    seed: int
    processes: int | None
    plots: bool


def campaign_of(wanted: Wanted) -> Campaign:
    """Return the campaign that the options describe.

    Raises:
        OrganismUnknown: process.
        OptionInvalid: step.
        FileInvalid: the mix of faults.
    """
    organism(wanted.process)
    step = round(duration(wanted.step, "--step").total_seconds())
    if step > plan.LONGEST_STEP_S or plan.TRUTH_STEP_S % step:
        raise OptionInvalid(
            f"--step {wanted.step}: expected whole seconds that divide 5 minutes, "
            "such as 1s, 30s or 1m"
        )
    return Campaign(
        batches=wanted.batches,
        seed=wanted.seed,
        mix=mix.load(wanted.faults, catalogue.load()),
        faults=wanted.faults,
        step=step * plan.US_PER_S,
        process=wanted.process,
    )


def simulated(wanted: Wanted) -> str:
    """Make the data set; return a sentence about it. Progress goes to stderr."""
    campaign = campaign_of(wanted)
    began = time.monotonic()
    body = produce(
        campaign,
        wanted.out,
        processes=wanted.processes or os.cpu_count() or 1,
        plots=wanted.plots,
        progress=Progress(wanted.batches).say,
    )
    faulty = sum(1 for batch in body["batches"] if batch["faults"])
    return (
        f"{wanted.out}: {len(body['batches'])} batches of {campaign.process}, "
        f"{faulty} with a fault, seed {campaign.seed}, "
        f"{time.monotonic() - began:.0f} s; campaign.json says what is where"
    )


class Progress:
    """Says how far a campaign is: in place on a terminal, else a line now and then."""

    def __init__(self, batches: int) -> None:
        self._batches = batches
        self._began = time.monotonic()
        self._said = self._began
        self._in_place = sys.stderr.isatty()

    def say(self, share: float) -> None:
        """Tell that `share`, 0 to 1, is done; the end is always told."""
        now = time.monotonic()
        often = not self._in_place and now - self._said < _SAY_S
        if share <= 0.0 or (often and share < 1.0):
            return
        self._said = now
        left = (now - self._began) * (1.0 - share) / share
        line = (
            f"{100 * share:3.0f} %, {share * self._batches:.0f} of {self._batches} "
            f"batches, {left:.0f} s left"
        )
        end = "\n" if not self._in_place or share >= 1.0 else ""
        sys.stderr.write(f"\r{line:<60}{end}" if self._in_place else f"{line}\n")
        sys.stderr.flush()
