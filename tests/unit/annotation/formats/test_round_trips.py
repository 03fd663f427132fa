"""What a format can hold comes back as it was."""

from __future__ import annotations

import importlib.util
import math
import sys
import tempfile
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from titian.annotation.formats import FORMATS
from titian.annotation.shapes import (
    Box,
    Keypoint,
    Keypoints,
    LabelSet,
    Track,
    box_corners,
)
from titian.annotation.tracks import keyframe_at

_PATH = Path(__file__).with_name("strategies.py")
_SPEC = importlib.util.spec_from_file_location("format_strategies", _PATH)
s = importlib.util.module_from_spec(_SPEC)
sys.modules["format_strategies"] = s
_SPEC.loader.exec_module(s)

ANNOTATORS = st.sampled_from(["", "ann"])
quick = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)


def there_and_back(name, label_set, target="labels"):
    """Write and read; return the losses and what came back."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / target
        losses = FORMATS[name].write(label_set, path)
        return losses, FORMATS[name].read(path)


def content(label_set, *, drop=()):
    """Documents and annotations in one order, without what is dropped."""
    documents = sorted(label_set.documents, key=lambda d: d.name)
    kept = [
        replace(a, **{key: type(getattr(a, key))() for key in drop})
        for a in label_set.annotations
    ]
    return documents, sorted(
        kept, key=lambda a: (a.document, a.label, repr(a.shape)[:60], repr(a))
    )


def assert_same(left, right, tolerance=0.0):
    """Compare values, floats within a tolerance."""
    if isinstance(left, float) or isinstance(right, float):
        assert left is not None
        assert right is not None
        assert math.isclose(left, right, abs_tol=tolerance, rel_tol=0), (left, right)
    elif is_dataclass(left):
        assert type(left) is type(right)
        for f in fields(left):
            assert_same(getattr(left, f.name), getattr(right, f.name), tolerance)
    elif isinstance(left, list | tuple):
        assert len(left) == len(right), (left, right)
        for a, b in zip(left, right, strict=True):
            assert_same(a, b, tolerance)
    else:
        assert left == right


def in_order(label_set):
    """Annotations grouped by document, as files of many documents have them."""
    places = {d.name: n for n, d in enumerate(label_set.documents)}
    return sorted(label_set.annotations, key=lambda a: places[a.document])


@quick
@given(
    s.image_sets(
        s.boxes | s.polygons | s.masks,
        ids=True, score=s.scores, attributes=s.attributes, annotator=ANNOTATORS,
    )
)  # fmt: skip
def test_coco_holds_boxes_polygons_and_masks(label_set):
    losses, back = there_and_back("coco", label_set)
    assert losses == ()
    assert back.documents == label_set.documents
    assert in_order(label_set) == list(back.annotations)


@quick
@given(s.image_sets(s.boxes | s.polygons, ids=True))
def test_coco_joins_the_parts_of_one_object(label_set):
    grouped = replace(
        label_set,
        annotations=tuple(
            a
            for n, one in enumerate(label_set.annotations)
            for a in (
                replace(one, shape=Box(x=900, y=n, width=5, height=5), id=f"{n + 1}",
                        group=f"{n + 1}"),
                replace(
                    one,
                    shape=Keypoints(points=(Keypoint(x=1.0, y=2.0, visibility=1),)),
                    id=f"{n + 1}:1", group=f"{n + 1}",
                ),
            )
        ),
    )  # fmt: skip
    losses, back = there_and_back("coco", grouped)
    assert losses == ()
    assert in_order(grouped) == list(back.annotations)


@quick
@given(s.image_sets(s.boxes | s.polygons, score=s.scores))
def test_yolo_holds_boxes_and_outlines_within_rounding(label_set):
    losses, back = there_and_back("yolo", label_set)
    assert losses == ()
    assert_same(content(back)[0], content(label_set)[0])
    assert len(back.annotations) == len(label_set.annotations)
    ours = sorted(label_set.annotations, key=lambda a: a.document)
    for a, b in zip(ours, back.annotations, strict=True):
        assert_same(a, b, 1e-9)


@quick
@given(
    s.image_sets(
        s.boxes, attributes=st.dictionaries(st.sampled_from(["pose", "difficult"]), s.any_words)
    )
)
def test_voc_holds_boxes(label_set):
    losses, back = there_and_back("voc", label_set)
    assert losses == ()
    ours = sorted(label_set.annotations, key=lambda a: a.document)
    assert_same(sorted(label_set.documents, key=lambda d: d.name), list(back.documents))
    assert_same(ours, list(back.annotations), 1e-9)


@quick
@given(
    s.image_sets(
        s.turned_boxes | s.polygons | s.masks | s.keypoints | s.classifications,
        labels=s.any_words, attributes=s.attributes, group=st.sampled_from(["", "7"]),
    )
)  # fmt: skip
def test_cvat_holds_the_shapes_of_images(label_set):
    losses, back = there_and_back("cvat", label_set)
    assert losses == ()
    assert back.documents == label_set.documents
    assert_same(in_order(label_set), list(back.annotations), 1e-9)


@quick
@given(s.video_sets(count=1, boxes=s.turned_boxes, outside=True))
def test_cvat_holds_the_tracks_of_a_film(label_set):
    losses, back = there_and_back("cvat", label_set)
    assert losses == ()
    assert back.documents == label_set.documents
    assert_same(list(label_set.annotations), list(back.annotations), 1e-9)


@quick
@given(
    s.image_sets(
        s.turned_boxes | s.polygons | s.masks | s.single_points,
        labels=s.any_words, attributes=s.attributes, score=s.scores,
        annotator=st.sampled_from(["", "a@b.my"]),
    )
)  # fmt: skip
def test_label_studio_holds_the_shapes_of_images(label_set):
    losses, back = there_and_back("labelstudio", label_set)
    assert losses == ()
    assert back.documents == label_set.documents
    key = lambda a: (a.document, a.annotator, a.label, repr(type(a.shape)), str(a.attributes))  # noqa: E731
    ours = sorted(label_set.annotations, key=key)
    theirs = sorted((replace(a, id="", group="") for a in back.annotations), key=key)
    assert len(ours) == len(theirs)
    if len({key(a) for a in ours}) == len(ours):
        assert_same(ours, theirs, 1e-6)


@quick
@given(s.text_sets(labels=s.any_words, score=s.scores))
def test_label_studio_holds_spans(label_set):
    losses, back = there_and_back("labelstudio", label_set)
    assert losses == ()
    assert back.documents == label_set.documents
    assert content(back, drop=("id",)) == content(label_set)


@quick
@given(
    s.audio_sets(
        labels=s.any_words,
        durations=20000.5,
        suffix=".wav",
        channel=st.none() | st.integers(1, 2),
    )
)
def test_label_studio_holds_segments(label_set):
    losses, back = there_and_back("labelstudio", label_set)
    assert losses == ()
    assert back.documents == label_set.documents
    assert content(back, drop=("id",)) == content(label_set)


@quick
@given(s.video_sets(outside=True, interpolated=st.booleans()))
def test_label_studio_holds_tracks_frame_by_frame(label_set):
    label_set = replace(
        label_set,
        annotations=tuple(replace(a, id=f"{a.document}:{a.id}") for a in label_set.annotations),
    )
    losses, back = there_and_back("labelstudio", label_set)
    assert losses == ()
    assert back.documents == label_set.documents
    theirs = {a.id: a.shape for a in back.annotations}
    for annotation in label_set.annotations:
        assert_tracks_agree(annotation.shape, theirs[annotation.id])


def assert_tracks_agree(ours: Track, theirs: Track, tolerance=1e-6):
    last = max(ours.keyframes[-1].frame, theirs.keyframes[-1].frame)
    for frame in range(last + 1):
        a, b = keyframe_at(ours, frame), keyframe_at(theirs, frame)
        assert (a is None) == (b is None), frame
        if a is not None:
            assert_same(a.box, b.box, tolerance)


@quick
@given(
    s.image_sets(
        s.boxes | s.polygons | s.masks | s.keypoints | s.classifications,
        labels=s.any_words,
    )
)
def test_labelme_holds_the_shapes_of_images(label_set):
    seen = {(a.document, a.label, repr(type(a.shape))) for a in label_set.annotations}
    losses, back = there_and_back("labelme", label_set)
    if len(seen) == len(label_set.annotations):
        assert losses == ()
        key = lambda a: (a.document, a.label, repr(type(a.shape)))  # noqa: E731
        assert_same(
            sorted(label_set.annotations, key=key), sorted(back.annotations, key=key), 1e-9
        )
    assert_same(sorted(label_set.documents, key=lambda d: d.name), list(back.documents))


@quick
@given(s.video_sets(interpolated=st.just(False), fps=25.0))
def test_mot_holds_boxes_of_every_frame(label_set):
    label_set = replace(
        label_set,
        annotations=tuple(replace(a, id=f"{a.document}:{a.id}") for a in label_set.annotations),
    )
    losses, back = there_and_back("mot", label_set)
    assert losses == ()
    assert content(back) == content(label_set)


@quick
@given(s.audio_sets(low_hz=st.none() | st.integers(1, 9).map(float)))
def test_audacity_holds_segments(label_set):
    losses, back = there_and_back("audacity", label_set)
    assert losses == ()
    assert content(back) == content(label_set)


@quick
@given(
    s.audio_sets(
        speaker=st.just("") | s.plain_words, labels=st.text("a<b>&c;/ltv ", max_size=9)
    )
)
def test_webvtt_holds_segments_in_milliseconds(label_set):
    losses, back = there_and_back("webvtt", label_set)
    assert losses == ()
    assert content(back) == content(label_set)


@quick
@given(
    s.audio_sets(labels=s.plain_words, score=s.scores, channel=st.none() | st.integers(1, 2))
)
def test_rttm_holds_segments(label_set):
    losses, back = there_and_back("rttm", label_set)
    used = {a.document for a in label_set.annotations}
    assert all(loss.what == "documents" for loss in losses)
    held = LabelSet(
        documents=tuple(d for d in label_set.documents if d.name in used),
        annotations=label_set.annotations,
    )
    assert_same(content(held), content(back), 1e-9)


@quick
@given(
    s.text_sets(
        labels=s.any_words,
        attributes=s.attributes,
        score=s.scores,
        annotator=st.sampled_from(["", "x", "y"]),
    )
)
def test_spacy_holds_spans(label_set):
    losses, back = there_and_back("spacy", label_set)
    assert losses == ()
    assert back.documents == label_set.documents
    assert content(back) == content(label_set)


@quick
@given(s.text_sets(labels=s.any_words, gaps=True, attributes=s.attributes))
def test_brat_holds_spans_with_gaps(label_set):
    losses, back = there_and_back("brat", label_set)
    assert losses == ()
    assert content(back, drop=("id",)) == content(label_set)


@quick
@given(s.text_sets(labels=s.plain_words, texts=st.text("ab .\n,", min_size=1, max_size=30)))
def test_conll_holds_tagged_tokens(label_set):
    """Once written, nothing changes any more; the words under each tag are the same."""
    _, back = there_and_back("conll", label_set)
    losses, again = there_and_back("conll", back)
    assert losses == ()
    assert again == back


def test_rotated_boxes_turn_about_the_corner_in_label_studio():
    from titian.annotation.formats.labelstudio_regions import corner_of, turned_box

    box = Box(x=10, y=20, width=40, height=30, rotation_deg=90)
    assert corner_of(box) == pytest.approx(box_corners(box)[0])
    assert_same(turned_box(*corner_of(box), 40, 30, 90), box, 1e-9)
