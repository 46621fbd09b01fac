"""Start the monitor: `python -m services.monitor`."""

from __future__ import annotations

import sys

from services.monitor.settings import MonitorSettings
from services.monitor.watch import run_monitor
from shared.process import run

if __name__ == "__main__":
    sys.exit(run(MonitorSettings.load, run_monitor, "monitor"))
