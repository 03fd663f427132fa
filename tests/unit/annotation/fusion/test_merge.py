"""What can be merged, who read what, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from titian.annotation.fusion import merge
from titian.annotation.fusion.classes import vote
from titian.annotation.fusion.existence import existence
from titian.annotation.shapes import (
    Annotation,
    Audio,
    Box,
    Classification,
    Image,
    Keypoint,
    Keypoints,
    LabelSet,
    Mask,
    Polygon,
    Relation,
    Segment,
    Text,
    TextSpan,
    Track,
    Video,
)
from titian.annotation.validity import problems_of
from titian.errors import InputError

PAGE = Image(name="a", width=100, height=100)


def with_shape(shape, document=PAGE) -> LabelSet:
    return LabelSet(
        documents=(document,),
        annotations=(Annotation(document=document.name, label="x", shape=shape),),
    )


def test_a_merge_of_nothing_is_refused():
    with pytest.raises(InputError) as caught:
        merge({})
    assert str(caught.value) == (
        "T-A300: there are no label sets; a merge needs at least one. "
        "Name a worker and a label set."
    )


def test_all_problems_of_all_sets_are_told_together():
    other = LabelSet(documents=(Image(name="a", width=50),))
    stray = LabelSet(
        documents=(PAGE,),
        annotations=(
            Annotation(document="b", label="x", shape=Box(x=0, y=0, width=1, height=1)),
            Annotation(document="a", label="x", shape=Box(x=0, y=0, width=0, height=1)),
        ),
    )
    with pytest.raises(InputError) as caught:
        merge({"ann": stray, "bob": other})
    assert str(caught.value).split("\n") == [
        "T-A301: document 'a' of worker 'bob' is not the one that another worker saw: its "
        "kind, text, size or length differs. Give every worker the same documents, or rename "
        "one of the two.",
        "T-A302: worker 'ann' has 1 annotations on documents that the set does not list "
        "(first: 'b' of annotation 0); each annotation names a listed document. List the "
        "document, or remove the annotations.",
        "T-A303: worker 'ann' has 1 boxes without an area (first: box 1 on 'a'); coordinates "
        "are finite, width and height above 0. Correct or remove them; titian annotation "
        "convert --geometry mend removes them.",
    ]


@pytest.mark.parametrize(
    ("code", "shape", "document"),
    [
        ("T-A303", Box(x=float("nan"), y=0, width=1, height=1), PAGE),
        ("T-A304", Polygon(rings=(((0, 0), (1, 1)),)), PAGE),
        ("T-A304", Polygon(rings=()), PAGE),
        ("T-A304", Mask(width=100, height=100, counts=(5, 5)), PAGE),
        ("T-A304", Mask(width=5, height=2, counts=(5, 5)), PAGE),
        ("T-A305", TextSpan(start=0, end=6), Text(name="a", text="short")),
        ("T-A305", TextSpan(start=2, end=2), Text(name="a", text="short")),
        ("T-A305", TextSpan(start=0, end=5, gaps=((3, 2),)), Text(name="a", text="short")),
        ("T-A306", Segment(start_s=2.0, end_s=1.0), Audio(name="a")),
        ("T-A306", Segment(start_s=-1.0, end_s=1.0), Audio(name="a")),
        ("T-A306", Segment(start_s=1.0, end_s=1.0), Audio(name="a")),
        ("T-A307", Track(keyframes=()), Video(name="a")),
        ("T-A308", Keypoints(points=(Keypoint(x=float("inf"), y=0),)), PAGE),
        ("T-A411", Box(x=0, y=0, width=1, height=1), Text(name="a", text="short")),
        ("T-A411", TextSpan(start=0, end=1), PAGE),
    ],
)
def test_a_shape_that_cannot_be_measured_is_refused(code, shape, document):
    with pytest.raises(InputError) as caught:
        merge({"ann": with_shape(shape, document)})
    assert [problem.code for problem in caught.value.problems] == [code]


@pytest.mark.parametrize(
    ("shape", "document"),
    [
        (Box(x=90, y=90, width=20, height=20), PAGE),
        (Polygon(rings=(((0, 0), (10, 10), (10, 0), (0, 10)),)), PAGE),
        (Polygon(rings=(((0, 0), (5, 5), (9, 9)),)), PAGE),
        (Mask(width=100, height=100, counts=(10_000,)), PAGE),
        (Segment(start_s=1.0, end_s=9.0), Audio(name="a", duration_s=5.0)),
    ],
    ids=["a box beyond", "a bow", "a line", "an empty mask", "a segment beyond"],
)
def test_a_shape_that_breaks_a_rule_but_can_be_measured_is_admitted(shape, document):
    assert [problem.code for problem in problems_of(with_shape(shape, document))]
    merge({"ann": with_shape(shape, document)})


def test_read_names_known_workers_and_documents():
    with pytest.raises(InputError) as caught:
        merge({"ann": LabelSet(documents=(PAGE,))}, read={"bob": ["a"], "ann": ["z"]})
    assert str(caught.value).split("\n") == [
        "T-A309: worker 'bob' is said to have read documents, but has no label set. "
        "Use one of the names 'ann'.",
        "T-A309: worker 'ann' is said to have read 'z', which no label set lists. "
        "Correct the name.",
    ]


def test_bounds_are_shares():
    with pytest.raises(InputError) as caught:
        merge({"ann": LabelSet(documents=(PAGE,))}, keep=1.0, least_overlap=0.0)
    assert str(caught.value).split("\n") == [
        "T-A310: keep is 1.0; it lies between 0 and 1, both excluded. "
        "Leave it out for the default.",
        "T-A310: least_overlap is 0.0; it lies between 0 and 1, both excluded. "
        "Leave it out for the default.",
    ]


def test_what_one_worker_knows_of_a_document_completes_what_another_does():
    one = LabelSet(documents=(Image(name="a", width=100),))
    two = LabelSet(documents=(Image(name="a", height=100),))
    assert merge({"a": one, "b": two}).label_set.documents == (PAGE,)


def test_what_is_lost_is_named():
    told = LabelSet(
        documents=(PAGE,),
        annotations=(Annotation(document="a", label="x", shape=Classification(), id="1"),),
        relations=(Relation(label="of", source="1", target="1"),),
    )
    assert merge({"ann": told}).notes == ("1 relations between annotations are not merged.",)


def test_shapes_of_several_kinds_stay_one_object_where_the_workers_say_so():
    def drawn(group, *, far=""):
        return LabelSet(
            documents=(PAGE,),
            annotations=(
                Annotation(
                    document="a",
                    label="x",
                    group=group,
                    shape=Box(x=10, y=10, width=40, height=40),
                ),
                Annotation(
                    document="a",
                    label="x",
                    group=group,
                    shape=Keypoints(points=(Keypoint(x=12, y=12), Keypoint(x=40, y=40))),
                ),
                Annotation(
                    document="a",
                    label="x",
                    group=far,
                    shape=Box(x=60, y=60, width=20, height=20),
                ),
            ),
        )

    merged = merge({"a": drawn("7"), "b": drawn("q"), "c": drawn("1", far="1")})
    assert [(type(a.shape), a.group) for a in merged.label_set.annotations] == [
        (Box, "1"),
        (Box, ""),
        (Keypoints, "1"),
    ]


def test_labels_of_whole_documents_are_voted_per_question():
    def said(*pairs):
        return LabelSet(
            documents=(PAGE,),
            annotations=tuple(
                Annotation(document="a", label=label, shape=Classification(question=question))
                for question, label in pairs
            ),
        )

    merged = merge(
        {
            "a": said(("view", "front"), ("sex", "f")),
            "b": said(("view", "front"), ("sex", "m")),
            "c": said(("view", "side"), ("sex", "f")),
        }
    )
    assert [(a.shape.question, a.label) for a in merged.label_set.annotations] == [
        ("sex", "f"),
        ("view", "front"),
    ]


def test_several_answers_to_one_question_are_voted_one_by_one():
    def said(*labels):
        return LabelSet(
            documents=(PAGE,),
            annotations=tuple(
                Annotation(document="a", label=label, shape=Classification())
                for label in labels
            ),
        )

    merged = merge(
        {"a": said("wet", "cold"), "b": said("wet", "cold"), "c": said("wet", "dark")}
    )
    assert [a.label for a in merged.label_set.annotations] == ["cold", "wet"]
    assert merged.notes == (
        "Some questions have several labels at once: each was decided by itself.",
    )


def test_existence_recovers_hit_rates_and_how_many_marks_are_real():
    rng = np.random.default_rng(2)
    real = np.arange(3000) < 2000
    hit, false = np.array([0.95, 0.8, 0.7, 0.5]), np.array([0.02, 0.05, 0.1, 0.2])
    marked = rng.random((3000, 4)) < np.where(real[:, None], hit, false)
    seen = marked.any(axis=1)
    found = existence(marked[seen], np.ones((int(seen.sum()), 4), dtype=bool))
    np.testing.assert_allclose(found.hit, hit, atol=0.04)
    assert ((found.real >= 0.5) == real[seen]).mean() > 0.95
    brier = ((found.real - real[seen]) ** 2).mean()
    assert brier < 0.04


def test_a_vote_learns_who_confuses_what():
    rng = np.random.default_rng(9)
    truth = rng.integers(0, 3, 600)
    poor = np.where((truth == 2) & (rng.random(600) < 0.8), 1, truth)
    good = [np.where(rng.random(600) < 0.1, rng.integers(0, 3, 600), truth) for _ in range(2)]
    found = vote(np.column_stack([*good, poor]), np.ones(600), classes=3)
    assert (found.posterior.argmax(axis=1) == truth).mean() > 0.97
    assert found.tables[2, 2, 1] == pytest.approx(0.8, abs=0.06)
