"""Stretches of text or time of several workers, brought together.

Every boundary that any worker set cuts the document, so that within a piece all workers say
one thing each. A piece is a unit of a class vote with the class "nothing" beside the labels;
each worker's misses, false alarms and confusions are a table (`classes`). Compared with a
vote per token or per frame this counts one decision once, however long the stretch is, and
needs no frame length. Units next to each other that get one label are joined, unless the
workers who gave both that label say, by weight, that a new stretch begins there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from titian.annotation.fusion.classes import most_probable, vote
from titian.annotation.fusion.result import Bools, Floats, Ints

NOTHING = 0  # the class of what nobody labels; label k is class k + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretches:
    """What workers marked, a row a piece.

    Attributes:
        document: shape (n,).
        worker: shape (n,).
        label: shape (n,).
        start: shape (n,).
        end: shape (n,), above start.
        owner: shape (n,), the annotation that the piece belongs to.
    """

    document: Ints
    worker: Ints
    label: Ints
    start: Floats
    end: Floats
    owner: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class FusedStretches:
    """Stretches brought together.

    Attributes:
        document: shape (m,).
        label: shape (m,).
        start: shape (m,).
        end: shape (m,).
        confidence: shape (m,), mean probability of the label over the stretch.
        follows: shape (m,), the earlier stretch that this one continues after a gap, or -1.
        units: what was voted on, one for each layer.
        layers: 1, or the number of labels where each was decided by itself.
    """

    document: Ints
    label: Ints
    start: Floats
    end: Floats
    confidence: Floats
    follows: Ints
    units: tuple[Units, ...]
    layers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """The units of one layer.

    Attributes:
        document: shape (units,).
        start: shape (units,).
        end: shape (units,).
        said: shape (units, workers), class or -1 for a document not read.
        owner: shape (units, workers), annotation or -1.
        posterior: shape (units, classes); class 0 is nothing.
        weight: shape (units,).
        trust: shape (workers, classes), log-odds that a worker's table gives the right class.
    """

    document: Ints
    start: Floats
    end: Floats
    said: Ints
    owner: Ints
    posterior: Floats
    weight: Floats
    trust: Floats


def fuse_stretches(
    given: Stretches, *, length: Floats, read: Bools, classes: int, by_length: bool
) -> FusedStretches:
    """Fuse stretches of several workers.

    Where stretches of one worker with different labels overlap anywhere, each label is
    decided by itself, as its own layer; otherwise all labels compete. Stretches of one worker
    and label that overlap count as one piece of labelled length.

    Args:
        given: what the workers marked.
        length: shape (documents,), each document's end; NaN where unknown: the last mark.
        read: shape (documents, workers).
        classes: number of labels.
        by_length: weigh units by their length (time); otherwise each counts once (text).
    """
    if _crossing(given):
        layers = [np.array([k]) for k in range(classes)]
    else:
        layers = [np.arange(classes)]
    parts, units = [], []
    for labels in layers:
        inside = np.isin(given.label, labels)
        if not inside.any():
            continue
        layer = _units(given, inside, labels, length=length, read=read, by_length=by_length)
        units.append(layer)
        parts.append(_decode(layer, labels))
    rows = np.concatenate(parts) if parts else np.zeros((0, 6))
    # `follows` counts within its part.
    base = np.concatenate([[0], np.cumsum([len(part) for part in parts])])
    for k, part in enumerate(parts):
        after = part[:, 5] >= 0
        rows[base[k] : base[k + 1], 5] = np.where(after, part[:, 5] + base[k], -1)
    return FusedStretches(
        document=rows[:, 0].astype(np.int64),
        label=rows[:, 1].astype(np.int64),
        start=rows[:, 2],
        end=rows[:, 3],
        confidence=rows[:, 4],
        follows=rows[:, 5].astype(np.int64),
        units=tuple(units),
        layers=len(layers),
    )


def _crossing(given: Stretches) -> bool:
    """Return whether stretches of one worker with different labels overlap."""
    order = np.lexsort((given.end, given.start, given.worker, given.document))
    place: tuple[int, int] | None = None
    reach: dict[int, float] = {}
    for i in order:
        here = (int(given.document[i]), int(given.worker[i]))
        if here != place:
            place, reach = here, {}
        label, start = int(given.label[i]), float(given.start[i])
        if any(end > start for other, end in reach.items() if other != label):
            return True
        reach[label] = max(reach.get(label, start), float(given.end[i]))
    return False


def _units(
    given: Stretches,
    inside: Bools,
    labels: Ints,
    *,
    length: Floats,
    read: Bools,
    by_length: bool,
) -> Units:
    """Cut the documents at every boundary and vote on the pieces."""
    chosen = np.flatnonzero(inside)
    chosen = chosen[
        np.lexsort((-given.end[chosen], given.start[chosen], given.document[chosen]))
    ]
    of = given.document[chosen]
    documents, starts, ends, said_rows, owner_rows = [], [], [], [], []
    for document in np.flatnonzero(read.any(axis=1)):
        rows = chosen[np.searchsorted(of, document) : np.searchsorted(of, document, "right")]
        cuts = np.concatenate([given.start[rows], given.end[rows], [0.0]])
        if np.isfinite(length[document]):
            cuts = np.append(cuts, length[document])
        cuts = np.unique(cuts)
        if len(cuts) < 2:
            continue
        said = np.where(read[document], NOTHING, -1)[None, :].repeat(len(cuts) - 1, axis=0)
        owner = np.full(said.shape, -1, dtype=np.int64)
        first = np.searchsorted(cuts, given.start[rows])
        last = np.searchsorted(cuts, given.end[rows])
        code = np.searchsorted(labels, given.label[rows]) + 1
        for i, row in enumerate(rows):
            said[first[i] : last[i], given.worker[row]] = code[i]
            owner[first[i] : last[i], given.worker[row]] = given.owner[row]
        documents.append(np.full(len(cuts) - 1, document))
        starts.append(cuts[:-1])
        ends.append(cuts[1:])
        said_rows.append(said)
        owner_rows.append(owner)
    start, end = np.concatenate(starts), np.concatenate(ends)
    said = np.concatenate(said_rows)
    weight = end - start if by_length else np.ones(len(start))
    voted = vote(said, weight, classes=len(labels) + 1)
    right = np.einsum("wkk->wk", voted.tables)
    return Units(
        document=np.concatenate(documents),
        start=start,
        end=end,
        said=said,
        owner=np.concatenate(owner_rows),
        posterior=voted.posterior,
        weight=weight,
        trust=np.log(right) - np.log1p(-np.minimum(right, 1 - 1e-9)),
    )


def _decode(units: Units, labels: Ints) -> Floats:
    """Join units into stretches: rows of document, label, start, end, confidence, follows."""
    best = most_probable(units.posterior)
    rows: list[list[float]] = []
    first = last = -1  # units of the stretch that is open
    latest: dict[int, tuple[int, int]] = {}  # label -> row and last unit of its latest stretch

    def close() -> None:
        if first < 0:
            return
        span = slice(first, last + 1)
        size = (units.end - units.start)[span]
        sure = float((units.posterior[span, best[first]] * size).sum() / size.sum())
        code, follows = int(best[first]), -1
        row, unit = latest.get(code, (-1, -1))
        if (
            row >= 0
            and units.document[unit] == units.document[first]
            and unit + 1 < first
            and _one(units, unit, first, code) > 0
        ):
            follows = row
        rows.append(
            [
                float(units.document[first]),
                float(labels[code - 1]),
                float(units.start[first]),
                float(units.end[last]),
                sure,
                float(follows),
            ]
        )
        latest[code] = (len(rows) - 1, last)

    for k in np.flatnonzero(best != NOTHING):
        joined = (
            first >= 0
            and last + 1 == k
            and units.document[k] == units.document[last]
            and best[k] == best[last]
            and _one(units, last, int(k), int(best[k])) >= 0
        )
        if not joined:
            close()
            first = int(k)
        last = int(k)
    close()
    return np.array(rows, dtype=np.float64).reshape(-1, 6)


def _one(units: Units, before: int, after: int, code: int) -> float:
    """Return by how much the workers hold two units for one stretch (else for two)."""
    both = (units.said[before] == code) & (units.said[after] == code)
    same = units.owner[before] == units.owner[after]
    trust = np.maximum(units.trust[:, code], 0.0)
    return float((trust * both * np.where(same, 1.0, -1.0)).sum())
