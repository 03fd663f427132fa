"""What `titian.yaml` says, as frozen values; `titian.pipeline` reads the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """A column to report by.

    Attributes:
        column: its name in the table.
        bands: increasing edges for a numeric column, giving [e0,e1) [e1,e2) ...;
            empty for a categorical one.
    """

    column: str
    bands: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """How cases are divided.

    Either shares of subjects (``train``, ``tune``, ``test`` summing to 1), or a column
    whose values name the sides; then tune is carved out of train by subject.
    """

    train: float = 0.6
    tune: float = 0.15
    test: float = 0.25
    column: str | None = None
    train_values: tuple[str, ...] = ()
    tune_values: tuple[str, ...] = ()
    test_values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """The ``data`` block.

    Attributes:
        table: CSV or Parquet, relative to the data folder.
        label: label column.
        image: column with a path relative to the table; None for tabular data.
        positive: the label's positive value as text; None for more than two classes.
        subject: subject column; splits never divide a subject.
        attributes: columns to report by.
        exclude: columns of tabular data that are not inputs.
        split: how cases are divided.
        missing: texts that mean "missing" besides the empty one, such as ``?``.
        unreadable: ``refuse`` (exit 2) or ``exclude`` (a finding) for a case whose image
            is missing or corrupt.
        readings: files of raw labels that the ``annotate`` block names, relative to the data
            folder; where there are any, labels come from the kind ``labels`` and not from
            the table, which need not have the column.
    """

    table: str
    label: str
    image: str | None = None
    positive: str | None = None
    subject: str | None = None
    attributes: tuple[Attribute, ...] = ()
    exclude: tuple[str, ...] = ()
    split: Split = field(default_factory=Split)
    missing: tuple[str, ...] = ()
    unreadable: str = "refuse"
    readings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What the release needs: a measure within a bound, or a count of findings.

    Exactly one of `measure` and `finding`, and exactly one of `at_least` and `at_most`.

    Attributes:
        id: unique within the project.
        measure: measure id, such as ``sensitivity``.
        finding: finding code whose count is bounded.
        at_least: the value must be at least this.
        at_most: the value must be at most this.
        for_each: attribute columns; one row per group of each, in one family.
        min_count: smallest denominator that is judged at all.
    """

    id: str
    measure: str | None = None
    finding: str | None = None
    at_least: float | None = None
    at_most: float | None = None
    for_each: tuple[str, ...] = ()
    min_count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where people or computers are."""

    name: str
    country: str = ""
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class DossierOptions:
    """What about single cases may leave the site."""

    case_images: bool = False
    cases: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The whole project file.

    Attributes:
        blocks: the stage blocks that are present, by key (``training``, ``model``, ...),
            each an instance of the settings type that its stage declares.
        seed: from ``training.seed`` (the spine's fixed place for it); default 0.
        site: name of the site where this run happens; empty when no sites are named.
        key: name or path of the signing key; None makes or uses the default key.
    """

    name: str
    intended_use: str
    data: Data
    alpha: float = 0.05
    requirements: tuple[Requirement, ...] = ()
    sites: tuple[Site, ...] = ()
    site: str = ""
    key: str | None = None
    seed: int = 0
    dossier: DossierOptions = field(default_factory=DossierOptions)
    blocks: Mapping[str, object] = field(default_factory=dict)
