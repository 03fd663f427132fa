"""Text spans of several workers."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from titian.annotation.fusion import merge
from titian.annotation.shapes import Annotation, LabelSet, Text, TextSpan

NOTE = Text(name="note", text="Siti binti Omar met Tan Wei Ming in Kota Kinabalu on Monday.")


def marked(*spans: tuple[str, int, int], gaps=(), documents=(NOTE,)) -> LabelSet:
    return LabelSet(
        documents=documents,
        annotations=tuple(
            Annotation(
                document=documents[0].name,
                label=label,
                shape=TextSpan(start=start, end=end, gaps=gaps),
            )
            for label, start, end in spans
        ),
    )


def found(merged):
    return [(a.label, a.shape.start, a.shape.end) for a in merged.label_set.annotations]


def test_two_of_three_workers_set_the_boundary():
    merged = merge(
        {
            "a": marked(("person", 0, 15), ("place", 36, 49)),
            "b": marked(("person", 0, 15), ("place", 36, 49)),
            "c": marked(("person", 0, 10), ("place", 36, 49)),
        }
    )
    assert found(merged) == [("person", 0, 15), ("place", 36, 49)]
    assert all(0.5 < a.score <= 1.0 for a in merged.label_set.annotations)


def test_the_label_of_most_workers_is_taken():
    merged = merge(
        {
            "a": marked(("person", 0, 15), ("place", 36, 49)),
            "b": marked(("person", 0, 15), ("place", 36, 49)),
            "c": marked(("place", 0, 15), ("place", 36, 49)),
        }
    )
    assert found(merged) == [("person", 0, 15), ("place", 36, 49)]


def test_spans_that_touch_stay_two_where_the_workers_say_so():
    two = marked(("name", 20, 24), ("name", 24, 32))
    one = marked(("name", 20, 32))
    assert found(merge({"a": two, "b": two, "c": one})) == [
        ("name", 20, 24),
        ("name", 24, 32),
    ]
    assert found(merge({"a": two, "b": one, "c": one})) == [("name", 20, 32)]


def test_overlapping_spans_of_different_labels_are_decided_label_by_label():
    nested = marked(("person", 0, 15), ("surname", 11, 15))
    merged = merge({"a": nested, "b": nested, "c": marked(("person", 0, 15))})
    assert found(merged) == [("person", 0, 15), ("surname", 11, 15)]
    assert merged.notes == (
        "Some text spans of one worker overlap: each label was decided by itself, and merged "
        "ones of different labels may overlap.",
    )


def test_a_span_with_a_gap_comes_back_with_its_gap():
    split = marked(("name", 20, 32), gaps=((24, 28),))
    merged = merge({"a": split, "b": split, "c": marked(("name", 20, 24), ("name", 28, 32))})
    (only,) = merged.label_set.annotations
    assert only.shape == TextSpan(start=20, end=32, gaps=((24, 28),))


def test_a_worker_who_skipped_the_text_has_no_say():
    one = marked(("person", 0, 15))
    other = LabelSet(documents=(Text(name="other", text="x"),))
    assert found(merge({"a": one, "b": other, "c": other})) == [("person", 0, 15)]


def test_all_empty_gives_an_empty_set_with_the_documents():
    empty = LabelSet(documents=(NOTE,))
    merged = merge({"a": empty, "b": empty})
    assert merged.label_set == LabelSet(documents=(NOTE,))
    assert merged.workers == ()


SPANS = st.lists(
    st.tuples(st.sampled_from(["x", "y"]), st.integers(0, 58), st.integers(1, 12)), max_size=6
).map(lambda rows: apart([(k, a, min(a + n, 60)) for k, a, n in rows]))


def apart(rows):
    kept, reach = [], 0
    for label, start, end in sorted(rows, key=lambda row: row[1:]):
        if start >= reach:
            kept.append((label, start, end))
            reach = end
    return kept


@settings(max_examples=60, deadline=None)
@given(spans=SPANS, workers=st.integers(1, 4))
def test_workers_who_mark_the_same_give_back_the_same(spans, workers):
    assert found(merge({f"w{k}": marked(*spans) for k in range(workers)})) == spans


@settings(max_examples=40, deadline=None)
@given(sets=st.lists(SPANS, min_size=3, max_size=3), order=st.permutations(range(3)))
def test_the_order_of_workers_does_not_matter(sets, order):
    one = merge({f"w{k}": marked(*sets[k]) for k in range(3)})
    two = merge({f"w{k}": marked(*sets[k]) for k in order})
    assert found(one) == found(two)
    scores = [[a.score for a in merged.label_set.annotations] for merged in (one, two)]
    np.testing.assert_allclose(*scores, atol=1e-6)


def test_quality_counts_what_a_worker_missed_and_made_up():
    true = [("person", 0, 15), ("person", 20, 32), ("place", 36, 49)]
    merged = merge(
        {
            "a": marked(*true),
            "b": marked(*true),
            "c": marked(*true),
            "d": marked(true[0], ("place", 53, 59)),
        }
    )
    quality = {q.worker: q for q in merged.workers}
    assert quality["a"].recall.value > 0.95
    assert quality["d"].recall.value < 0.5
    assert quality["d"].precision.value < 0.7
