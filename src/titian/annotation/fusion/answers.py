"""Labels for whole documents, merged as part of a label set.

Large crowds of such labels belong in a table and to `titian.annotation.consensus`; this is
for the few that come along with shapes.
"""

from __future__ import annotations

import numpy as np

from titian.annotation.fusion.classes import most_probable, vote
from titian.annotation.fusion.entries import Entries, Part, Tie, common_attributes, tie_of
from titian.annotation.fusion.result import Floats, Ints, WorkerQuality, expected_share
from titian.annotation.shapes import Annotation, Classification
from titian.statistics.estimate import unknown


def merge_answers(entries: Entries[Classification]) -> Part:
    """Merge labels of whole documents, each question by itself.

    Where a worker gives several labels to one question of a document, each label is a
    question of its own (yes or no) for that question in all documents.
    """
    annotations: list[Annotation] = []
    ties: list[Tie] = []
    right = np.zeros(len(entries.shapes))
    asked = np.array([shape.question for shape in entries.shapes], dtype=object)
    several = False
    for question in sorted(set(asked)):
        rows = np.flatnonzero(asked == question)
        pairs = {(int(entries.document[i]), int(entries.worker[i])) for i in rows}
        if len(pairs) == len(rows):
            lots, many = [(rows, -1)], False
        else:
            several = many = True
            lots = [(rows, int(k)) for k in np.unique(entries.label[rows])]
        for chosen, label in lots:
            found, held, sure = _one(entries, chosen, label, question)
            annotations += found
            ties += held
            right[chosen] = np.where(
                (entries.label[chosen] == label) | (not many), sure, right[chosen]
            )
    notes = ("Some questions have several labels at once: each was decided by itself.",)
    return Part(
        annotations=tuple(annotations),
        ties=tuple(ties),
        workers=tuple(_quality(entries, right, w) for w in range(len(entries.workers))),
        notes=notes if several else (),
    )


def _one(
    entries: Entries[Classification], rows: Ints, label: int, question: str
) -> tuple[list[Annotation], list[Tie], Floats]:
    """Decide one question; with a label, whether it holds."""
    documents, place = np.unique(entries.document[rows], return_inverse=True)
    workers = len(entries.workers)
    if label < 0:
        codes, said_code = np.unique(entries.label[rows], return_inverse=True)
        said = np.full((len(documents), workers), -1, dtype=np.int64)
        said[place, entries.worker[rows]] = said_code
    else:
        codes, said_code = np.array([-1, label]), np.ones(len(rows), dtype=np.int64)
        said = np.where(entries.read[documents], 0, -1)
        mine = entries.label[rows] == label
        said[place[mine], entries.worker[rows][mine]] = 1
    posterior = vote(said, np.ones(len(documents)), classes=len(codes)).posterior
    found, ties = [], []
    for d, best in enumerate(most_probable(posterior)):
        if codes[best] < 0:
            continue
        members = rows[(place == d) & (entries.label[rows] == codes[best])]
        ties.append(tie_of(entries, members))
        found.append(
            Annotation(
                document=entries.documents[int(documents[d])].name,
                label=entries.labels[int(codes[best])],
                shape=Classification(question=question),
                score=float(posterior[d, best]),
                attributes=common_attributes([entries.annotations[i] for i in members]),
            )
        )
    return found, ties, posterior[place, said_code]


def _quality(entries: Entries[Classification], right: Floats, worker: int) -> WorkerQuality:
    mine = entries.worker == worker
    share = expected_share(right[mine], np.ones(int(mine.sum())), noun="labels")
    return WorkerQuality(
        worker=entries.workers[worker],
        kind=entries.kind,
        documents=int(entries.read[:, worker].sum()),
        shapes=int(mine.sum()),
        recall=unknown(0, "labels of whole documents have no recall"),
        precision=unknown(0, "labels of whole documents have no precision"),
        accuracy=share,
    )
