"""Agreement on spans, segments, boxes and masks."""

import numpy as np
import pytest

from titian.annotation.agreement import agreement_of_sets, krippendorff_alpha
from titian.annotation.agreement.units import (
    Drawing,
    Stretch,
    alpha_of_drawings,
    alpha_of_stretches,
    distance,
)
from titian.annotation.masks import encode_mask
from titian.annotation.shapes import (
    Annotation,
    Audio,
    Box,
    Image,
    LabelSet,
    Polygon,
    Segment,
    Text,
    TextSpan,
)
from titian.errors import InputError


def rng(seed=0):
    return np.random.default_rng(seed)


def stretch(document, worker, label, start, end):
    return Stretch(document=document, worker=worker, label=label, start=start, end=end)


def test_alpha_of_stretches_matches_a_hand_worked_case():
    # Length 10, worker 0 marks 0..4, worker 1 marks 2..6: pieces 0-2 and 4-6 differ (4 of 10).
    # Observed: 4 * 2 = 8 of 20. Cast: gaps 12, mark 8: expected 20 - (144 + 64)/20 = 9.6.
    found = alpha_of_stretches(
        [stretch(0, 0, 0, 0, 4), stretch(0, 1, 0, 2, 6)],
        lengths=[10.0],
        workers=[[0, 1]],
        rng=rng(),
    )
    assert found.value == pytest.approx(1 - 8 / 9.6)
    assert found.reason == "one document only"


def test_alpha_of_stretches_is_alpha_of_the_characters_in_a_long_text():
    draw = rng(1)
    stretches, labels = [], np.zeros((3, 4_000), dtype=int)
    for worker in range(3):
        for place in range(0, 4_000, 100):
            start = place + int(draw.integers(0, 30))
            end = start + int(draw.integers(10, 40))
            label = int(draw.random() < 0.3)
            stretches.append(stretch(0, worker, label, start, end))
            labels[worker, start:end] = label + 1
    found = alpha_of_stretches(
        stretches, lengths=[4_000.0], workers=[[0, 1, 2]], rng=rng(), draws=0
    )
    task = np.tile(np.arange(4_000), 3)
    by_character = krippendorff_alpha(task, labels.reshape(-1))
    assert found.value == pytest.approx(by_character, abs=2e-4)


def test_the_unit_of_time_changes_nothing():
    def measured(unit):
        return alpha_of_stretches(
            [
                stretch(d, w, 0, (d + w) * unit, (d + 3) * unit)
                for d in range(5)
                for w in (0, 1)
            ],
            lengths=[10.0 * unit] * 5,
            workers=[[0, 1]] * 5,
            rng=rng(),
            draws=100,
        )

    seconds, milliseconds = measured(1.0), measured(1000.0)
    assert seconds.value == pytest.approx(milliseconds.value)
    assert seconds.intervals[0].low == pytest.approx(milliseconds.intervals[0].low)


def test_whoever_marks_nothing_disagrees_with_whoever_marks():
    def marked(workers):
        return alpha_of_stretches(
            [stretch(d, 0, 0, 0, 5) for d in range(4)],
            lengths=[10.0] * 4,
            workers=[workers] * 4,
            rng=rng(),
            draws=0,
        )

    assert marked([0, 1]).value < 0
    assert marked([0]).reason == "no document was read by two workers"


def boxes(document, worker, *corners, labels=None):
    return Drawing(
        document=document,
        worker=worker,
        labels=np.zeros(len(corners), dtype=int) if labels is None else np.asarray(labels),
        boxes=np.asarray(corners, dtype=float).reshape(-1, 4),
    )


def test_drawings_are_matched_one_to_one():
    one = boxes(0, 0, (0, 0, 10, 10), (20, 0, 30, 10))
    assert distance(one, boxes(0, 1, (20, 0, 30, 10), (0, 0, 10, 10))) == 0.0
    assert distance(one, boxes(0, 1, (0, 0, 10, 5))) == pytest.approx(1 - 0.5 / 2)
    other = boxes(0, 1, (0, 0, 10, 10), (20, 0, 30, 10), labels=[0, 1])
    assert distance(one, other) == pytest.approx(0.5)
    assert distance(one, boxes(0, 1)) == 1.0
    assert distance(boxes(0, 0), boxes(0, 1)) == 0.0


def test_masks_are_compared_as_boxes_are():
    pixels = np.zeros((20, 20), dtype=bool)
    pixels[:10, :10] = True
    half = pixels.copy()
    half[5:] = False
    label = np.zeros(1, dtype=int)
    one = Drawing(document=0, worker=0, labels=label, masks=(pixels,))
    two = Drawing(document=0, worker=1, labels=label, masks=(half,))
    assert distance(one, two) == pytest.approx(0.5)


