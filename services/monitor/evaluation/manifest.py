"""dataset.yaml: what the files of a folder are and how they are scored. Pure."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.domain import FedbatchError
from shared.located import not_yaml, problem

Pattern = Annotated[str, Field(min_length=1)]
"""File names in the folder, with `*` and `?`."""


class DatasetInvalid(FedbatchError):  # noqa: N818
    """A dataset.yaml or a file of it that cannot be used."""


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True
    )


class Table(_Part):
    """How the files are written."""

    separator: str = ","
    """One character, or `space` for any white space."""
    decimal: Literal[".", ","] = "."
    header: Annotated[int, Field(ge=0, le=10)] = 1
    """Lines before the numbers; the first of them names the columns."""
    names: tuple[str, ...] = ()
    """Names of the columns where the file has none (`header: 0`); default C1, C2..."""
    encoding: str = "utf-8"
    transposed: tuple[Pattern, ...] = ()
    """Files whose rows are columns."""


class Time(_Part):
    """When the rows were."""

    column: str | None = None
    """A column with times; it is never a tag. Rows must already be in order."""
    row_s: Annotated[float, Field(gt=0)]
    """From one row to the next, s."""


class Label(_Part):
    """What was wrong, by a column or from a row on."""

    column: str | None = None
    """Not 0 where something is wrong."""
    files: tuple[Pattern, ...] = ("*",)
    """`from_row` holds for these."""
    from_row: Annotated[int, Field(ge=1)] | None = None
    """The first row with the fault, counted from 1, to the end of the file."""

    @model_validator(mode="after")
    def _one_way(self) -> Label:
        if (self.column is None) == (self.from_row is None):
            raise ValueError("expected either column or from_row")
        return self


class Training(_Part):
    """What is known to be normal."""

    files: tuple[Pattern, ...] = ()
    """Recordings without a fault; with `aligned`, normal batches."""
    rows: Annotated[int, Field(ge=50)] | None = None
    """The first rows of each scored file: each recording brings its own past."""

    @model_validator(mode="after")
    def _one_way(self) -> Training:
        if bool(self.files) == (self.rows is not None):
            raise ValueError("expected either files or rows")
        return self


class Manifest(_Part):
    """A folder of recordings."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    source: str = ""
    """Where it comes from and under which licence."""
    table: Table = Table()
    time: Time
    tags: tuple[str, ...] = ()
    """The columns to watch, measured outputs; default: all but time and label."""
    ignore: tuple[str, ...] = ()
    """Columns that are not watched, such as manipulated inputs."""
    label: Label | None = None
    """None: nothing is known to be wrong; only false alarms are counted."""
    training: Training
    scored: tuple[Pattern, ...]
    aside: tuple[Pattern, ...] = ()
    """Scored files that the mean detection rate leaves out."""
    groups: dict[str, Pattern] = {}
    """Families of files by name; default: the part of the path before `/`, or all."""
    aligned: bool = False
    """Every file is one batch of one recipe: equal rows are equal times in it."""
    leave_out: Annotated[int, Field(ge=0)] = 0
    """Normal batches left out of training in turn, for the false alarms."""
    noise: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """White noise added to each tag, as a share of its spread in training."""
    transforms: bool = False
    """Also score cropped, lengthened, doubled, faultless and permuted copies."""
    choose: bool = False
    """Also score level settings chosen on the other groups: two groups or more."""
    consecutive: Annotated[int, Field(ge=1)] = 1
    """Alarm rows in a row that count as a detection of an event."""

    @model_validator(mode="after")
    def _fits(self) -> Manifest:
        own_past = self.training.rows is not None
        for field in ("transforms", "choose"):
            if getattr(self, field) and not own_past:
                raise ValueError(f"{field} expects training: {{rows: ...}}")
        for field in ("aligned", "leave_out", "noise"):
            if getattr(self, field) and own_past:
                raise ValueError(f"{field} expects training: {{files: ...}}")
        return self


def parse_manifest(text: str, source: str) -> Manifest:
    """Return what a dataset.yaml says.

    Raises:
        DatasetInvalid: with one line for each finding.
    """
    try:
        content: Any = yaml.safe_load(text)
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise DatasetInvalid(not_yaml(error, source)) from error
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        found = [problem(finding, tree, source) for finding in error.errors()]
        raise DatasetInvalid("\n".join(found)) from error
