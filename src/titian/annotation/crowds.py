"""Reading what a crowd wrote: labels, gold and a model's probabilities.

Labels are CSV (UTF-8) or Parquet with the columns task, worker and label, and optionally
site, seconds, cost and time. Task, worker and label are text and come back verbatim: nothing
is trimmed, folded or read as a number. Ten million rows are read into codes and names, never
into ten million strings.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from titian.annotation.consensus.crowdlab import probability_problems
from titian.annotation.consensus.votes import Votes, gather
from titian.dataset.table import parse_table
from titian.errors import InputError, Problem

if TYPE_CHECKING:
    import pyarrow as pa

Codes = NDArray[np.int32]
Floats = NDArray[np.float64]

NEEDED = ("task", "worker", "label")
TEXT = ("site", "time")
NUMBERS = ("seconds", "cost")
SHOWN = 5  # places named in one message; the rest are counted
DIAGNOSED_BYTES = 100_000_000  # a larger damaged file is not read again to name the line


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of text as codes and names.

    Attributes:
        code: shape (n,), index into `names`.
        names: each text once, verbatim.
    """

    code: Codes
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """The labels of a crowd.

    Attributes:
        name: file name, for messages.
        task: tasks in order of first appearance.
        worker: workers in order of first appearance.
        label: classes, in numeric order when all are integers, else in order of text.
        text: the optional columns site and time, as far as the file has them.
        numbers: the optional columns seconds and cost, NaN where a cell is empty.
        notes: what a reader should know, one sentence each.
    """

    name: str
    task: Column
    worker: Column
    label: Column
    text: dict[str, Column]
    numbers: dict[str, Floats]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.task.code)

    def votes(self) -> Votes:
        """Sort the votes for the models of titian.annotation.consensus."""
        return gather(
            self.task.code,
            self.worker.code,
            self.label.code,
            tasks=len(self.task.names),
            workers=len(self.worker.names),
            classes=len(self.label.names),
        )

    def with_classes(self, names: tuple[str, ...]) -> Crowd:
        """Return the same crowd with its classes numbered as in `names`, which has them all."""
        place = {name: code for code, name in enumerate(names)}
        table = np.asarray([place[name] for name in self.label.names], dtype=np.int32)
        return replace(self, label=Column(code=table[self.label.code], names=names))


@dataclass(frozen=True, slots=True, kw_only=True)
class Gold:
    """Known labels of some tasks of a crowd.

    Attributes:
        code: shape (tasks,), the class of each task of the crowd; -1 where none is known. A
            class that nobody named has a code of len(crowd.label.names) or more: a consensus
            of this crowd is wrong there.
        names: the crowd's classes, then those that only gold names.
        notes: what a reader should know, one sentence each.
    """

    code: NDArray[np.int64]
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Probabilities:
    """A model's probabilities for the tasks of a crowd.

    Attributes:
        value: shape (tasks, classes), rows in the crowd's order of tasks.
        names: the classes, in order of column: the crowd's and those only the model knows.
    """

    value: Floats
    names: tuple[str, ...]


def read_crowd(path: Path) -> Crowd:
    """Read the labels of a crowd.

    Raises:
        InputError: the file cannot be read (T-A020), lacks a column (T-A021), has empty cells
            (T-A022), numbers that are none (T-A023), or is damaged (T-D002 to T-D009, T-A024).
            All problems of the cells together.
    """
    table = _read(path)
    _need(table, NEEDED, path.name)
    problems: list[Problem] = []
    columns = {name: _text(table, name, path.name, problems) for name in NEEDED}
    text = {
        name: _text(table, name, path.name, problems, empty=True)
        for name in TEXT
        if name in table.column_names
    }
    numbers = {
        name: _numbers(table, name, path.name, problems)
        for name in NUMBERS
        if name in table.column_names
    }
    if problems:
        raise InputError(*problems)
    unread = [c for c in table.column_names if c not in (*NEEDED, *TEXT, *NUMBERS)]
    notes = [f"The columns {', '.join(unread)} of {path.name} are not read."] if unread else []
    label = _ordered(columns["label"])
    notes += _alike(label.names, path.name)
    return Crowd(
        name=path.name,
        task=columns["task"],
        worker=columns["worker"],
        label=label,
        text=text,
        numbers=numbers,
        notes=tuple(notes),
    )


