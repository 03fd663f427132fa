"""Text spans of several workers, brought together (see `timeline`).

A vote per token over BIO tags counts a span of four tokens four times and can give tag
sequences that nobody meant; here the text between two neighbouring boundaries is one unit,
whichever tokens it holds, so that no tokenizer is needed either.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from titian.annotation.fusion.entries import Entries, Part, common_attributes, tie_of
from titian.annotation.fusion.stretches import layer_notes, members, stretch_quality
from titian.annotation.fusion.timeline import Stretches, fuse_stretches
from titian.annotation.shapes import Annotation, Text, TextSpan


def merge_spans(entries: Entries[TextSpan]) -> Part:
    """Merge text spans.

    A span with gaps counts by its pieces, which are joined again where the workers, by
    weight, say so.
    """
    given = pieces_of(entries)
    length = np.array(
        [len(d.text) if isinstance(d, Text) else np.nan for d in entries.documents]
    )
    fused = fuse_stretches(
        given, length=length, read=entries.read, classes=len(entries.labels), by_length=False
    )
    chains: dict[int, list[int]] = {}
    head = np.arange(len(fused.document))
    for i, earlier in enumerate(fused.follows):
        head[i] = head[earlier] if earlier >= 0 else i
        chains.setdefault(int(head[i]), []).append(i)
    annotations, ties = [], []
    for places in chains.values():
        edges = [(int(fused.start[i]), int(fused.end[i])) for i in places]
        size = np.array([end - start for start, end in edges], dtype=np.float64)
        gaps = tuple((before[1], after[0]) for before, after in pairwise(edges))
        document = int(fused.document[places[0]])
        label = int(fused.label[places[0]])
        held = members(given, document, label, edges[0][0], edges[-1][1])
        ties.append(tie_of(entries, held))
        annotations.append(
            Annotation(
                document=entries.documents[document].name,
                label=entries.labels[label],
                shape=TextSpan(start=edges[0][0], end=edges[-1][1], gaps=gaps),
                score=float(fused.confidence[places] @ size / size.sum()),
                attributes=common_attributes([entries.annotations[i] for i in held]),
            )
        )
    return Part(
        annotations=tuple(annotations),
        ties=tuple(ties),
        workers=stretch_quality(entries, fused),
        notes=layer_notes(entries, fused),
    )


def pieces_of(entries: Entries[TextSpan]) -> Stretches:
    """Return every piece of every span as a stretch."""
    rows = [
        (i, start, end)
        for i, span in enumerate(entries.shapes)
        for start, end in span.pieces
        if end > start
    ]
    owner = np.array([row[0] for row in rows], dtype=np.int64)
    return Stretches(
        document=entries.document[owner],
        worker=entries.worker[owner],
        label=entries.label[owner],
        start=np.array([row[1] for row in rows], dtype=np.float64),
        end=np.array([row[2] for row in rows], dtype=np.float64),
        owner=owner,
    )
