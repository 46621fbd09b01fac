"""`fedbatch evaluate`: its options; what it does is loaded when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLE = "Example: fedbatch evaluate recordings --output report"


def evaluate(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="Recordings and their dataset.yaml."),
    ],
    output: Annotated[
        Path, typer.Option(help="Folder for the page, picture and figures.")
    ] = Path("evaluation"),
    manifest: Annotated[
        Path | None,
        typer.Option(help="Default: dataset.yaml of the folder."),
    ] = None,
    *,
    own: Annotated[
        bool, typer.Option("--own", help="Only the monitor's detectors: quick.")
    ] = False,
) -> None:
    """Score the monitor on labelled recordings, beside blind and published methods."""
    from deploy.command.evaluating import evaluated  # noqa: PLC0415  loaded late

    typer.echo(evaluated(folder, output, _said, said=manifest, own=own))


def _said(line: str) -> None:
    typer.echo(line, err=True)