def encode_labels(task: list[str], worker: list[str], label: list[str]) -> Crowd:
    """Encode three lists of text as `read_crowd` does.

    Raises:
        InputError: T-A001 the lengths differ, T-A002 there are no rows.
    """
    lengths = {"task": len(task), "worker": len(worker), "label": len(label)}
    if len(set(lengths.values())) > 1 or not task:
        shown = ", ".join(f"{name} {n}" for name, n in lengths.items())
        raise InputError(
            Problem(
                code="T-A001" if task or worker or label else "T-A002",
                message=f"task, worker and label have the lengths {shown}; "
                "they are three lists of one length, at least 1.",
                remedy="Give one row per vote.",
            )
        )
    encoded = [_encode(values) for values in (task, worker, label)]
    return Crowd(
        name="labels",
        task=encoded[0],
        worker=encoded[1],
        label=_ordered(encoded[2]),
        text={},
        numbers={},
    )


def read_gold(path: Path, crowd: Crowd) -> Gold:
    """Read the known labels of some tasks.

    Gold of a task that the crowd never saw is left out, with a note; a class that nobody
    named stays, and every consensus is wrong there.

    Raises:
        InputError: as `read_crowd`; T-A025 a task has two golds, T-A026 the crowd has no task
            of gold.
    """
    table = _read(path)
    _need(table, ("task", "label"), path.name)
    problems: list[Problem] = []
    task = _text(table, "task", path.name, problems)
    label = _text(table, "label", path.name, problems)
    if problems:
        raise InputError(*problems)
    first = np.full(len(task.names), -1, dtype=np.int64)
    first[task.code[::-1]] = label.code[::-1]
    clash = np.flatnonzero(first[task.code] != label.code)
    if len(clash):
        row = int(clash[0])
        name = task.names[task.code[row]]
        other = label.names[first[task.code[row]]]
        raise _refused(
            "T-A025",
            f"{path.name} gives {len(clash)} tasks a second gold label (first: task {name!r} "
            f"is {other!r}, and {label.names[label.code[row]]!r} at {_place(row)}); "
            "a task has one.",
            "Remove all but the right one.",
        )
    known = {name: place for place, name in enumerate(crowd.task.names)}
    place = np.asarray([known.get(name, -1) for name in task.names], dtype=np.int64)
    if not (place >= 0).any():
        raise _refused(
            "T-A026",
            f"none of the {len(place)} tasks of {path.name} has a label in {crowd.name} "
            f"(first: {task.names[0]!r}; there: {crowd.task.names[0]!r}).",
            "Check that both files name tasks alike.",
        )
    return _placed_gold(crowd, label, first, place, path.name)


def read_probabilities(path: Path, crowd: Crowd) -> Probabilities:
    """Read a model's probabilities: a column task and one column per class.

    Raises:
        InputError: as `read_crowd`; T-A027 a class has no column, T-A028 a task has no row or
            two, T-A007 values that are no probability, T-A008 sums that are not 1.
    """
    table = _read(path)
    _need(table, ("task",), path.name)
    problems: list[Problem] = []
    task = _text(table, "task", path.name, problems)
    columns = [name for name in table.column_names if name != "task"]
    absent = [name for name in crowd.label.names if name not in columns]
    if absent:
        problems.append(
            Problem(
                code="T-A027",
                message=f"{path.name} has no column for the classes "
                f"{', '.join(map(repr, absent[:SHOWN]))}{_more(absent)}; "
                "there is one column per label.",
                remedy="Add the columns, named as the labels are written.",
            )
        )
    problems += _task_problems(task, crowd, path.name)
    names = _class_order([*crowd.label.names, *(c for c in columns if c not in absent)])
    if not problems:
        value = np.stack(
            [_numbers(table, name, path.name, problems, probability=True) for name in names],
            axis=1,
        )
        if not problems:
            row = {task.names[code]: i for i, code in enumerate(task.code)}
            value = value[[row[name] for name in crowd.task.names]]
            problems += probability_problems(value)
            if not problems:
                return Probabilities(value=value, names=names)
    raise InputError(*problems)


def _task_problems(task: Column, crowd: Crowd, name: str) -> list[Problem]:
    times = np.bincount(task.code, minlength=len(task.names))
    twice = [task.names[i] for i in np.flatnonzero(times > 1)]
    have = set(task.names)
    absent = [other for other in crowd.task.names if other not in have]
    problems = []
    for what, which in (("no row", absent), ("two rows or more", twice)):
        if which:
            problems.append(
                Problem(
                    code="T-A028",
                    message=f"{len(which)} tasks have {what} in {name} "
                    f"({', '.join(map(repr, which[:SHOWN]))}{_more(which)}); each task that "
                    "was labelled has one.",
                    remedy="Give each task one row.",
                )
            )
    return problems


