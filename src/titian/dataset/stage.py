"""The two stages that stand at the road's beginning: ``ingest`` and ``split``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from titian.dataset.controls import corrupt_file_control, leak_controls
from titian.dataset.description import (
    case_counts,
    distribution_figures,
    missing_figure,
    part_counts,
    part_figure,
    table_findings,
)
from titian.dataset.giveaway import giveaway_findings
from titian.dataset.images import Pixels, read_image
from titian.dataset.ingestion import (
    ImageFile,
    look_at,
    records_of,
    relabelled,
    side_of,
    with_files,
)
from titian.dataset.inspection import label_problems, table_problems
from titian.dataset.labels import read_labels
from titian.dataset.leaks import cases, duplicate_leaks, subject_leaks
from titian.dataset.records import Records, Text, read_records, write_records
from titian.dataset.resemblance import near_duplicate_leaks
from titian.dataset.split import require_classes, split_by_column, split_by_share, write_split
from titian.dataset.table import read_table
from titian.errors import InputError
from titian.stage import Context, Stage, StageResult
from titian.values import Control, Data, Finding, Project, Severity, Split

CHUNK = 64  # images of one item of work


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A chunk of images for one worker."""

    root: str
    paths: tuple[str, ...]


def ingest_settings(project: Project) -> Data | None:
    """Return what reading depends on, or None where labels come from readings."""
    return None if project.data.readings else _without_shares(project)


def ingest_annotated_settings(project: Project) -> Data | None:
    """Return what reading depends on, or None where labels stand in the table."""
    return _without_shares(project) if project.data.readings else None


def _without_shares(project: Project) -> Data:
    """Return the ``data`` block less the shares, so that changing them reads nothing."""
    split = project.data.split
    if split.column is None:
        return replace(project.data, split=Split())
    return project.data


def split_settings(project: Project) -> Data:
    """Return the ``data`` block."""
    return project.data


def ingest(data: Data, inputs: Mapping[str, Path], context: Context) -> StageResult:
    """Read the table and every image once.

    Where the inputs hold the kind ``labels``, each case's label is taken from there, and a
    case without one is left out.

    Raises:
        InputError: every problem of the table, or of its images, together.
    """
    root = inputs["source"]
    table = read_table(root / data.table)
    problems = table_problems(root, table, data)
    if "labels" in inputs:
        table = relabelled(table, data, read_labels(inputs["labels"]))
        problems += label_problems(table, data)
    if problems:
        raise InputError(*problems)
    everything = records_of(table, data)
    everything = everything.take(everything.label != "")
    records, findings = everything, table_findings(table, everything, data)
    controls: tuple[Control, ...] = ()
    if everything.image is not None:
        files = _look(root, everything, context)
        findings += _unusable(everything, files, data)
        records = with_files(everything, files)
        controls = corrupt_file_control(root, records)
    path = context.folder / "records.parquet"
    write_records(records, path)
    return StageResult(
        artifacts={"records": path},
        measurements=case_counts(records, data),
        findings=findings,
        figures=(*distribution_figures(records, data), *missing_figure(table, data)),
        controls=controls,
    )


def split(data: Data, inputs: Mapping[str, Path], context: Context) -> StageResult:
    """Divide the subjects, then look for what crosses the sides.

    Raises:
        InputError: a part lacks a class.
    """
    root = inputs["source"]
    records = read_records(inputs["records"])
    dealing, judging, planting = np.random.default_rng(context.seed).spawn(3)
    chosen = data.split
    if chosen.column is None:
        part = split_by_share(
            records.label,
            records.unit,
            shares=(chosen.train, chosen.tune, chosen.test),
            rng=dealing,
        )
    else:
        side = side_of(read_table(root / data.table), data)[records.case]
        part = split_by_column(
            records.label,
            records.unit,
            side,
            values=(chosen.train_values, chosen.tune_values, chosen.test_values),
            rng=dealing,
        )
    require_classes(records.label, part)

    def picture_of(row: int) -> Pixels:
        assert records.image is not None  # noqa: S101 - only asked for image records
        return read_image(root, str(records.image[row]))

    context.progress("leak checks", 0, 4)
    findings = subject_leaks(records, part)
    findings += duplicate_leaks(records, part)
    context.progress("leak checks", 2, 4)
    findings += near_duplicate_leaks(records, part, picture_of)
    context.progress("leak checks", 3, 4)
    findings += giveaway_findings(records, part, rng=judging)
    findings += _unassigned(records, part)
    controls = leak_controls(records, part, picture_of, rng=planting)
    context.progress("leak checks", 4, 4)
    path = context.folder / "split.parquet"
    write_split(records.case, part, path)
    return StageResult(
        artifacts={"split": path},
        measurements=part_counts(records, part),
        findings=findings,
        figures=(part_figure(records, part),),
        controls=controls,
    )


def _look(root: Path, records: Records, context: Context) -> list[ImageFile]:
    assert records.image is not None  # noqa: S101 - the caller asked for images
    paths = records.image.tolist()
    chunks = [
        Look(root=str(root), paths=tuple(paths[start : start + CHUNK]))
        for start in range(0, len(paths), CHUNK)
    ]
    looked = context.map(_look_at_chunk, chunks, step="images")
    return [file for chunk in looked for file in chunk]


def _look_at_chunk(chunk: Look, rng: np.random.Generator) -> list[ImageFile]:
    _ = rng  # looking at a file leaves nothing to chance
    return look_at(Path(chunk.root), chunk.paths)


def _unusable(records: Records, files: list[ImageFile], data: Data) -> tuple[Finding, ...]:
    problems = [file.problem for file in files if file.problem is not None]
    if problems and data.unreadable != "exclude":
        raise InputError(*problems)
    return tuple(
        Finding(
            code="data.corrupt_file",
            severity=Severity.ERROR,
            what=f"The case is left out: {file.reason}.",
            where=cases([int(number)]),
            remedy="Replace the file, or remove the row.",
        )
        for number, file in zip(records.case, files, strict=True)
        if file.problem is not None
    )


def _unassigned(records: Records, part: Text) -> tuple[Finding, ...]:
    left_out = records.case[part == ""]
    if len(left_out) == 0:
        return ()
    return (
        Finding(
            code="data.unassigned",
            severity=Severity.WARNING,
            what=f"{len(left_out)} cases are on no side: train, tune and test do not name "
            "their value of the split column.",
            where=cases(left_out),
            remedy="Name the values under data.split, or remove the rows.",
        ),
    )


INGEST: Stage[Data] = Stage(
    name="ingest",
    summary="Read the table and every file once; refuse what is doubtful.",
    reads=("source",),
    writes=("records",),
    configure=ingest_settings,
    run=ingest,
)

INGEST_ANNOTATED: Stage[Data] = Stage(
    name="ingest-annotated",
    summary="As ingest, with the labels that the annotate stage came to.",
    reads=("source", "labels"),
    writes=("records",),
    configure=ingest_annotated_settings,
    run=ingest,
)

SPLIT: Stage[Data] = Stage(
    name="split",
    summary="Divide subjects between train, tune and test; look for leaks.",
    reads=("source", "records"),
    writes=("split",),
    configure=split_settings,
    run=split,
)
