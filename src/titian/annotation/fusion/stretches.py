"""What merged text spans and merged time segments have in common."""

from __future__ import annotations

import numpy as np

from titian.annotation.fusion.entries import Entries, ShapeT
from titian.annotation.fusion.result import Floats, WorkerQuality, expected_share
from titian.annotation.fusion.timeline import NOTHING, FusedStretches, Stretches


def members(
    given: Stretches,
    document: int,
    label: int,
    start: float,
    end: float,
) -> list[int]:
    """Return the marks of that label that share at least half of a fused stretch."""
    common = np.minimum(given.end, end) - np.maximum(given.start, start)
    near = (given.document == document) & (given.label == label)
    chosen = near & (common * 2 >= np.maximum(end - start, given.end - given.start))
    return [int(i) for i in np.unique(given.owner[chosen])]


def layer_notes(entries: Entries[ShapeT], fused: FusedStretches) -> tuple[str, ...]:
    """Say when labels were decided one by one."""
    if fused.layers == 1:
        return ()
    return (
        f"Some {entries.kind}s of one worker overlap: each label was decided by itself, and "
        "merged ones of different labels may overlap.",
    )


def stretch_quality(
    entries: Entries[ShapeT], fused: FusedStretches
) -> tuple[WorkerQuality, ...]:
    """Hold each worker's stretches against the merged ones, unit by unit."""
    found = []
    for w, name in enumerate(entries.workers):
        rows = []  # weight, probability of a label, of the worker's label, whether labelled
        for units in fused.units:
            said = units.said[:, w]
            read = said >= 0
            labelled = 1.0 - units.posterior[:, NOTHING]
            agreed = units.posterior[np.arange(len(said)), np.maximum(said, 0)]
            drawn = said > NOTHING
            rows.append(
                np.stack(
                    [units.weight, labelled, np.where(drawn, agreed, 0.0), 1.0 * drawn], 1
                )[read]
            )
        table = np.concatenate(rows) if rows else np.zeros((0, 4))
        weight, labelled, right, marked = table.T
        both: Floats = weight * labelled * marked
        noun = "labelled parts"
        found.append(
            WorkerQuality(
                worker=name,
                kind=entries.kind,
                documents=int(entries.read[:, w].sum()),
                shapes=int((entries.worker == w).sum()),
                recall=expected_share(both, weight * labelled, noun=noun),
                precision=expected_share(weight * right, weight * marked, noun=noun),
                accuracy=expected_share(np.minimum(weight * right, both), both, noun=noun),
            )
        )
    return tuple(found)