def _placed_gold(
    crowd: Crowd, label: Column, first: NDArray[np.int64], place: NDArray[np.int64], name: str
) -> Gold:
    classes = {text: code for code, text in enumerate(crowd.label.names)}
    for text in sorted(set(label.names) - set(classes)):
        classes[text] = len(classes)
    table = np.asarray([classes[text] for text in label.names], dtype=np.int64)
    code = np.full(len(crowd.task.names), -1, dtype=np.int64)
    code[place[place >= 0]] = table[first[place >= 0]]
    notes = []
    outside = int((place < 0).sum())
    if outside:
        notes.append(f"{outside} tasks of {name} have no label in {crowd.name}: left out.")
    unnamed = list(classes)[len(crowd.label.names) :]
    if unnamed:
        notes.append(
            f"Nobody named {', '.join(map(repr, unnamed[:SHOWN]))}{_more(unnamed)}, which "
            f"{name} holds: every consensus is wrong there."
        )
    return Gold(code=code, names=tuple(classes), notes=tuple(notes))


def _alike(names: tuple[str, ...], name: str) -> list[str]:
    folded: dict[str, list[str]] = {}
    for text in names:
        key = unicodedata.normalize("NFKC", text).strip().casefold()
        folded.setdefault(key, []).append(text)
    return [
        f"{name} has labels that differ only in spaces, case or Unicode form and count as "
        f"different classes: {', '.join(map(repr, group))}."
        for group in folded.values()
        if len(group) > 1
    ]


def _class_order(names: list[str]) -> tuple[str, ...]:
    unique = list(dict.fromkeys(names))
    if all(text.isascii() and text.lstrip("-").isdigit() for text in unique):
        return tuple(sorted(unique, key=lambda text: (int(text.lstrip("-") or 0), text)))
    return tuple(sorted(unique))


def _ordered(column: Column) -> Column:
    names = _class_order(list(column.names))
    place = {text: code for code, text in enumerate(names)}
    table = np.asarray([place[text] for text in column.names], dtype=np.int32)
    return Column(code=table[column.code], names=names)


def _encode(values: list[str]) -> Column:
    place: dict[str, int] = {}
    code = np.fromiter(
        (place.setdefault(text, len(place)) for text in values), np.int32, count=len(values)
    )
    return Column(code=code, names=tuple(place))


# Reading ------------------------------------------------------------------------------


def _read(path: Path) -> pa.Table:
    """Return a pyarrow table whose text columns are dictionaries."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(1 << 16)
    except OSError as error:
        raise _refused(
            "T-A020",
            f"{path.name} cannot be read ({error.strerror}).",
            "Correct the path.",
        ) from error
    parquet = path.suffix.lower() in (".parquet", ".pq") or head[:4] == b"PAR1"
    if not size or head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        parse_table(head, name=path.name)  # raises, saying which
    try:
        table = pq.read_table(path) if parquet else _read_csv(path, head)
    except (OSError, pa.ArrowException) as error:
        _diagnose(path, size)
        reason = str(error).split("\n", maxsplit=1)[0].rstrip(".")
        raise _refused(
            "T-A024",
            f"{path.name} cannot be read as a table ({reason}).",
            "Export it again as CSV in UTF-8 or as Parquet.",
        ) from error
    names = table.column_names
    if not table.num_rows or len(set(names)) < len(names) or not all(map(str.strip, names)):
        _diagnose(path, size)
        raise _refused("T-A002", f"{path.name} holds no rows.", "Give at least one row.")
    return table


def _read_csv(path: Path, head: bytes) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    text = io.StringIO(head.decode("utf-8-sig", "ignore"))
    try:
        first = next((row for row in csv.reader(text, delimiter=delimiter) if row), [])
    except csv.Error:
        first = []  # pyarrow or the strict reader says what is wrong
    kind = pa.dictionary(pa.int32(), pa.string())
    return arrow_csv.read_csv(
        path,
        read_options=arrow_csv.ReadOptions(use_threads=False),
        parse_options=arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(
            column_types={c: pa.string() if c in NUMBERS else kind for c in first},
            strings_can_be_null=False,
        ),
    )


def _diagnose(path: Path, size: int) -> None:
    """Raise the strict reader's account of a damaged file, which names the line."""
    if size <= DIAGNOSED_BYTES:
        parse_table(path.read_bytes(), name=path.name)


