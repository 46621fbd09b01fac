"""`python -m services.api`: the HTTP API with settings of the environment."""

from __future__ import annotations

import sys

from services.api.server import serve
from services.api.settings import ApiSettings
from shared.process import run

if __name__ == "__main__":
    sys.exit(run(ApiSettings.load, serve, "api"))
