"""A card survives the file, and a bent one is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from titian.errors import InputError
from titian.models import Card, order_classes, read_card, with_card

REMEDY = "Train the model with `titian run`, or admit it with a `model:` block."


def empty_model():
    return helper.make_model(helper.make_graph([], "empty", [], []))


names = st.text(min_size=1, max_size=8)


@st.composite
def cards(draw) -> Card:
    binary = draw(st.booleans())
    size = 2 if binary else draw(st.integers(2, 5))
    classes = tuple(draw(st.lists(names, min_size=size, max_size=size, unique=True)))
    return Card(
        input=draw(st.sampled_from(["image", "table"])),
        classes=classes,
        positive=classes[1] if binary else None,
        threshold=draw(st.floats(0, 1)) if binary else None,
        recipe=draw(names),
        temperature=draw(st.floats(0.1, 50)),
        numbers=tuple(draw(st.lists(names, max_size=3))),
        texts=tuple(draw(st.lists(names, max_size=3))),
        size=draw(st.none() | st.tuples(st.integers(1, 999), st.integers(1, 999))),
        batch=draw(st.none() | st.integers(1, 99)),
    )


@settings(max_examples=60, deadline=None)
@given(card=cards())
def test_a_card_is_read_as_it_was_written(card):
    model = empty_model()
    model.metadata_props.add(key="author", value="somebody")
    written = with_card(with_card(model, card), card)
    assert read_card(written) == card
    assert [p.value for p in written.metadata_props if p.key == "author"] == ["somebody"]


def test_classes_are_sorted_with_the_positive_one_last():
    assert order_classes(["b", "a", "b", "c"], None) == ("a", "b", "c")
    assert order_classes(["1", "0"], "0") == ("1", "0")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("version", "2", "'titian.version' is 2; this Titian reads 1."),
        ("input", '"sound"', "'titian.input' is 'sound'; known are 'image' and 'table'."),
        ("classes", '["no"]', "'titian.classes' is ['no']; a model needs two classes or more."),
        (
            "classes",
            '["no", "yes", "no"]',
            "'titian.classes' names a class twice: ['no', 'yes', 'no'].",
        ),
        (
            "task",
            '"multiclass"',
            "'titian.task' is 'multiclass' where 'titian.positive' makes it 'binary'.",
        ),
        (
            "positive",
            '"no"',
            "'titian.positive' is 'no'; it must be the second of two classes, "
            "which are ['no', 'yes'].",
        ),
        (
            "threshold",
            "1.5",
            "'titian.threshold' is 1.5; a binary model needs one in [0, 1].",
        ),
        (
            "colour",
            "1",
            "the 'titian.*' keys do not make a card (unknown key 'colour'; known are batch, "
            "classes, input, numbers, positive, recipe, size, temperature, texts, threshold).",
        ),
        (
            "threshold",
            "half",
            "a 'titian.*' value is not JSON (Expecting value: line 1 column 1 (char 0)).",
        ),
    ],
)
def test_a_bent_card_is_refused_with_what_is_bent(key, value, message):
    card = Card(input="image", classes=("no", "yes"), positive="yes", threshold=0.5)
    model = with_card(empty_model(), card)
    kept = [(p.key, p.value) for p in model.metadata_props if p.key != f"titian.{key}"]
    del model.metadata_props[:]
    for name, text in [*kept, (f"titian.{key}", value)]:
        model.metadata_props.add(key=name, value=text)
    with pytest.raises(InputError) as caught:
        read_card(model)
    assert str(caught.value) == f"T-M007: {message} {REMEDY}"


def test_a_model_without_a_card_is_refused():
    with pytest.raises(InputError) as caught:
        read_card(empty_model())
    assert str(caught.value) == f"T-M007: the model holds no 'titian.*' metadata. {REMEDY}"


def test_each_key_is_json_of_its_own():
    card = Card(input="table", classes=("a", "b", "c"), numbers=("age",))
    held = {p.key: json.loads(p.value) for p in with_card(empty_model(), card).metadata_props}
    assert held["titian.classes"] == ["a", "b", "c"]
    assert held["titian.numbers"] == ["age"]
    assert held["titian.task"] == "multiclass"
