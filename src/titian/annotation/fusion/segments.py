"""Segments of audio or video of several workers, brought together (see `timeline`).

What is labelled is decided for the pieces between neighbouring boundaries, weighed by their
length. The place of each boundary that is left is then fused from the boundaries of the
workers who hold the segment, by their precision (`coordinates`), since a boundary in time is
a measurement and not a choice among a few.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from titian.annotation.fusion.coordinates import fuse
from titian.annotation.fusion.entries import Entries, Part, common_attributes, tie_of
from titian.annotation.fusion.result import Floats, Ints
from titian.annotation.fusion.stretches import layer_notes, members, stretch_quality
from titian.annotation.fusion.timeline import FusedStretches, Stretches, fuse_stretches
from titian.annotation.shapes import Annotation, Audio, Segment, Video


def merge_segments(entries: Entries[Segment]) -> Part:
    """Merge segments; channels are merged apart, and speakers count as part of the label.

    Of a segment beyond the end of its document the part inside counts; one that lies wholly
    beyond does not count at all.
    """
    entries, notes = _within(entries)
    streams = sorted(
        {
            (int(d), -1 if s.channel is None else s.channel)
            for d, s in zip(entries.document, entries.shapes, strict=True)
        }
    )
    # A document without a segment stands for one stream, empty for all who read it.
    streams += [
        (d, -1) for d in sorted(set(range(len(entries.documents))) - {d for d, _ in streams})
    ]
    said = sorted(
        {
            (int(k), s.speaker, *_band(s))
            for k, s in zip(entries.label, entries.shapes, strict=True)
        }
    )
    stream, spoken = {s: i for i, s in enumerate(streams)}, {s: i for i, s in enumerate(said)}
    of = np.array([d for d, _ in streams], dtype=np.int64)
    given = Stretches(
        document=np.array(
            [
                stream[int(d), -1 if s.channel is None else s.channel]
                for d, s in zip(entries.document, entries.shapes, strict=True)
            ],
            dtype=np.int64,
        ),
        worker=entries.worker,
        label=np.array(
            [
                spoken[int(k), s.speaker, *_band(s)]
                for k, s in zip(entries.label, entries.shapes, strict=True)
            ],
            dtype=np.int64,
        ),
        start=np.array([s.start_s for s in entries.shapes], dtype=np.float64),
        end=np.array([s.end_s for s in entries.shapes], dtype=np.float64),
        owner=np.arange(len(entries.shapes)),
    )
    fused = fuse_stretches(
        given,
        length=np.array([_length(entries, int(d)) for d in of], dtype=np.float64),
        read=entries.read[of],
        classes=len(said),
        by_length=True,
    )
    fused = settle(fused, given, workers=len(entries.workers))
    annotations, ties = [], []
    for i in range(len(fused.document)):
        document, channel = streams[int(fused.document[i])]
        label, speaker, low, high = said[int(fused.label[i])]
        start, end = float(fused.start[i]), float(fused.end[i])
        held = members(given, int(fused.document[i]), int(fused.label[i]), start, end)
        ties.append(tie_of(entries, held))
        annotations.append(
            Annotation(
                document=entries.documents[document].name,
                label=entries.labels[label],
                shape=Segment(
                    start_s=start,
                    end_s=end,
                    channel=None if channel < 0 else channel,
                    speaker=speaker,
                    low_hz=None if low < 0 else low,
                    high_hz=None if high < 0 else high,
                ),
                score=float(fused.confidence[i]),
                attributes=common_attributes([entries.annotations[k] for k in held]),
            )
        )
    return Part(
        annotations=tuple(annotations),
        ties=tuple(ties),
        workers=stretch_quality(entries, fused),
        notes=notes + layer_notes(entries, fused),
    )


def settle(fused: FusedStretches, given: Stretches, *, workers: int) -> FusedStretches:
    """Place each boundary by the boundaries of the workers who hold the stretch.

    A worker holds a stretch by the one of its own, of that label, that shares most with it,
    at least half of both. Boundaries never cross those of a neighbour of the same label.
    """
    rows = _holders(fused, given)
    if not len(rows):
        return fused
    thing, mark = rows.T
    held, thing = np.unique(thing, return_inverse=True)
    edges = np.stack([given.start[mark], given.end[mark]], axis=1)
    size = np.full((len(held), 1), float(np.median(given.end - given.start)))
    placed = fuse(edges, thing, given.worker[mark], size=size, workers=workers)
    start, end = fused.start.copy(), fused.end.copy()
    ordered = placed.value[:, 0] < placed.value[:, 1]
    start[held[ordered]] = np.maximum(placed.value[ordered, 0], 0.0)
    end[held[ordered]] = placed.value[ordered, 1]
    _apart(fused, start, end)
    sound = start < end
    return replace(
        fused,
        start=np.where(sound, start, fused.start),
        end=np.where(sound, end, fused.end),
    )


def _holders(fused: FusedStretches, given: Stretches) -> Ints:
    """Return rows of (stretch, mark): each worker's mark that holds the stretch, if any."""
    rows: list[tuple[int, int]] = []
    order = np.lexsort((given.start, given.document))
    of = given.document[order]
    for i, document in enumerate(fused.document):
        near = order[np.searchsorted(of, document) : np.searchsorted(of, document, "right")]
        near = near[given.label[near] == fused.label[i]]
        common = np.minimum(given.end[near], fused.end[i]) - np.maximum(
            given.start[near], fused.start[i]
        )
        longer = np.maximum(given.end[near] - given.start[near], fused.end[i] - fused.start[i])
        near, common = near[common * 2 >= longer], common[common * 2 >= longer]
        best: dict[int, tuple[float, int]] = {}
        for mark, shared in zip(near, common, strict=True):
            who = int(given.worker[mark])
            best[who] = max(best.get(who, (-1.0, -1)), (float(shared), int(mark)))
        rows += [(i, mark) for _, mark in best.values()]
    return np.array(rows, dtype=np.int64).reshape(-1, 2)


