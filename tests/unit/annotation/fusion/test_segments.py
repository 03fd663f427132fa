"""Segments of time of several workers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from titian.annotation.fusion import merge
from titian.annotation.shapes import Annotation, Audio, LabelSet, Segment

TAPE = Audio(name="tape", duration_s=60.0)


def heard(*segments, document=TAPE, **more) -> LabelSet:
    return LabelSet(
        documents=(document,),
        annotations=tuple(
            Annotation(
                document=document.name,
                label=label,
                shape=Segment(start_s=start, end_s=end, **more),
            )
            for label, start, end in segments
        ),
    )


def found(merged):
    return [(a.label, a.shape.start_s, a.shape.end_s) for a in merged.label_set.annotations]


def test_boundaries_are_placed_between_those_of_the_workers():
    merged = merge(
        {
            "a": heard(("cough", 10.0, 20.0), ("speech", 30.0, 50.0)),
            "b": heard(("cough", 10.2, 20.2), ("speech", 30.2, 49.8)),
            "c": heard(("cough", 9.8, 19.8), ("speech", 29.8, 50.2)),
        }
    )
    (cough, speech) = found(merged)
    assert cough == ("cough", pytest.approx(10, abs=0.1), pytest.approx(20, abs=0.1))
    assert speech == ("speech", pytest.approx(30, abs=0.1), pytest.approx(50, abs=0.1))


def test_a_segment_that_one_of_four_heard_is_left_out():
    sure = [("cough", 10.0, 20.0), ("cough", 30.0, 35.0)]
    merged = merge(
        {
            "a": heard(*sure),
            "b": heard(*sure),
            "c": heard(*sure),
            "d": heard(*sure, ("cough", 50.0, 52.0)),
        }
    )
    assert found(merged) == sure


def test_speakers_who_talk_at_once_are_decided_one_by_one():
    def talk(speaker, start, end):
        return Annotation(
            document="tape",
            label="talk",
            shape=Segment(start_s=start, end_s=end, speaker=speaker),
        )

    both = LabelSet(documents=(TAPE,), annotations=(talk("x", 1.0, 9.0), talk("y", 5.0, 12.0)))
    merged = merge({"a": both, "b": both})
    assert [(a.shape.speaker, a.shape.start_s) for a in merged.label_set.annotations] == [
        ("x", 1.0),
        ("y", 5.0),
    ]
    assert merged.notes[0].startswith("Some segments of one worker overlap")


def test_channels_are_merged_apart():
    left, right = heard(("hum", 1.0, 5.0), channel=1), heard(("hum", 1.0, 5.0), channel=2)
    both = LabelSet(documents=(TAPE,), annotations=left.annotations + right.annotations)
    merged = merge({"a": both, "b": both})
    assert [a.shape.channel for a in merged.label_set.annotations] == [1, 2]


def test_what_lies_beyond_the_end_is_cut_with_a_note():
    late = heard(("hum", 55.0, 70.0), ("hum", 80.0, 90.0))
    merged = merge({"a": late, "b": late})
    assert found(merged) == [("hum", 55.0, 60.0)]
    assert merged.notes == (
        "2 segments reach beyond the end of their document; the part inside counts.",
        "2 segments lie wholly beyond the end of their document and do not count.",
    )


ROWS = st.lists(
    st.tuples(st.sampled_from("xy"), st.floats(0.5, 8.0), st.floats(0.5, 4.0)), max_size=5
)


def laid(rows):
    """Lay (label, pause, length) one after the other."""
    out, now = [], 0.0
    for label, pause, length in rows:
        start = round(now + pause, 3)
        now = round(start + length, 3)
        out.append((label, start, now))
    return out


@settings(max_examples=40, deadline=None)
@given(rows=ROWS, workers=st.integers(1, 4))
def test_workers_who_mark_the_same_give_back_the_same(rows, workers):
    given_rows = laid(rows)
    merged = merge({f"w{k}": heard(*given_rows) for k in range(workers)})
    assert found(merged) == given_rows


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(ROWS, min_size=3, max_size=3),
    scale=st.sampled_from([0.001, 60.0]),
    order=st.permutations(range(3)),
)
def test_neither_the_unit_of_time_nor_the_order_of_workers_matters(rows, scale, order):
    def grown(by, row):
        return [(label, start * by, end * by) for label, start, end in laid(row)]

    free = Audio(name="tape")
    one = merge({f"w{k}": heard(*grown(1.0, rows[k]), document=free) for k in range(3)})
    two = merge({f"w{k}": heard(*grown(scale, rows[k]), document=free) for k in order})
    first, second = found(one), found(two)
    assert [row[0] for row in first] == [row[0] for row in second]
    np.testing.assert_allclose(
        np.array([row[1:] for row in first]) * scale,
        np.array([row[1:] for row in second]),
        rtol=1e-6,
        atol=1e-9,
    )
