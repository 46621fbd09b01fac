"""`fedbatch`: turns a named situation into one clear block and an exit code."""

from __future__ import annotations

import sys

from deploy.command.app import app
from shared.domain import FedbatchError

NAMED_SITUATION = 2
"""Exit code of an error that says what, where and what was expected."""


def main() -> int:
    """Run the command line.

    Returns:
        0 when done, 2 for a named situation or a wrong option; other errors keep
        their traceback and leave with 1.
    """
    try:
        code = app(standalone_mode=True)
    except FedbatchError as error:
        lines = "\n".join(f"  {line}" for line in str(error).splitlines())
        print(f"fedbatch: {situation(error)}\n{lines}", file=sys.stderr)
        return NAMED_SITUATION
    return code if isinstance(code, int) else 0


def situation(error: FedbatchError) -> str:
    """Return the name of the error as words: `PlantInvalid` is `plant invalid`.

    >>> from shared.domain import Unavailable
    >>> situation(Unavailable("x"))
    'unavailable'
    """
    name = type(error).__name__
    words = "".join(f" {c.lower()}" if c.isupper() else c for c in name)
    return words.strip()


if __name__ == "__main__":
    sys.exit(main())
