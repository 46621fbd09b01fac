"""Makes a whole data set, over several processes.

Bounded by: one group in memory per process, and one message per process and chunk on
the queue of progress. When full: a process waits for the reader. Order: files of a
batch as its group is done; the common files last, by number of batch. Duplicates: none;
a folder that holds anything is refused. On cancel: what is whole stays, campaign.json,
which names all of it, is not there.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from typing import TYPE_CHECKING, Any

from shared.domain import FedbatchError
from simulators.campaign.description import described_campaign
from simulators.campaign.files import FOLDERS, write_assays, write_json, write_lines
from simulators.campaign.group import Done, simulate

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.queues import SimpleQueue
    from pathlib import Path

    from simulators.campaign.plan import Campaign

MANIFEST = "campaign.json"
"""Written last: its presence says that the data set is whole."""
_LOOK_S = 0.5


class FolderInUse(FedbatchError):  # noqa: N818
    """The folder of a data set holds something already."""


class PlotsUnavailable(FedbatchError):  # noqa: N818
    """Pictures were asked for, and what draws them is not installed."""


_told: SimpleQueue[tuple[int, float]] | None = None
"""Progress of a worker process: group and share; set when the process starts."""


def produce(
    campaign: Campaign,
    folder: Path,
    *,
    processes: int,
    plots: bool,
    progress: Callable[[float], None],
) -> dict[str, Any]:
    """Simulate the campaign into `folder`; return what campaign.json holds.

    The result does not depend on `processes`.

    Args:
        campaign: what to simulate.
        folder: made when missing; must be empty.
        processes: that work at the same time, at least one.
        plots: whether to draw an overview of each batch.
        progress: told the share that is done, 0 to 1, rising.

    Raises:
        FolderInUse: the folder holds something.
        PlotsUnavailable: matplotlib is not installed.
    """
    _check(folder, plots=plots)
    for name in FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    if not plots:
        (folder / "plots").rmdir()
    if processes == 1:
        groups = _here(campaign, folder, plots, progress)
    else:
        groups = _elsewhere(campaign, folder, plots, processes, progress)
    done = [one for group in groups for one in group]
    write_assays(folder / "assays.parquet", [(one.slot, one.assays) for one in done])
    write_lines(folder / "faults.jsonl", [f for one in done for f in one.faults])
    body = described_campaign(campaign, done)
    write_json(folder / MANIFEST, body)
    return body


def _check(folder: Path, *, plots: bool) -> None:
    if plots and importlib.util.find_spec("matplotlib") is None:
        raise PlotsUnavailable(
            "overview plots: expected matplotlib, which is not installed; "
            "pip install 'fedbatch[plots]', or give --no-plots"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FolderInUse(
            f"{folder}: expected an empty folder or none; name another with --out, "
            "or remove it"
        )


def _here(
    campaign: Campaign,
    folder: Path,
    plots: bool,  # noqa: FBT001  handed on
    progress: Callable[[float], None],
) -> list[list[Done]]:
    found = []
    for group in range(campaign.groups):

        def told(share: float, at: int = group) -> None:
            progress((at + share) / campaign.groups)

        found.append(simulate(campaign, group, folder, plots=plots, progress=told))
    return found


def _elsewhere(
    campaign: Campaign,
    folder: Path,
    plots: bool,  # noqa: FBT001  handed on
    processes: int,
    progress: Callable[[float], None],
) -> list[list[Done]]:
    context = multiprocessing.get_context("spawn")
    queue: SimpleQueue[tuple[int, float]] = context.SimpleQueue()
    shares = dict.fromkeys(range(campaign.groups), 0.0)
    with ProcessPoolExecutor(
        min(processes, campaign.groups), context, _remember, (queue,)
    ) as pool:
        futures = [
            pool.submit(_work, campaign, group, folder, plots)
            for group in range(campaign.groups)
        ]
        try:
            waiting = set(futures)
            while waiting:
                over, waiting = wait(waiting, _LOOK_S, FIRST_COMPLETED)
                for future in over:
                    future.result()
                while not queue.empty():
                    group, share = queue.get()
                    shares[group] = share
                progress(sum(shares.values()) / campaign.groups)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        return [future.result() for future in futures]


def _remember(queue: SimpleQueue[tuple[int, float]]) -> None:
    global _told  # noqa: PLW0603  the only way to hand a queue to a pool's process
    _told = queue


def _work(
    campaign: Campaign,
    group: int,
    folder: Path,
    plots: bool,  # noqa: FBT001  handed on
) -> list[Done]:
    def told(share: float) -> None:
        if _told is not None:
            _told.put((group, share))

    return simulate(campaign, group, folder, plots=plots, progress=told)
