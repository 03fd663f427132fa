"""Classes, parts and sizes."""

from __future__ import annotations

import numpy as np
import pytest

from titian.dataset.records import Records
from titian.errors import InputError
from titian.training.cases import choose_side, class_order, divide

MOVE = "Name one of two labels under data.positive; leave it out for more."


def message_of(labels, positive) -> str:
    with pytest.raises(InputError) as caught:
        class_order(np.asarray(labels), positive)
    return str(caught.value)


def test_classes_are_sorted_with_the_positive_one_last():
    assert class_order(np.asarray(["b", "a", "c", "b"]), None) == ("a", "b", "c")
    assert class_order(np.asarray(["1", "0"]), "0") == ("1", "0")


def test_labels_that_make_no_task_are_refused():
    assert message_of(["a", "a"], None) == (
        f"T-T006: the labels hold one class only ('a'); a model needs two or more. {MOVE}"
    )
    assert message_of(["a", "b", "c"], "a") == (
        "T-T006: data.positive is 'a' and the labels hold 3 classes ('b', 'c', 'a'); a "
        f"positive class needs exactly two, of which it is one. {MOVE}"
    )
    assert message_of(["a", "b"], "1").startswith("T-T006: data.positive is '1' and the labels")


def test_parts_hold_their_own_rows():
    records = Records(case=np.arange(6), label=np.asarray(list("aabbab")))
    part = np.asarray(["train", "tune", "train", "tune", "train", "train"])
    train, tune = divide(records, part, ("b", "a"))
    assert train.records.case.tolist() == [0, 2, 4, 5]
    assert train.codes.tolist() == [1, 0, 1, 0]
    assert tune.codes.tolist() == [1, 0]


def test_every_class_that_a_part_lacks_is_named():
    records = Records(case=np.arange(4), label=np.asarray(list("aaab")))
    part = np.asarray(["train", "train", "tune", "train"])
    with pytest.raises(InputError) as caught:
        divide(records, part, ("a", "b"))
    move = "Give the part a larger share under data.split, or collect cases."
    assert str(caught.value) == (
        "T-T007: the train part has 1 cases of class 'b'; training needs at least 2 there. "
        f"{move}\n"
        "T-T007: the tune part has 0 cases of class 'b'; training needs at least 1 there. "
        f"{move}"
    )


@pytest.mark.parametrize(
    ("shorter", "side"), [(20.0, 32), (40.0, 32), (47.0, 48), (64.0, 64), (1024.0, 64)]
)
def test_the_side_follows_the_images_within_bounds(shorter, side):
    files = {"height": np.full(5, shorter), "width": np.full(5, 3 * shorter)}
    assert choose_side(files) == side


def test_the_side_without_sizes_is_the_largest():
    assert choose_side({}) == 64
