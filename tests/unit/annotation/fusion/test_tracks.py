"""Object tracks of several workers."""

from __future__ import annotations

import pytest

from titian.annotation.fusion import merge
from titian.annotation.fusion.tracks import course_of, covered
from titian.annotation.shapes import Annotation, Box, KeyFrame, LabelSet, Track, Video

FILM = Video(name="film", width=400, height=300, frames=100)


def key(frame, x, y=50.0, size=40.0, **more):
    return KeyFrame(frame=frame, box=Box(x=x, y=y, width=size, height=size), **more)


def followed(*tracks) -> LabelSet:
    return LabelSet(
        documents=(FILM,),
        annotations=tuple(
            Annotation(document="film", label="car", shape=Track(keyframes=keys))
            for keys in tracks
        ),
    )


def test_workers_who_follow_the_same_give_back_the_same():
    one = followed((key(0, 10), key(20, 110), key(40, 110)), (key(5, 10, 200), key(9, 50, 200)))
    merged = merge(dict.fromkeys("abc", one))
    assert [a.shape for a in merged.label_set.annotations] == [a.shape for a in one.annotations]


def test_boxes_are_fused_between_key_frames_and_thinned_back():
    merged = merge(
        {
            "a": followed((key(0, 10), key(40, 210))),
            "b": followed((key(0, 12), key(20, 112), key(40, 212))),
            "c": followed((key(0, 8), key(10, 58), key(40, 208))),
        }
    )
    (only,) = merged.label_set.annotations
    assert [k.frame for k in only.shape.keyframes] == [0, 40]
    first, last = (k.box for k in only.shape.keyframes)
    assert first.x == pytest.approx(10, abs=0.5)
    assert last.x == pytest.approx(210, abs=0.5)


def test_out_of_sight_is_voted_frame_by_frame():
    gone = (key(0, 10), key(10, 60), key(11, 60, outside=True), key(30, 160), key(40, 210))
    merged = merge(
        {
            "a": followed(gone),
            "b": followed((key(0, 10.5), *gone[1:])),
            "c": followed((key(0, 10), key(40, 210))),
        }
    )
    (only,) = merged.label_set.annotations
    frames = course_of(only.shape).frame
    assert set(range(11)) | set(range(30, 41)) == set(frames.tolist())


def test_overlap_of_tracks_counts_frames_of_either():
    long = course_of(Track(keyframes=(key(0, 10), key(9, 10))))
    short = course_of(Track(keyframes=(key(0, 10), key(4, 10))))
    assert covered(long, short) == pytest.approx(0.5)


def test_a_track_that_one_of_four_drew_is_left_out():
    sure = [(key(0, 10), key(30, 60)), (key(0, 10, 200), key(30, 60, 200))]
    merged = merge(
        {w: followed(*sure) for w in "abc"}
        | {"d": followed(*sure, (key(50, 300), key(60, 300)))}
    )
    assert len(merged.label_set.annotations) == 2


def test_a_track_never_in_sight_does_not_count():
    merged = merge({"a": followed((key(0, 10, outside=True),))})
    assert merged.label_set.annotations == ()
    assert merged.notes == ("1 tracks are never in sight and do not count.",)


def test_occlusion_is_kept_where_most_see_it():
    dark = (key(0, 10), key(10, 60, occluded=True), key(20, 110))
    merged = merge(
        {
            "a": followed(dark),
            "b": followed((key(0, 10.4), *dark[1:])),
            "c": followed((key(0, 10), key(20, 110))),
        }
    )
    keys = merged.label_set.annotations[0].shape.keyframes
    assert [k.frame for k in keys if k.occluded] == [10]
