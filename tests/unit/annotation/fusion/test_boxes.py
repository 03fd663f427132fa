"""Boxes of several workers: matching, existence, class, sides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from titian.annotation.fusion import merge
from titian.annotation.fusion.boxes import fuse_boxes, overlaps
from titian.annotation.fusion.matching import place_alone
from titian.annotation.shapes import Annotation, Box, Image, LabelSet

PAGE = Image(name="a.png", width=200, height=100)


def drawn(*boxes: tuple[str, float, float, float, float], documents=(PAGE,)) -> LabelSet:
    return LabelSet(
        documents=documents,
        annotations=tuple(
            Annotation(
                document=documents[0].name, label=k, shape=Box(x=x, y=y, width=w, height=h)
            )
            for k, x, y, w, h in boxes
        ),
    )


def crowd(seed: int, *, scale: float = 1.0, documents: int = 5, workers: int = 4):
    """Boxes of simulated workers as (corners, document, worker, label)."""
    rng = np.random.default_rng(seed)
    rows = []
    for d in range(documents):
        for cell in rng.permutation(12)[: rng.integers(1, 7)]:
            size = rng.uniform(20, 40, 2)
            corner = np.array([cell % 4, cell // 4]) * 60.0 + rng.uniform(0, 10, 2)
            label = rng.integers(2)
            for w in range(workers):
                if rng.random() < 0.85:
                    noise = rng.normal(0, 0.02 * (w + 1), 4) * np.tile(size, 2)
                    box = np.concatenate([corner, corner + size]) + noise
                    said = label if rng.random() < 0.9 else 1 - label
                    rows.append((*(box * scale), d, w, said))
    table = np.array(rows)
    return table[:, :4], *table[:, 4:].astype(np.int64).T


def fused(corners, document, worker, label, workers=4):
    read = np.ones((int(document.max()) + 1, workers), dtype=bool)
    return fuse_boxes(
        corners, document, worker=worker, label=label, read=read, classes=int(label.max()) + 1
    )


def table(result):
    rows = np.column_stack(
        [
            result.objects.document,
            result.objects.label,
            result.objects.real,
            result.corners,
        ]
    )
    return rows[np.lexsort(np.round(rows, 6).T)]


def test_overlap_of_two_boxes_is_worked_by_hand():
    first = np.array([[0.0, 0.0, 10.0, 10.0]])
    second = np.array([[5.0, 0.0, 15.0, 10.0]])
    still = np.zeros(1)
    assert overlaps(first, still, second, still)[0, 0] == pytest.approx(50 / 150)


def test_overlap_of_a_square_with_itself_turned_by_45_degrees():
    square = np.array([[0.0, 0.0, 2.0, 2.0]])
    # The common area is a regular octagon with inradius 1: 8 tan(22.5 degrees).
    octagon = 8 * np.tan(np.pi / 8)
    found = overlaps(square, np.zeros(1), square, np.array([45.0]))[0, 0]
    assert found == pytest.approx(octagon / (8 - octagon))


def test_two_of_three_workers_who_agree_give_the_object_and_its_label():
    merged = merge(
        {
            "ann": drawn(("cat", 10, 10, 40, 40)),
            "bob": drawn(("cat", 10, 10, 40, 40)),
            "cyd": drawn(("dog", 10, 10, 40, 40)),
        }
    )
    (only,) = merged.label_set.annotations
    assert (only.label, only.shape) == ("cat", Box(x=10, y=10, width=40, height=40))
    assert 0.5 < only.score < 1.0


def test_a_box_that_one_of_four_workers_drew_is_not_kept():
    sure = [("cat", 10, 10, 40, 40), ("cat", 100, 10, 30, 40), ("cat", 140, 10, 30, 40)]
    merged = merge(
        {
            "ann": drawn(*sure),
            "bob": drawn(*sure),
            "cyd": drawn(*sure),
            "dan": drawn(*sure, ("cat", 60, 60, 20, 20)),
        }
    )
    assert len(merged.label_set.annotations) == 3


def test_a_worker_who_skipped_a_document_does_not_count_as_having_found_nothing():
    other = Image(name="b.png", width=200, height=100)
    boxes = [("cat", 10, 10, 40, 40)]
    both = (PAGE, other)
    skipped = merge({w: drawn(*boxes, documents=both) for w in "ab"} | {"c": drawn(*boxes)})
    assert [q.documents for q in skipped.workers] == [2, 2, 1]

    one = drawn(*boxes)
    empty = LabelSet(documents=(PAGE,))
    missed = merge({"a": one, "b": one, "c": empty, "d": empty, "e": empty})
    absent = LabelSet(documents=(other,))
    unread = merge({"a": one, "b": one, "c": absent, "d": absent, "e": absent})
    (real,) = unread.label_set.annotations
    assert all(a.score < real.score for a in missed.label_set.annotations)


def test_read_says_that_a_document_was_empty():
    one = drawn(("cat", 10, 10, 40, 40))
    silent = LabelSet(documents=(Image(name="b.png"),))
    told = merge({"a": one, "b": silent}, read={"b": ["a.png"]})
    assert [q.documents for q in told.workers] == [1, 2]


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), order=st.permutations(range(4)))
def test_the_order_of_workers_does_not_matter(seed, order):
    corners, document, worker, label = crowd(seed)
    shuffled = np.random.default_rng(seed).permutation(len(document))
    renamed = np.array(order)[worker]
    one = table(fused(corners, document, worker, label))
    two = table(
        fused(corners[shuffled], document[shuffled], renamed[shuffled], label[shuffled])
    )
    np.testing.assert_allclose(one, two, atol=1e-6)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.sampled_from([0.001, 0.5, 3.0, 1000.0]))
def test_the_unit_of_length_does_not_matter(seed, scale):
    one = fused(*crowd(seed))
    two = fused(*crowd(seed, scale=scale))
    np.testing.assert_allclose(one.corners * scale, two.corners, rtol=1e-6, atol=1e-6 * scale)
    np.testing.assert_allclose(one.objects.real, two.objects.real, atol=1e-9)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), workers=st.integers(1, 5))
def test_workers_who_draw_the_same_give_back_the_same(seed, workers):
    corners, document, _, label = crowd(seed, workers=1)
    copies = [np.tile(a, workers) for a in (document, label)]
    result = fused(
        np.tile(corners, (workers, 1)),
        copies[0],
        np.repeat(np.arange(workers), len(document)),
        copies[1],
        workers=workers,
    )
    ordered = corners[np.lexsort(corners.T)]
    np.testing.assert_allclose(result.corners[np.lexsort(result.corners.T)], ordered, atol=1e-9)
    assert (result.objects.real >= 0.5).all()


def test_two_boxes_of_one_worker_are_two_objects():
    twice = drawn(("cat", 10, 10, 40, 40), ("cat", 12, 10, 40, 40))
    merged = merge({"a": twice, "b": twice, "c": twice})
    assert [a.shape.x for a in merged.label_set.annotations] == [10, 12]


def test_boxes_with_differing_labels_in_one_place_stay_apart_where_all_workers_drew_both():
    both = drawn(("rider", 10, 10, 40, 40), ("bicycle", 12, 12, 40, 40))
    merged = merge({"a": both, "b": both, "c": both})
    assert sorted(a.label for a in merged.label_set.annotations) == ["bicycle", "rider"]


def test_a_careless_hand_moves_the_sides_less_than_a_careful_one():
    rng = np.random.default_rng(5)
    truth = np.tile([20.0, 20.0, 60.0, 60.0], (60, 1))
    rows = [truth + rng.normal(0, spread * 40, truth.shape) for spread in (0.01, 0.01, 0.15)]
    result = fuse_boxes(
        np.concatenate(rows),
        np.tile(np.arange(60), 3),
        worker=np.repeat(np.arange(3), 60),
        label=np.zeros(180, dtype=np.int64),
        read=np.ones((60, 3), dtype=bool),
        classes=1,
        least_overlap=0.2,
    )
    error = np.abs(result.corners[np.argsort(result.objects.document)] - truth).mean()
    assert error < 0.4 * np.abs(np.mean(rows, axis=0) - truth).mean()
    assert result.spread[2] > 5 * result.spread[:2].max()


def test_rotated_boxes_are_fused_whichever_side_is_called_the_width():
    level = Box(x=20, y=40, width=60, height=20, rotation_deg=30.0)
    upright = Box(x=40, y=20, width=20, height=60, rotation_deg=120.0)
    sets = {
        w: LabelSet(
            documents=(PAGE,),
            annotations=(Annotation(document="a.png", label="boat", shape=box),),
        )
        for w, box in {"a": level, "b": upright, "c": level}.items()
    }
    (only,) = merge(sets).label_set.annotations
    found = np.array([[only.shape.x, only.shape.y, 0, 0]])
    found[:, 2:] = found[:, :2] + [only.shape.width, only.shape.height]
    alike = overlaps(
        found,
        np.array([only.shape.rotation_deg]),
        np.array([[20.0, 40.0, 80.0, 60.0]]),
        np.array([30.0]),
    )
    assert alike[0, 0] == pytest.approx(1.0)


def test_boxes_beyond_the_image_are_cut_and_those_outside_dropped_with_a_note():
    far = drawn(("cat", 180, 10, 40, 40), ("cat", 300, 10, 40, 40))
    merged = merge({"a": far, "b": far})
    (only,) = merged.label_set.annotations
    assert only.shape == Box(x=180, y=10, width=20, height=40)
    assert merged.notes == (
        "2 boxes reach beyond their image; the part inside counts.",
        "2 boxes lie wholly outside their image and do not count.",
    )


def test_recall_precision_and_overlap_are_told_per_worker():
    good = [("cat", 10 + 50 * k, 10, 30, 30) for k in range(3)]
    merged = merge(
        {
            "a": drawn(*good),
            "b": drawn(*good),
            "c": drawn(*good),
            "d": drawn(good[0], ("cat", 20, 70, 25, 25)),
        }
    )
    quality = {q.worker: q for q in merged.workers}
    assert quality["a"].recall.value == pytest.approx(1.0, abs=0.02)
    assert quality["d"].recall.value == pytest.approx(1 / 3, abs=0.03)
    assert quality["d"].precision.value == pytest.approx(0.5, abs=0.1)
    assert quality["a"].overlap == pytest.approx(1.0)
    assert quality["d"].recall.intervals[0].low < 1 / 3 < quality["d"].recall.intervals[0].high


def test_attributes_that_most_workers_give_are_kept():
    def told(**attributes):
        box = Box(x=10, y=10, width=40, height=40)
        return LabelSet(
            documents=(PAGE,),
            annotations=(
                Annotation(document="a.png", label="cat", shape=box, attributes=attributes),
            ),
        )

    merged = merge({"a": told(pose="left", odd="1"), "b": told(pose="left"), "c": told()})
    assert merged.label_set.annotations[0].attributes == {"pose": "left"}


def test_a_careless_box_is_taken_in_by_the_fused_one():
    # Three careful boxes, and one that overlaps the fused one by a quarter and each by less
    # than 0.4: it is of the object. A box far off, and a second of the same worker, are not.
    careful = [(10.0, 10.0, 50.0, 50.0), (11.0, 10.0, 51.0, 50.0), (10.0, 11.0, 50.0, 51.0)]
    careless = [(25.0, 20.0, 65.0, 60.0), (150.0, 10.0, 190.0, 50.0), (24.0, 21.0, 64.0, 61.0)]
    corners = np.array(careful + careless)
    worker = np.array([0, 1, 2, 3, 3, 3])
    nothing = np.zeros(6, dtype=np.int64)
    own = overlaps(corners[3:4], np.zeros(1), corners[:3], np.zeros(3))
    assert 0.2 < own.min() < own.max() < 0.4
    found = fused(corners, nothing, worker, nothing)
    group = found.objects.group
    assert group[0] == group[1] == group[2]
    assert sorted((group[3:] == group[0]).tolist()) == [False, False, True]
    assert group[4] != group[0]


def test_lone_shapes_take_the_places_that_fit_best():
    similarity = np.array([[0.5, 0.3], [0.45, 0.1], [0.1, 0.05], [0.9, 0.9]])
    worker = np.array([0, 0, 1, 2])
    drawn = np.zeros((2, 3), dtype=bool)
    drawn[:, 2] = True
    # Worker 0 has both, the sum largest; worker 1 is too far off; worker 2 has drawn them.
    home = place_alone(similarity, worker, drawn, least=0.2)
    assert home.tolist() == [1, 0, -1, -1]
