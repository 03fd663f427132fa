"""Shapes, areas as pixels, tracks, and the rules that say which shapes are valid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from titian.annotation.masks import decode_mask, encode_mask, rasterise
from titian.annotation.shapes import (
    Annotation,
    Audio,
    Box,
    Image,
    KeyFrame,
    LabelClass,
    LabelSet,
    Mask,
    Polygon,
    Relation,
    Segment,
    Text,
    TextSpan,
    Track,
    Video,
    box_corners,
    extent,
    numbered_classes,
)
from titian.annotation.tracks import keyframe_at, seen_frames
from titian.annotation.validity import crossing_of, mend, problems_of

IMAGE = Image(name="a", width=100, height=50)
REFUSED = {
    "outside": (
        IMAGE,
        Box(x=90, y=10, width=20, height=5),
        "T-A120: annotation 0 (id 'i') of 'a', label 'x': reaches (110, 10), outside the image "
        "of 100 x 50. Correct it, or mend it: it is cut at the edge (--geometry mend).",
    ),
    "empty": (
        IMAGE,
        Box(x=1, y=1, width=0, height=5),
        "T-A121: annotation 0 (id 'i') of 'a', label 'x': is 0 x 5, which has no area. "
        "Correct it, or mend it: it is removed (--geometry mend).",
    ),
    "crossed": (
        IMAGE,
        Polygon(rings=(((0.0, 0.0), (9.0, 9.0), (9.0, 0.0), (0.0, 5.0)),)),
        "T-A122: annotation 0 (id 'i') of 'a', label 'x': crosses itself: sides 0 and 2 of "
        "part "
        "0 meet. Correct it in the tool that it was drawn with.",
    ),
    "span": (
        Text(name="a", text="short"),
        TextSpan(start=3, end=9),
        "T-A123: annotation 0 (id 'i') of 'a', label 'x': from 3 to 9 is outside the text "
        "of 5. "
        "Correct it in the tool that it was drawn with.",
    ),
    "time": (
        Audio(name="a", duration_s=5),
        Segment(start_s=4, end_s=6),
        "T-A125: annotation 0 (id 'i') of 'a', label 'x': from 4 s to 6 s is outside the "
        "recording of 5 s. Correct it, or mend it: it is cut at the end (--geometry mend).",
    ),
    "kind": (
        Text(name="a", text="short"),
        Box(x=0, y=0, width=1, height=1),
        "T-A126: annotation 0 (id 'i') of 'a', label 'x': is a Box, which cannot lie on a "
        "text. "
        "Correct it in the tool that it was drawn with.",
    ),
    "runs": (
        IMAGE,
        Mask(width=100, height=50, counts=(1, 2)),
        "T-A127: annotation 0 (id 'i') of 'a', label 'x': its runs do not cover 100 x 50 "
        "pixels. "
        "Correct it in the tool that it was drawn with.",
    ),
    "number": (
        IMAGE,
        Box(x=float("nan"), y=0, width=1, height=1),
        "T-A128: annotation 0 (id 'i') of 'a', label 'x': has a coordinate that is no finite "
        "number. Correct it in the tool that it was drawn with.",
    ),
    "track": (
        Video(name="a", frames=5),
        Track(keyframes=(KeyFrame(frame=7, box=Box(x=0, y=0, width=1, height=1)),)),
        "T-A125: annotation 0 (id 'i') of 'a', label 'x': has a key frame outside the film "
        "of 5 "
        "frames. Correct it, or mend it: it is cut at the end (--geometry mend).",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_shapes_that_break_a_rule_are_named(case):
    document, shape, message = REFUSED[case]
    annotation = Annotation(document="a", label="x", shape=shape, id="i")
    label_set = LabelSet(documents=(document,), annotations=(annotation,))
    assert [str(problem) for problem in problems_of(label_set)] == [message]


def test_rounding_at_the_edge_is_allowed():
    box = Box(x=-0.0009, y=0, width=100.0009, height=50)
    annotation = Annotation(document="a", label="x", shape=box)
    assert problems_of(LabelSet(documents=(IMAGE,), annotations=(annotation,))) == []


def test_names_must_be_there_and_unique():
    one = Annotation(document="b", label="x", shape=Box(x=0, y=0, width=1, height=1), id="i")
    label_set = LabelSet(
        documents=(IMAGE,),
        annotations=(one, one),
        relations=(Relation(label="r", source="i", target="j"),),
    )
    assert [problem.message for problem in problems_of(label_set)] == [
        "the label set: annotations are about 'b', which is no document of it.",
        "the label set: two annotations have the id 'i'.",
        "the label set: a relation 'r' names 'j', which is no annotation.",
    ]


def _segments(*times, **more):
    return tuple(
        Annotation(document="s", label="x", shape=Segment(start_s=a, end_s=b), **more)
        for a, b in times
    )


def test_overlapping_segments_that_say_the_same_are_refused_and_mended():
    label_set = LabelSet(
        documents=(Audio(name="s", duration_s=10.0),),
        annotations=(
            *_segments((0, 2), (1, 4), (3, 6), (6, 7), (9, 12)),
            *_segments((0, 2), annotator="b"),
        ),
    )
    codes = [problem.code for problem in problems_of(label_set)]
    assert codes == ["T-A125", "T-A124", "T-A124"]
    mended, counts = mend(label_set)
    assert [(a.shape.start_s, a.shape.end_s) for a in mended.annotations] == [
        (0, 6), (6, 7), (9, 10.0), (0, 2),
    ]  # fmt: skip
    assert counts == {"cut": 1, "joined": 2, "removed": 0}
    assert problems_of(mended) == []


def test_mending_cuts_boxes_and_removes_what_is_empty():
    boxes = (Box(x=90, y=-5, width=20, height=10), Box(x=120, y=0, width=5, height=5))
    crossed = Polygon(rings=(((0.0, 0.0), (9.0, 9.0), (9.0, 0.0), (0.0, 5.0)),))
    shapes = (*boxes, crossed)
    label_set = LabelSet(
        documents=(IMAGE,),
        annotations=tuple(
            Annotation(document="a", label="x", shape=shape, id=str(n))
            for n, shape in enumerate(shapes)
        ),
        relations=(Relation(label="r", source="0", target="1"),),
    )
    mended, counts = mend(label_set)
    assert mended.annotations[0].shape == Box(x=90, y=0, width=10, height=5)
    assert [a.id for a in mended.annotations] == ["0", "2"]
    assert (counts["removed"], mended.relations) == (1, ())
    # A crossing outline has no one meaning: it stays, and is still refused.
    assert [problem.code for problem in problems_of(mended)] == ["T-A122"]


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_masks_come_back(width, height, data):
    bits = data.draw(st.lists(st.booleans(), min_size=width * height, max_size=width * height))
    pixels = np.asarray(bits).reshape(height, width)
    mask = encode_mask(pixels)
    assert sum(mask.counts) == width * height
    assert (decode_mask(mask) == pixels).all()


def test_a_polygon_fills_the_pixels_whose_centres_it_holds():
    square = Polygon(rings=(((1.0, 1.0), (4.0, 1.0), (4.0, 3.0), (1.0, 3.0)),))
    area = rasterise(square, width=6, height=5)
    assert np.argwhere(area).tolist() == [[r, c] for r in (1, 2) for c in (1, 2, 3)]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 8), min_size=4, max_size=4))
def test_a_box_fills_its_own_pixels(numbers):
    x, y, width, height = numbers
    ring = box_corners(Box(x=x, y=y, width=width + 1, height=height + 1))
    area = rasterise(Polygon(rings=(ring,)), width=20, height=20)
    expected = np.zeros((20, 20), dtype=bool)
    expected[y : y + height + 1, x : x + width + 1] = True
    assert (area == expected).all()


def test_touching_is_no_crossing():
    # Two triangles that meet in a point, as outlines traced around pixels do.
    assert (
        crossing_of(((0.0, 0.0), (2.0, 0.0), (1.0, 1.0), (2.0, 2.0), (0.0, 2.0), (1.0, 1.0)))
        is None
    )
    assert crossing_of(((0.0, 0.0), (2.0, 2.0), (2.0, 0.0), (0.0, 2.0))) == (0, 2)


def test_corners_turn_clockwise_about_the_centre():
    corners = box_corners(Box(x=0, y=0, width=4, height=2, rotation_deg=90))
    assert corners[0] == pytest.approx((3, -1))
    upright = extent(corners)
    assert (upright.x, upright.y) == pytest.approx((1, -1))
    assert (upright.width, upright.height) == pytest.approx((2, 4))


def test_tracks_move_in_straight_lines_and_end_where_outside():
    def key(frame, x, **more):
        return KeyFrame(frame=frame, box=Box(x=x, y=0, width=1, height=1), **more)

    track = Track(keyframes=(key(0, 0), key(4, 8), key(6, 8, outside=True), key(9, 0)))
    assert keyframe_at(track, 1).box.x == 2
    assert [k.frame for k in seen_frames(track)] == [0, 1, 2, 3, 4, 5, 9]
    assert keyframe_at(track, 20).box.x == 0
    still = Track(keyframes=(key(0, 0), key(4, 8)), interpolated=False)
    assert [k.frame for k in seen_frames(still)] == [0, 4]
    turning = KeyFrame(frame=2, box=Box(x=0, y=0, width=1, height=1, rotation_deg=-170))
    turned = KeyFrame(frame=0, box=Box(x=0, y=0, width=1, height=1, rotation_deg=170))
    assert keyframe_at(Track(keyframes=(turned, turning)), 1).box.rotation_deg == 180


def test_classes_keep_their_numbers_where_all_have_one():
    numbered = (LabelClass(name="b", number=7), LabelClass(name="a", number=2))
    label_set = LabelSet(documents=(), classes=numbered)
    assert numbered_classes(label_set, first=1) == {"b": 7, "a": 2}
    more = LabelSet(documents=(), classes=(*numbered, LabelClass(name="c")))
    assert numbered_classes(more, first=1) == {"b": 1, "a": 2, "c": 3}
