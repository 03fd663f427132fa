"""The table that validation measures, and that a dossier may ship.

It holds what the measurements depend on and nothing else: a random id in place of the row
number, a random id in place of the subject, in the order of the random ids. Everything
that validation reports is computed from this table, so that it can be derived again where
the data cannot be seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from titian.dataset.parquet import read_columns, write_columns
from titian.dataset.predictions import Predictions
from titian.errors import InputError, Problem
from titian.statistics.estimate import Bools, Floats, Ints

MISSING = "missing"
"""Name of the group of cases whose attribute is missing: reported, never dropped."""

Text = NDArray[np.str_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """The test part: n cases, k classes.

    Attributes:
        id: shape (n,), random and unique; rows are in its order.
        label: shape (n,), class numbers.
        prediction: shape (n,), class numbers: the decision at the operating point.
        scores: shape (n, k), probabilities that sum to 1.
        classes: their names, in the order of the columns of `scores`.
        subject: shape (n,), numbers of subjects; None when the project names none.
        groups: column -> shape (n,), the group's name; `MISSING` where it is missing.
    """

    id: Text
    label: Ints
    prediction: Ints
    scores: Floats
    classes: tuple[str, ...]
    subject: Ints | None = None
    groups: Mapping[str, Text] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.label)

    def take(self, index: NDArray[Any]) -> Cases:
        """Return the rows at `index` (positions or a mask)."""
        return Cases(
            id=self.id[index],
            label=self.label[index],
            prediction=self.prediction[index],
            scores=self.scores[index],
            classes=self.classes,
            subject=None if self.subject is None else self.subject[index],
            groups={name: values[index] for name, values in self.groups.items()},
        )

    def parts(self) -> Iterator[tuple[str, str, Bools]]:
        """Yield (column, group, mask) for each group of each column, bands in their order."""
        for column, values in self.groups.items():
            for name in sorted(set(values.tolist()), key=_group_order):
                yield column, name, values == name


def draw_cases(predictions: Predictions, rng: np.random.Generator) -> Cases:
    """Make the table of the test part, with ids drawn from `rng`.

    Raises:
        InputError: T-V001 no test case; T-V002 a score outside [0, 1] or not a number;
            T-V003 a label or prediction that is not a class.
    """
    chosen = predictions.take(predictions.part == "test")
    _refuse_bad(chosen)
    ids = _random_names(len(chosen), "c", rng)
    order = np.argsort(ids)
    chosen = chosen.take(order)
    number = {name: place for place, name in enumerate(chosen.classes)}
    return Cases(
        id=ids[order],
        label=np.array([number[name] for name in chosen.label.tolist()], dtype=np.int64),
        prediction=np.array(
            [number[name] for name in chosen.prediction.tolist()], dtype=np.int64
        ),
        scores=chosen.scores,
        classes=chosen.classes,
        subject=None if chosen.subject is None else _random_subjects(chosen.subject, rng),
        groups={
            name: np.where(values == "", MISSING, values)
            for name, values in chosen.attributes.items()
        },
    )


def write_cases(cases: Cases, path: Path) -> None:
    """Write the table as Parquet (kind ``cases``)."""
    names = np.array(cases.classes)
    columns: dict[str, NDArray[Any]] = {
        "case": cases.id,
        "label": names[cases.label],
        "prediction": names[cases.prediction],
    }
    if cases.subject is not None:
        columns["subject"] = cases.subject
    for place, name in enumerate(cases.classes):
        columns[f"score.{name}"] = cases.scores[:, place]
    columns |= {f"group.{name}": values for name, values in cases.groups.items()}
    write_columns(columns, path)


def read_cases(path: Path) -> Cases:
    """Read what `write_cases` wrote.

    Raises:
        InputError: T-V004, the file is no such table, or it is not readable Parquet.
    """
    columns = read_columns(path)
    classes = [name.removeprefix("score.") for name in columns if name.startswith("score.")]
    known = set(classes)
    lacking = [name for name in ("case", "label", "prediction") if name not in columns]
    if lacking or not classes:
        raise _no_cases(path, f"it lacks {', '.join(lacking or ['score.<class>'])}")
    for name in ("label", "prediction"):
        strange = sorted(set(columns[name].tolist()) - known)
        if strange:
            raise _no_cases(path, f"column {name!r} holds {strange[0]!r}, which is no class")
    number = {name: place for place, name in enumerate(classes)}
    subject = columns.get("subject")
    return Cases(
        id=columns["case"],
        label=np.array([number[name] for name in columns["label"].tolist()], dtype=np.int64),
        prediction=np.array(
            [number[name] for name in columns["prediction"].tolist()], dtype=np.int64
        ),
        scores=np.stack([columns[f"score.{name}"] for name in classes], axis=1),
        classes=tuple(classes),
        subject=None if subject is None else subject.astype(np.int64),
        groups={
            name.removeprefix("group."): values
            for name, values in columns.items()
            if name.startswith("group.")
        },
    )


def _refuse_bad(chosen: Predictions) -> None:
    problems = []
    if len(chosen) == 0:
        problems.append(
            Problem(
                code="T-V001",
                message="predictions hold 0 cases of the test part; at least 1 is needed.",
                remedy="Give data.split.test a share above 0, or a column value that occurs.",
            )
        )
    bad = ~np.isfinite(chosen.scores) | (chosen.scores < -1e-6) | (chosen.scores > 1 + 1e-6)
    if bad.any():
        row, column = (int(place[0]) for place in np.nonzero(bad))
        problems.append(
            Problem(
                code="T-V002",
                message=f"{int(bad.any(axis=1).sum())} cases have a score that is no "
                f"probability (first: case {int(chosen.case[row])}, class "
                f"{chosen.classes[column]!r}, {chosen.scores[row, column]}); scores lie in "
                "[0, 1].",
                remedy="Export the model with a softmax or sigmoid output.",
            )
        )
    for name, values in (("label", chosen.label), ("prediction", chosen.prediction)):
        strange = np.flatnonzero(~np.isin(values, np.array(chosen.classes)))
        if len(strange):
            problems.append(
                Problem(
                    code="T-V003",
                    message=f"{len(strange)} cases have a {name} that is no class (first: "
                    f"case {int(chosen.case[strange[0]])}, {str(values[strange[0]])!r}); "
                    f"classes are {', '.join(chosen.classes)}.",
                    remedy="Use the classes that the model was trained on.",
                )
            )
    if problems:
        raise InputError(*problems)


def _no_cases(path: Path, why: str) -> InputError:
    return InputError(
        Problem(
            code="T-V004",
            message=f"{path.name} is no table of cases: {why}.",
            remedy="Use the cases.parquet of an unchanged dossier.",
        )
    )


def _random_names(n: int, prefix: str, rng: np.random.Generator) -> Text:
    """Return n distinct random names of 48 bits."""
    numbers: set[int] = set()
    while len(numbers) < n:
        numbers |= set(rng.integers(0, 2**48, size=n - len(numbers)).tolist())
    names = np.array([f"{prefix}{number:012x}" for number in sorted(numbers)], dtype=np.str_)
    return rng.permutation(names)


def _random_subjects(subject: Text, rng: np.random.Generator) -> Ints:
    """Return subjects as random numbers; a blank subject is one of its own."""
    blank = subject == ""
    lone = np.char.add("\0", np.arange(len(subject)).astype(np.str_))
    code = np.unique(np.where(blank, lone, subject), return_inverse=True)[1]
    return rng.permutation(int(code.max(initial=0)) + 1)[code].astype(np.int64)


def _group_order(name: str) -> tuple[int, float, str]:
    """Order bands by their lower edge, other names by themselves, `MISSING` last."""
    if name == MISSING:
        return (2, 0.0, name)
    try:
        return (0, float(name.removeprefix("[").split(",")[0]), name)
    except ValueError:
        return (1, 0.0, name)