def _apart(fused: FusedStretches, start: Floats, end: Floats) -> None:
    """Let neighbours that were apart or touched not overlap, in place."""
    same_layer = fused.layers == 1
    order = np.lexsort((fused.start, fused.document))
    if not same_layer:
        order = np.lexsort((fused.start, fused.label, fused.document))
    for before, after in pairwise(order):
        together = fused.document[before] == fused.document[after] and (
            same_layer or fused.label[before] == fused.label[after]
        )
        if together and end[before] > start[after]:
            middle = (end[before] + start[after]) / 2.0
            end[before] = start[after] = middle


def _band(segment: Segment) -> tuple[float, float]:
    """Return the band's edges; -1 for an edge that is not given."""
    low, high = segment.low_hz, segment.high_hz
    return (-1.0 if low is None else low, -1.0 if high is None else high)


def _length(entries: Entries[Segment], document: int) -> float:
    found = entries.documents[document]
    if isinstance(found, Audio | Video) and found.duration_s is not None:
        return found.duration_s
    return float("nan")


def _within(entries: Entries[Segment]) -> tuple[Entries[Segment], tuple[str, ...]]:
    kept, shapes, shortened = [], [], 0
    for i, segment in enumerate(entries.shapes):
        end = _length(entries, int(entries.document[i]))
        if segment.start_s >= end:
            continue
        kept.append(i)
        shortened += segment.end_s > end
        shapes.append(replace(segment, end_s=end) if segment.end_s > end else segment)
    notes = []
    if shortened:
        notes.append(
            f"{shortened} segments reach beyond the end of their document; the part inside "
            "counts."
        )
    if len(kept) < len(entries.shapes):
        lost = len(entries.shapes) - len(kept)
        notes.append(
            f"{lost} segments lie wholly beyond the end of their document and do not count."
        )
    return entries.only(kept, shapes), tuple(notes)
