"""IndPenSim by the protocol of a paper: random splits, limits from a few other batches.

python -m tests.evaluation.other_protocol FOLDER      half a minute

Three splits of the normal batches: eight are learned from, three set the 99 % limits of
a PCA, three say how many normal rows alarm. Rows are deviations from the mean batch in
standard deviations of their age. Ours learns from the eleven.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from services.monitor.evaluation.methods import answered
from services.monitor.evaluation.metrics import merit
from services.monitor.evaluation.own import BatchCourse
from services.monitor.evaluation.questions import AS_RECORDED, questions
from services.monitor.evaluation.reading import read_dataset
from services.monitor.evaluation.recording import Question

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from services.monitor.evaluation.methods import Learned
    from services.monitor.evaluation.recording import Recording

MANIFEST = Path(__file__).parent / "datasets" / "indpensim.yaml"
SPLITS = 3
LEARNED, LIMITS = 8, 3
QUANTILE = 0.99
EXPLAINED = 0.6


@dataclass(frozen=True)
class AlignedPca:
    """T2 or SPE of deviations from the mean batch, each beyond its own 99 % limit."""

    name: str = "PCA T2|SPE, by age"

    def learn(self, training: Sequence[NDArray[np.float64]]) -> Learned:
        """Return it; the last of the batches set the limits."""
        return _Projected(training[:LEARNED], training[LEARNED:])


class _Projected:
    def __init__(
        self,
        normal: Sequence[NDArray[np.float64]],
        others: Sequence[NDArray[np.float64]],
    ) -> None:
        self._length = min(len(batch) for batch in normal)
        together = np.stack([batch[: self._length] for batch in normal])
        self._mean = together.mean(axis=0)
        self._scatter = np.maximum(together.std(axis=0, ddof=1), 1e-9)
        deviations = np.concatenate([self._standard(batch) for batch in normal])
        values, vectors = np.linalg.eigh(np.cov(deviations.T))
        values, vectors = values[::-1], vectors[:, ::-1]
        kept = int(np.searchsorted(np.cumsum(values) / values.sum(), EXPLAINED)) + 1
        self._directions, self._variances = vectors[:, :kept], values[:kept]
        held = np.concatenate([self._statistics(batch) for batch in others])
        self._limits = np.quantile(held, QUANTILE, axis=0)

    def _standard(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        age = np.minimum(np.arange(len(rows)), self._length - 1)
        out: NDArray[np.float64] = (rows - self._mean[age]) / self._scatter[age]
        return out

    def _statistics(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return [time, 2]: T2 and SPE."""
        deviations = self._standard(rows)
        scores = deviations @ self._directions
        left = deviations - scores @ self._directions.T
        both = ((scores**2 / self._variances).sum(axis=1), (left**2).sum(axis=1))
        return np.stack(both, axis=1)

    def alarms(self, rows: NDArray[np.float64]) -> NDArray[np.bool_]:
        return np.asarray((self._statistics(rows) > self._limits).any(axis=1), np.bool_)


def splits(folder: Path) -> Iterator[Question]:
    """Yield the question of each split: eleven batches, then three and the faults."""
    first = questions(read_dataset(folder, MANIFEST))[AS_RECORDED]
    faulty = [r for r in first[0].scored if r.fault.any()]
    normal: dict[str, Recording] = {
        r.name: r for q in first for r in q.scored if not r.fault.any()
    }
    for split in range(SPLITS):
        order = np.random.default_rng(split).permutation(sorted(normal)).tolist()
        learned = tuple(normal[name].rows for name in order[: LEARNED + LIMITS])
        left = [normal[name] for name in order[LEARNED + LIMITS :]]
        yield Question(learned, (*left, *faulty), aligned=True)


def main() -> None:
    """Print events hit and false alarms of both."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    asked = list(splits(parser.parse_args().folder))
    for method in (AlignedPca(), BatchCourse()):
        found = merit(answered(method, asked), consecutive=3)
        print(
            f"{method.name}: {found.events_hit:.1f} % of {found.events} events, "
            f"{found.far_faultless:.2f} % of normal rows"
        )


if __name__ == "__main__":
    main()
