"""`python -m services.api.notify`: pushes alarms with settings of the environment."""

from __future__ import annotations

import sys

from services.api.notify.service import notify
from services.api.notify.settings import NotifierSettings
from shared.process import run

if __name__ == "__main__":
    sys.exit(run(NotifierSettings.load, notify, "notifier"))
