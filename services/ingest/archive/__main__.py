"""Start the archiver: `python -m services.ingest.archive`."""

from __future__ import annotations

import sys

from services.ingest.archive.service import run_archiver
from services.ingest.archive.settings import ArchiverSettings
from shared.process import run

if __name__ == "__main__":
    sys.exit(run(ArchiverSettings.load, run_archiver, "archiver"))
