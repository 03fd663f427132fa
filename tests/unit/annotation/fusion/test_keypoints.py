"""Keypoints of several workers."""

from __future__ import annotations

import numpy as np
import pytest

from titian.annotation.fusion import merge
from titian.annotation.shapes import (
    HIDDEN,
    OCCLUDED,
    VISIBLE,
    Annotation,
    Image,
    Keypoint,
    Keypoints,
    LabelSet,
)

PAGE = Image(name="a.png", width=200, height=200)
NAMES = ("nose", "left", "right", "tail")
FIGURE = np.array([[50.0, 20.0], [30.0, 60.0], [70.0, 60.0], [50.0, 100.0]])


def posed(*figures, visibility=(VISIBLE,) * 4, names=NAMES) -> LabelSet:
    return LabelSet(
        documents=(PAGE,),
        annotations=tuple(
            Annotation(
                document="a.png",
                label="cat",
                shape=Keypoints(
                    points=tuple(
                        Keypoint(x=x, y=y, name=name, visibility=seen)
                        for (x, y), name, seen in zip(
                            np.asarray(figure).tolist(), names, visibility, strict=True
                        )
                    )
                ),
            )
            for figure in figures
        ),
    )


def places(annotation):
    return np.array([[p.x, p.y] for p in annotation.shape.points])


def test_workers_who_place_the_same_give_back_the_same():
    two = posed(FIGURE, FIGURE + np.array([90.0, 0.0]))
    merged = merge(dict.fromkeys("abc", two))
    assert [a.shape for a in merged.label_set.annotations] == [a.shape for a in two.annotations]


@pytest.mark.parametrize("names", [NAMES, ("",) * 4])
def test_one_slip_does_not_drag_a_point_along(names):
    slip = FIGURE.copy()
    slip[3] += [40, 0]
    merged = merge(
        {
            "a": posed(FIGURE + 0.5, names=names),
            "b": posed(FIGURE - 0.5, names=names),
            "c": posed(slip, names=names),
        }
    )
    (only,) = merged.label_set.annotations
    np.testing.assert_allclose(places(only), FIGURE, atol=2.0)


def test_visibility_is_voted_and_a_hidden_point_has_no_place():
    dark = posed(FIGURE, visibility=(VISIBLE, VISIBLE, OCCLUDED, HIDDEN))
    merged = merge({"a": dark, "b": dark, "c": posed(FIGURE)})
    points = merged.label_set.annotations[0].shape.points
    assert [p.visibility for p in points] == [VISIBLE, VISIBLE, OCCLUDED, HIDDEN]
    assert (points[3].x, points[3].y) == (0.0, 0.0)


def test_the_order_of_workers_and_the_unit_of_length_do_not_matter():
    rng = np.random.default_rng(8)
    drawn = [FIGURE + rng.normal(0, 2, FIGURE.shape) for _ in range(4)]
    one = merge({f"w{k}": posed(d) for k, d in enumerate(drawn)})
    two = merge({f"w{k}": posed(drawn[k] * 0.1) for k in (2, 0, 3, 1)})
    np.testing.assert_allclose(
        places(one.label_set.annotations[0]),
        places(two.label_set.annotations[0]) * 10,
        atol=1e-6,
    )


def test_an_object_without_a_labelled_point_does_not_count():
    merged = merge({"a": posed(FIGURE, visibility=(HIDDEN,) * 4)})
    assert merged.label_set.annotations == ()
    assert merged.notes == ("1 keypoint objects have no labelled point and do not count.",)