def _need(table: pa.Table, needed: tuple[str, ...], name: str) -> None:
    absent = [column for column in needed if column not in table.column_names]
    if absent:
        raise _refused(
            "T-A021",
            f"{name} has no column {' and no column '.join(map(repr, absent))}; "
            f"its columns are {', '.join(map(repr, table.column_names))}.",
            f"Name the columns {', '.join(needed)} in the first line.",
        )


def _text(
    table: pa.Table, column: str, name: str, problems: list[Problem], *, empty: bool = False
) -> Column:
    import pyarrow as pa

    cells = table.column(column)
    kind = cells.type.value_type if pa.types.is_dictionary(cells.type) else cells.type
    textual = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if not (textual or pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        problems.append(
            Problem(
                code="T-A029",
                message=f"column {column!r} of {name} has the type {kind}; {column} is text "
                "or an integer, so that it comes back as it was written.",
                remedy="Write the column as text.",
            )
        )
        return Column(code=np.zeros(0, dtype=np.int32), names=())
    if not textual:
        cells = cells.cast(pa.string())
    if not pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_encode()
    whole = cells.unify_dictionaries().combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.chunk(0) if whole.num_chunks else pa.array([], cells.type)
    names = ["" if text is None else text for text in whole.dictionary.to_pylist()]
    code = whole.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    blank = [place for place, text in enumerate(names) if not text.strip()]
    missing = np.flatnonzero((code < 0) | np.isin(code, blank))
    if len(missing) and not empty:
        problems.append(
            Problem(
                code="T-A022",
                message=f"column {column!r} of {name} is empty in {len(missing)} rows "
                f"({_places(missing)}); a vote has a task, a worker and a label.",
                remedy="Complete the rows, or remove them: a missing vote has no row.",
            )
        )
    if (code < 0).any():
        names = [*names, ""]
        code[code < 0] = len(names) - 1
    odd = [text for text in names if "\0" in text]
    if odd:
        problems.append(
            Problem(
                code="T-A024",
                message=f"column {column!r} of {name} holds NUL characters "
                f"(first: {odd[0]!r}); text holds none.",
                remedy="Export the table again; the file is damaged or not text.",
            )
        )
    return _by_appearance(code, names)


def _by_appearance(code: Codes, names: list[str]) -> Column:
    """Number the names by first appearance, each text once, unused names left out."""
    first = np.full(len(names), len(code), dtype=np.int64)
    first[code[::-1]] = np.arange(len(code))[::-1]  # the last write, the earliest row, stays
    order = [int(i) for i in np.argsort(first, kind="stable") if first[i] < len(code)]
    table = np.full(len(names), -1, dtype=np.int32)
    table[order] = np.arange(len(order), dtype=np.int32)
    return Column(code=table[code], names=tuple(names[i] for i in order))


def _numbers(
    table: pa.Table,
    column: str,
    name: str,
    problems: list[Problem],
    *,
    probability: bool = False,
) -> Floats:
    """Read numbers; an empty cell is NaN."""
    import pyarrow as pa

    cells = table.column(column)
    if pa.types.is_dictionary(cells.type):
        cells = cells.cast(cells.type.value_type)
    if pa.types.is_floating(cells.type) or pa.types.is_integer(cells.type):
        value: Floats = cells.cast(pa.float64()).to_numpy().astype(np.float64)
        written = None
    else:
        written = [text or "" for text in cells.cast(pa.string()).to_pylist()]
        value = np.asarray([_number(text) for text in written], dtype=np.float64)
    if probability:
        return value
    blank = np.isnan(value) if written is None else np.asarray([not t.strip() for t in written])
    wrong = np.flatnonzero(~blank & ~(np.isfinite(value) & (value >= 0)))
    if len(wrong):
        shown = value[wrong[0]] if written is None else repr(written[wrong[0]])
        problems.append(
            Problem(
                code="T-A023",
                message=f"column {column!r} of {name} has {len(wrong)} cells that are no "
                f"number of at least 0 (first: {shown} at {_place(int(wrong[0]))}).",
                remedy="Correct the cells; leave a cell empty where nothing is known.",
            )
        )
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _place(row: int) -> str:
    return f"row {row + 1} below the header"


def _places(rows: NDArray[np.int64]) -> str:
    named = ", ".join(str(int(row) + 1) for row in rows[:SHOWN])
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return f"row {named}{more} below the header"


def _more(items: list[str]) -> str:
    return f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""


def _refused(code: str, message: str, remedy: str) -> InputError:
    return InputError(Problem(code=code, message=message, remedy=remedy))