def test_alpha_of_drawings_falls_from_one_to_nothing_with_the_noise():
    def measured(noise, seed=2):
        draw = rng(seed)
        truth = draw.uniform(0, 80, size=(40, 2))
        found = []
        for image in range(40):
            for worker in range(3):
                x, y = truth[image] + draw.normal(scale=noise, size=2)
                found.append(boxes(image, worker, (x, y, x + 20, y + 20)))
        return alpha_of_drawings(found, rng=rng(seed), draws=200)

    exact, close, lost = measured(0.0), measured(2.0), measured(60.0)
    assert exact.value == 1.0
    assert exact.intervals[0].low < 1.0
    assert 0.6 < close.value < 0.95
    assert close.intervals[0].low < close.value < close.intervals[0].high
    assert abs(lost.value) < 0.15


def test_label_sets_are_compared_kind_by_kind():
    pixels = np.zeros((40, 40), dtype=bool)
    pixels[5:15, 5:15] = True

    def label_set(shift):
        annotations = []
        for place in range(6):
            x = 3.0 * place + shift
            square = ((x, 5.0), (x + 10, 5.0), (x + 10, 15.0), (x, 15.0))
            start = place + shift
            area = Polygon(rings=(square,)) if place else encode_mask(np.roll(pixels, shift, 1))
            for document, shape in (
                (f"{place}.png", Box(x=x, y=5.0, width=10.0, height=10.0)),
                (f"{place}.png", area),
                (
                    f"{place}.txt",
                    TextSpan(start=start, end=start + 9, gaps=((start + 2, start + 3),)),
                ),
                (f"{place}.wav", Segment(start_s=start, end_s=start + 4.0)),
            ):
                annotations.append(Annotation(document=document, label="a", shape=shape))
        documents = [
            document
            for place in range(6)
            for document in (
                Image(name=f"{place}.png", width=40, height=40),
                Text(name=f"{place}.txt", text="x" * 30),
                Audio(name=f"{place}.wav", duration_s=20.0),
            )
        ]
        return LabelSet(documents=tuple(documents), annotations=tuple(annotations))

    same = agreement_of_sets({"ann": label_set(0), "bob": label_set(0)}, rng=rng(), draws=50)
    assert sorted(same) == ["area", "box", "segment", "text span"]
    assert all(found.value == 1.0 for found in same.values())
    moved = agreement_of_sets({"ann": label_set(0), "bob": label_set(1)}, rng=rng(), draws=50)
    assert all(0.2 < found.value < 0.95 for found in moved.values()), moved
    # Upright boxes and the same areas in pixels say the same.
    assert moved["box"].value == pytest.approx(moved["area"].value, abs=0.1)


def refusal(call):
    with pytest.raises(InputError) as caught:
        call()
    return str(caught.value)


def test_bad_drawings_and_stretches_are_refused():
    assert refusal(
        lambda: alpha_of_stretches(
            [stretch(3, 0, 0, 0, 1), stretch(0, 0, 0, 5, 11), stretch(0, 7, 0, 0, 1)],
            lengths=[10.0],
            workers=[[0, 1]],
            rng=rng(),
        )
    ) == (
        "T-A208: stretch 0 is of document 3, which is none. Correct what is compared: one "
        "drawing per worker and document.\n"
        "T-A208: stretch 1 goes from 5 to 11 in a document of length 10. Correct what is "
        "compared: one drawing per worker and document.\n"
        "T-A208: stretch 2 is of worker 7, who did not read document 0. Correct what is "
        "compared: one drawing per worker and document."
    )
    twice = [boxes(0, 0), boxes(0, 0, (0, 0, 1, 1), labels=[0, 0])]
    assert refusal(lambda: alpha_of_drawings(twice, rng=rng())) == (
        "T-A208: worker 0 has two drawings of image 0. Correct what is compared: one drawing "
        "per worker and document.\n"
        "T-A208: worker 0's drawing of image 0 has 2 labels and 1 shapes. Correct what is "
        "compared: one drawing per worker and document."
    )
    unsized = LabelSet(
        documents=(Image(name="a.png"),),
        annotations=(
            Annotation(
                document="a.png", label="a", shape=Polygon(rings=(((0, 0), (1, 0), (1, 1)),))
            ),
        ),
    )
    assert refusal(lambda: agreement_of_sets({"a": unsized, "b": unsized}, rng=rng())) == (
        "T-A209: an area on image 'a.png' cannot be compared: the image is 0 x 0 pixels as "
        "stated, and masks have its size. State the image's width and height in every label "
        "set."
    )
    assert refusal(lambda: agreement_of_sets({"a": unsized}, rng=rng())) == (
        "T-A207: there are label sets of 1 workers; agreement needs two. Give the label sets "
        "of several workers."
    )
