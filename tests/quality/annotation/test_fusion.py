"""Merged shapes against the truth, on simulated workers: better than any one, and than votes.

Every world is simulated from a printed seed. The peers are the best single worker (known here
only because the truth is) and a plain majority on the same matched shapes.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from titian.annotation.fusion import merge
from titian.annotation.fusion.boxes import fuse_boxes, overlaps
from titian.annotation.fusion.tracks import course_of, covered
from titian.annotation.masks import decode_mask, encode_mask
from titian.annotation.shapes import (
    Annotation,
    Audio,
    Box,
    Image,
    KeyFrame,
    Keypoint,
    Keypoints,
    LabelSet,
    Segment,
    Text,
    TextSpan,
    Track,
    Video,
)

SEEDS = (1, 2, 3)
SPREAD = (0.03, 0.05, 0.08, 0.20)  # of a box's sides, in sizes
HIT = (0.95, 0.90, 0.80, 0.60)
FALSE = (0.3, 0.5, 1.0, 2.5)  # boxes a document
RIGHT = (0.95, 0.90, 0.85, 0.60)  # labels


def boxed(rng, truth, *, size, classes, workers=range(4), false=FALSE):
    """Rows of (document, worker, label, corners), what workers draw of true boxes."""
    rows = []
    for document in range(int(truth[:, 0].max()) + 1):
        for _, label, *corners in truth[truth[:, 0] == document]:
            box = np.array(corners)
            sides = np.tile(box[2:] - box[:2], 2)
            for w, k in enumerate(workers):
                if rng.random() < HIT[k]:
                    seen = box + rng.normal(0, SPREAD[k], 4) * sides
                    seen[:2] = np.minimum(seen[:2], seen[2:] - 1)
                    said = label if rng.random() < RIGHT[k] else rng.integers(classes)
                    rows.append((document, w, said, *seen))
        typical = np.median(truth[:, 4:] - truth[:, 2:4], axis=0)
        for w, k in enumerate(workers):
            for _ in range(rng.poisson(false[k])):
                sides = typical * rng.uniform(0.6, 1.5, 2)
                corner = rng.uniform(0, np.maximum(np.array(size) - sides, 1))
                rows.append((document, w, rng.integers(classes), *corner, *(corner + sides)))
    return np.array(rows, dtype=np.float64)


def box_world(rng, documents=60, classes=3):
    truth = []
    for document in range(documents):
        for _ in range(rng.poisson(5)):
            sides = rng.uniform(30, 90, 2)
            corner = rng.uniform(0, np.array([640, 480]) - sides)
            truth.append((document, rng.integers(classes), *corner, *(corner + sides)))
    return np.array(truth)


def box_score(found, truth):
    """F1 of boxes with overlap >= 0.5 and the right label; mean overlap of those hit."""
    right, alike = 0, []
    for document in np.unique(truth[:, 0]):
        mine, real = found[found[:, 0] == document], truth[truth[:, 0] == document]
        z = overlaps(mine[:, 2:], np.zeros(len(mine)), real[:, 2:], np.zeros(len(real)))
        i, j = linear_sum_assignment(-z)
        hit = z[i, j] >= 0.5
        alike += z[i, j][hit].tolist()
        right += int((hit & (mine[i, 1] == real[j, 1])).sum())
    return 2 * right / (len(found) + len(truth)), float(np.mean(alike))


def fused_boxes(rows, documents, workers, classes):
    result = fuse_boxes(
        rows[:, 3:],
        rows[:, 0].astype(np.int64),
        worker=rows[:, 1].astype(np.int64),
        label=rows[:, 2].astype(np.int64),
        read=np.ones((documents, workers), dtype=bool),
        classes=classes,
    )
    objects = result.objects
    table = np.column_stack([objects.document, objects.label, result.corners])
    group = objects.group
    count = np.bincount(group)
    mean = np.column_stack([np.bincount(group, weights=c) / count for c in rows[:, 3:].T])
    plural = [np.bincount(rows[group == g, 2].astype(int)).argmax() for g in range(len(count))]
    majority = np.column_stack([objects.document, plural, mean])[count > workers / 2]
    return result, table, majority


@pytest.mark.parametrize("seed", SEEDS)
def test_fused_boxes_beat_the_best_worker_and_the_majority(seed):
    rng = np.random.default_rng(seed)
    truth = box_world(rng)
    rows = boxed(rng, truth, size=(640, 480), classes=3)
    result, table, majority = fused_boxes(rows, 60, 4, 3)
    fused = box_score(table[result.objects.real >= 0.5], truth)
    single = max(
        box_score(rows[rows[:, 1] == w][:, [0, 2, 3, 4, 5, 6]], truth) for w in range(4)
    )
    plain = box_score(majority, truth)
    seen = f"boxes seed {seed}: fused {fused} best worker {single} majority {plain}"
    assert fused[0] > max(single[0], plain[0]) + 0.02, seen
    assert fused[1] > max(single[1], plain[1]), seen


def test_the_probability_that_a_box_is_real_is_calibrated():
    said, real = [], []
    for seed in range(8):
        rng = np.random.default_rng(100 + seed)
        truth = box_world(rng)
        rows = boxed(rng, truth, size=(640, 480), classes=3)
        result, table, _ = fused_boxes(rows, 60, 4, 3)
        for document in range(60):
            mine = np.flatnonzero(table[:, 0] == document)
            true = truth[truth[:, 0] == document]
            z = overlaps(table[mine, 2:], np.zeros(len(mine)), true[:, 2:], np.zeros(len(true)))
            i, j = linear_sum_assignment(-z)
            hit = np.zeros(len(mine), dtype=bool)
            hit[i] = z[i, j] >= 0.3
            said += result.objects.real[mine].tolist()
            real += hit.tolist()
    said, real = np.array(said), np.array(real)
    error = 0.0
    for low in np.arange(0, 1, 0.1):
        inside = (said >= low) & (said < low + 0.1 + 1e-9 * (low >= 0.89))
        if inside.any():
            error += inside.mean() * abs(said[inside].mean() - real[inside].mean())
    seen = f"existence: expected calibration error {error:.4f} over {len(said)} candidates"
    assert error < 0.05, seen


def test_the_interval_of_recall_holds_the_true_rate():
    held = total = 0
    for seed in range(25):
        rng = np.random.default_rng(300 + seed)
        truth = box_world(rng, documents=20)
        rows = boxed(rng, truth, size=(640, 480), classes=3)
        documents = tuple(Image(name=f"{d}") for d in range(20))
        sets = {
            f"w{w}": LabelSet(
                documents=documents,
                annotations=tuple(
                    Annotation(
                        document=f"{int(r[0])}",
                        label=f"{int(r[2])}",
                        shape=Box(x=r[3], y=r[4], width=r[5] - r[3], height=r[6] - r[4]),
                    )
                    for r in rows[rows[:, 1] == w]
                ),
            )
            for w in range(4)
        }
        for quality, hit in zip(merge(sets).workers, HIT, strict=True):
            (interval,) = quality.recall.intervals
            held += interval.low <= hit <= interval.high
            total += 1
    seen = f"recall: {held} of {total} intervals hold the true rate"
    assert held / total >= 0.9, seen


@pytest.mark.data
@pytest.mark.parametrize("seed", SEEDS[:2])
def test_fused_boxes_of_blood_cells_beat_the_best_worker_and_the_majority(shared_data, seed):
    source = shared_data / "bccd_cells" / "annotations_coco.json"
    coco = json.loads(source.read_text())
    names = {c["id"]: k for k, c in enumerate(coco["categories"])}
    images = [image["id"] for image in coco["images"]][:60]
    place = {image: k for k, image in enumerate(images)}
    truth = np.array(
        [
            (place[a["image_id"]], names[a["category_id"]], x, y, x + w, y + h)
            for a in coco["annotations"]
            if a["image_id"] in place
            for x, y, w, h in [a["bbox"]]
        ]
    )
    rng = np.random.default_rng(seed)
    rows = boxed(rng, truth, size=(640, 480), classes=len(names))
    result, table, majority = fused_boxes(rows, len(images), 4, len(names))
    fused = box_score(table[result.objects.real >= 0.5], truth)
    single = max(
        box_score(rows[rows[:, 1] == w][:, [0, 2, 3, 4, 5, 6]], truth) for w in range(4)
    )
    plain = box_score(majority, truth)
    seen = f"blood cells seed {seed}: fused {fused} best worker {single} majority {plain}"
    assert fused[0] > max(single[0], plain[0]), seen
    assert fused[1] > max(single[1], plain[1]) - 0.005, seen


def spans_of(rng, truth, length, *, miss, slip, false, right, kinds):
    """What one worker marks of true spans (start, end, kind)."""
    mine = []
    for start, end, kind in truth:
        if rng.random() < miss:
            continue
        start += rng.choice([-1, 1]) * (rng.random() < slip)
        end += rng.choice([-1, 1]) * (rng.random() < slip)
        said = kind if rng.random() < right else rng.integers(kinds)
        mine.append((max(start, 0), min(end, length), said))
    for _ in range(rng.poisson(false)):
        start = rng.integers(0, length - 3)
        mine.append((start, start + rng.integers(1, 4), rng.integers(kinds)))
    kept, reach = [], 0
    for start, end, kind in sorted(mine):
        if start >= reach and end > start:
            kept.append((int(start), int(end), int(kind)))
            reach = end
    return kept


@pytest.mark.parametrize("seed", SEEDS)
def test_fused_spans_beat_the_best_worker_and_the_majority_of_tags(seed):
    rng = np.random.default_rng(seed)
    kinds, length, documents = 4, 30, 150
    truth, marks = [], [[] for _ in range(4)]
    skill = [
        {"miss": m, "slip": s, "false": f, "right": r}
        for m, s, f, r in zip(
            (0.05, 0.1, 0.15, 0.4),
            (0.05, 0.1, 0.15, 0.35),
            (0.2, 0.3, 0.5, 1.5),
            RIGHT,
            strict=True,
        )
    ]
    for _ in range(documents):
        spans, now = [], 0
        while (now := now + int(rng.integers(1, 9))) < length - 4:
            size = int(rng.integers(1, 5))
            spans.append((now, now + size, int(rng.integers(kinds))))
            now += size
        truth.append(spans)
        for w in range(4):
            marks[w].append(spans_of(rng, spans, length, kinds=kinds, **skill[w]))
    texts = tuple(Text(name=f"{d}", text="x" * length) for d in range(documents))
    sets = {
        f"w{w}": LabelSet(
            documents=texts,
            annotations=tuple(
                Annotation(document=f"{d}", label=str(k), shape=TextSpan(start=a, end=b))
                for d, spans in enumerate(marks[w])
                for a, b, k in spans
            ),
        )
        for w in range(4)
    }
    real = {(d, *span) for d, spans in enumerate(truth) for span in spans}

    def score(found):
        return 2 * len(found & real) / (len(found) + len(real))

    fused = score(
        {
            (int(a.document), a.shape.start, a.shape.end, int(a.label))
            for a in merge(sets).label_set.annotations
        }
    )
    single = max(score({(d, *s) for d, spans in enumerate(m) for s in spans}) for m in marks)
    plain = score(_majority_of_tags(marks, length, kinds))
    seen = f"spans seed {seed}: fused {fused:.3f} best worker {single:.3f} tags {plain:.3f}"
    assert fused > max(single, plain) + 0.03, seen


def _majority_of_tags(marks, length, kinds):
    found = set()
    for d in range(len(marks[0])):
        tags = np.zeros((len(marks), length), dtype=int)
        for w, mine in enumerate(marks):
            for start, end, kind in mine[d]:
                tags[w, start:end] = 2 * kind + 2
                tags[w, start] = 2 * kind + 1
        best = [np.bincount(column, minlength=2 * kinds + 1).argmax() for column in tags.T]
        i = 0
        while i < length:
            if not best[i]:
                i += 1
                continue
            kind, end = (best[i] - 1) // 2, i + 1
            while end < length and best[end] == 2 * kind + 2:
                end += 1
            found.add((d, i, end, int(kind)))
            i = end
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_fused_segments_beat_the_best_worker_and_the_majority_of_frames(seed):
    rng = np.random.default_rng(seed)
    grid = np.arange(0, 60, 0.01) + 0.005
    late, spread, miss = (0.0, 0.3, 0.0, -0.2), (0.1, 0.1, 0.2, 0.5), (0.03, 0.05, 0.1, 0.3)
    truth, sets = [], {f"w{w}": [] for w in range(4)}
    for d in range(40):
        now, real = 0.0, []
        while (now := now + rng.uniform(2, 6)) < 52:
            real.append((now, now + rng.uniform(1.5, 5)))
            now = real[-1][1]
        truth.append(real)
        for w in range(4):
            reach = 0.0
            for start, end in real:
                if rng.random() > miss[w]:
                    a = max(start + late[w] + rng.normal(0, spread[w]), reach)
                    b = min(end + late[w] + rng.normal(0, spread[w]), 60.0)
                    if b > a:
                        sets[f"w{w}"].append((d, a, b))
                        reach = b
    tapes = tuple(Audio(name=f"{d}", duration_s=60.0) for d in range(40))

    def laid(rows):
        out = np.zeros((40, len(grid)), dtype=bool)
        for d, start, end in rows:
            out[int(d)] |= (grid >= start) & (grid < end)
        return out

    real = laid([(d, a, b) for d, rows in enumerate(truth) for a, b in rows])
    merged = merge(
        {
            w: LabelSet(
                documents=tapes,
                annotations=tuple(
                    Annotation(
                        document=f"{d}", label="speech", shape=Segment(start_s=a, end_s=b)
                    )
                    for d, a, b in rows
                ),
            )
            for w, rows in sets.items()
        }
    )
    rows = [(a.document, a.shape.start_s, a.shape.end_s) for a in merged.label_set.annotations]
    drawn = [laid(rows) for rows in sets.values()]
    fused = (laid(rows) != real).mean()
    single = min((one != real).mean() for one in drawn)
    plain = ((np.sum(drawn, axis=0) > 2) != real).mean()
    seen = (
        f"segments seed {seed}: error fused {fused:.4f} worker {single:.4f} frames {plain:.4f}"
    )
    assert fused < min(single, plain), seen


@pytest.mark.parametrize("seed", SEEDS)
def test_fused_masks_beat_the_best_worker_the_majority_and_the_vote_alone(seed):
    rng = np.random.default_rng(seed)
    noise, shift = (0.04, 0.06, 0.06, 0.15), (0.0, 0.0, 0.12, -0.15)
    angle = np.linspace(-np.pi, np.pi, 90)
    row, column = np.mgrid[:100, :100] + 0.5
    turn, far = np.arctan2(row - 50, column - 50), np.hypot(row - 50, column - 50)

    def area(radius):
        return far <= np.interp(turn, angle, radius)

    def waves(first, last):
        return sum(
            rng.normal() * np.cos(k * angle + rng.uniform(0, 6)) for k in range(first, last)
        )

    truth, sets, plain = [], {f"w{w}": [] for w in range(4)}, []
    pages = tuple(Image(name=f"{d}", width=100, height=100) for d in range(60))
    for page in pages:
        radius = rng.uniform(15, 32) * (1 + 0.06 * waves(2, 5))
        truth.append(area(radius))
        votes = []
        for w in range(4):
            mine = radius * (1 + shift[w] + noise[w] * waves(1, 8) / np.sqrt(3.5))
            votes.append(area(mine))
            sets[f"w{w}"].append(
                Annotation(document=page.name, label="cell", shape=encode_mask(votes[-1]))
            )
        plain.append(np.sum(votes, axis=0) >= 2)

    def alike(areas):
        pairs = zip(areas, truth, strict=True)
        return float(np.mean([(a & t).sum() / (a | t).sum() for a, t in pairs]))

    merged = merge(
        {w: LabelSet(documents=pages, annotations=tuple(a)) for w, a in sets.items()}
    )
    fused = alike([decode_mask(a.shape) for a in merged.label_set.annotations])
    single = max(alike([decode_mask(a.shape) for a in mine]) for mine in sets.values())
    vote = alike(plain)
    seen = f"masks seed {seed}: fused {fused:.4f} worker {single:.4f} majority {vote:.4f}"
    assert fused > max(single, vote), seen


@pytest.mark.parametrize("seed", SEEDS)
def test_fused_keypoints_beat_the_best_worker_and_the_mean(seed):
    rng = np.random.default_rng(seed)
    names = [f"p{k}" for k in range(8)]
    pages = tuple(Image(name=f"{d}", width=300, height=300) for d in range(60))
    truth = rng.uniform(50, 250, (60, 8, 2))
    drawn = [truth + rng.normal(0, s, truth.shape) for s in (2.0, 3.0, 5.0, 12.0)]
    for points in drawn:  # left and right exchanged now and then
        swapped = rng.random(60) < 0.05
        points[swapped] = points[swapped][:, [1, 0, *range(2, 8)]]

    def posed(points):
        return LabelSet(
            documents=pages,
            annotations=tuple(
                Annotation(
                    document=page.name,
                    label="cat",
                    shape=Keypoints(
                        points=tuple(
                            Keypoint(x=x, y=y, name=n)
                            for (x, y), n in zip(one.tolist(), names, strict=True)
                        )
                    ),
                )
                for page, one in zip(pages, points, strict=True)
            ),
        )

    merged = merge({f"w{w}": posed(points) for w, points in enumerate(drawn)})
    found = np.array(
        [[(p.x, p.y) for p in a.shape.points] for a in merged.label_set.annotations]
    )

    def away(points):
        return float(np.hypot(*np.moveaxis(points - truth, -1, 0)).mean())

    fused, single, plain = away(found), min(map(away, drawn)), away(np.mean(drawn, axis=0))
    seen = f"keypoints seed {seed}: off by {fused:.2f} worker {single:.2f} mean {plain:.2f} px"
    assert fused < min(single, plain), seen


@pytest.mark.parametrize("seed", SEEDS)
def test_fused_tracks_beat_the_best_worker(seed):
    rng = np.random.default_rng(seed)
    films = tuple(Video(name=f"{d}", width=640, height=480, frames=61) for d in range(12))
    truth, sets = [], {f"w{w}": [] for w in range(4)}
    for film in films:
        for _ in range(rng.integers(1, 4)):
            corner, speed = rng.uniform(50, 350, 2), rng.uniform(-3, 3, (2, 2))
            side = rng.uniform(40, 70)
            path = corner + np.cumsum(np.repeat(speed, 31, axis=0)[:61], axis=0)
            boxes = [Box(x=x, y=y, width=side, height=side) for x, y in path.tolist()]
            truth.append(
                (
                    film.name,
                    Track(
                        keyframes=tuple(KeyFrame(frame=f, box=b) for f, b in enumerate(boxes))
                    ),
                )
            )
            for w in range(4):
                if rng.random() > HIT[w]:
                    continue
                step = (10, 15, 20, 30)[w]
                keys = []
                for frame in range(0, 61, step):
                    x, y = path[frame] + rng.normal(0, SPREAD[w] * side, 2)
                    keys.append(
                        KeyFrame(frame=frame, box=Box(x=x, y=y, width=side, height=side))
                    )
                sets[f"w{w}"].append(
                    Annotation(
                        document=film.name, label="car", shape=Track(keyframes=tuple(keys))
                    )
                )
    merged = merge(
        {w: LabelSet(documents=films, annotations=tuple(a)) for w, a in sets.items()}
    )

    def alike(annotations):
        courses = [(a.document, course_of(a.shape)) for a in annotations]
        best = [
            max((covered(c, course_of(real)) for d, c in courses if d == name), default=0.0)
            for name, real in truth
        ]
        return float(np.mean(best)) * min(len(truth) / len(annotations), 1.0)

    fused = alike(merged.label_set.annotations)
    single = max(alike(mine) for mine in sets.values())
    seen = f"tracks seed {seed}: fused {fused:.3f} best worker {single:.3f}"
    assert fused > single, seen
