"""`fedbatch evaluate`: read, score, write the report."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from services.monitor.evaluation.reading import read_dataset
from services.monitor.evaluation.report import as_text, write_report
from services.monitor.evaluation.table import scored

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EVERY_S = 2.0
"""Progress is said at most this often."""


def evaluated(
    folder: Path,
    output: Path,
    say: Callable[[str], None],
    *,
    said: Path | None = None,
    own: bool = False,
) -> str:
    """Return the tables, having written the report to `output`.

    Args:
        folder: holds dataset.yaml and the recordings it names.
        output: folder for the page, the picture and the figures; made when absent.
        say: told now and then what is running.
        said: another file than dataset.yaml of the folder.
        own: leave out the baselines.

    Raises:
        DatasetInvalid: what, where and what was expected.
    """
    dataset = read_dataset(folder, said)
    lines = scored(dataset, _now_and_then(say), only_own=own)
    page = write_report(dataset, lines, output)
    return f"{as_text(dataset, lines)}\n\nwritten: {page}"


def _now_and_then(say: Callable[[str], None]) -> Callable[[str], None]:
    last = time.monotonic() - EVERY_S

    def progress(what: str) -> None:
        nonlocal last
        if time.monotonic() - last >= EVERY_S:
            last = time.monotonic()
            say(what)

    return progress
