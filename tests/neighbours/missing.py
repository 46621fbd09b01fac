"""The one error of a neighbour that this machine cannot run."""

from __future__ import annotations


class NeighbourMissing(RuntimeError):  # noqa: N818  named by situation, as everywhere
    """A real neighbour cannot be started here; the message says what to install."""
