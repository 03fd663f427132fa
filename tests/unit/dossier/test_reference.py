"""References: they resolve, and a number cannot get round them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import nodes

from titian.dossier.content import Code, Digest, Link, Quote, as_cell
from titian.dossier.html import TEMPLATES, template_environment
from titian.dossier.reference import (
    Evidence,
    Ref,
    StatementRef,
    bound_number,
    number_text,
    token,
)
from titian.errors import InputError

DIGEST = "a" * 64
STATEMENT = StatementRef(
    digest=DIGEST,
    statement={"predicate": {"stage": "s", "a/b~c": [0.5, None, 7, True, "x >= y", {}]}},
)
EVIDENCE = Evidence([STATEMENT])


def show(at, form="auto"):
    return EVIDENCE.show(STATEMENT.at(f"/predicate/{token('a/b~c')}/{at}", form=form))


def test_reference_shows_the_value_and_its_canonical_form():
    assert (show(0).text, show(0).value) == ("0.500", "0.5")
    assert (show(2).text, show(2).value) == ("7", "7")
    assert (show(3, "caught").text, show(3).text) == ("caught", "yes")
    assert show(4).value == "x >= y"


def test_null_is_not_shown():
    assert (show(1).text, show(1).value) == ("not shown", None)


def test_reference_that_leads_nowhere_is_refused():
    with pytest.raises(InputError) as caught:
        EVIDENCE.show(STATEMENT.at("/predicate/nothing"))
    assert str(caught.value) == (
        "T-R003: reference /predicate/nothing into statement aaaaaaaaaaaa leads to nothing; "
        "every number of a dossier stands in a statement. Report this: the stage and the "
        "pages disagree about a place."
    )
    with pytest.raises(InputError, match="into statement bbbbbbbbbbbb leads to nothing"):
        EVIDENCE.show(Ref(statement="b" * 64, pointer="/predicate"))


def test_reference_to_a_whole_object_is_refused():
    with pytest.raises(InputError, match="leads to a dict; a page prints single values"):
        show(5)


@pytest.mark.parametrize("value", [0.91, 12, True, None, 1e-9, "0.91", " 12 % ", "-3e4", "nan"])
def test_literal_number_never_becomes_a_cell(value):
    with pytest.raises(InputError) as caught:
        as_cell(("words", value))
    assert str(caught.value) == (
        f"T-R002: the literal {value!r} would reach a page; every number of a dossier is a "
        "reference to a statement. Put the number into a statement and hand the page a Ref "
        "to it."
    )


@pytest.mark.parametrize("value", [0.91, 12, True, None])
@pytest.mark.parametrize("source", ["{{ value }}", "{{ value * 2 if value else value }}"])
def test_literal_number_in_a_template_context_raises(value, source):
    template = template_environment(EVIDENCE).from_string(source)
    with pytest.raises(InputError, match="T-R002: the literal"):
        template.render(value=value)


def test_computed_number_in_a_template_raises():
    environment = template_environment(EVIDENCE)
    for source in (
        "{{ words|length }}",
        "{% for x in words %}{{ loop.index }}{% endfor %}",
    ):
        with pytest.raises(InputError, match="T-R002: the literal"):
            environment.from_string(source).render(words=["a"])


def test_our_template_holds_no_literal_number():
    environment = template_environment(EVIDENCE)
    source = (TEMPLATES / "index.html.j2").read_text(encoding="utf-8")
    outputs = [
        item
        for output in environment.parse(source).find_all(nodes.Output)
        for item in output.nodes
    ]
    assert len(outputs) > 50
    assert not [item for item in outputs if isinstance(item, nodes.Const)]


def test_reference_in_a_template_becomes_data():
    template = template_environment(EVIDENCE).from_string("{{ ref }}")
    text = template.render(ref=STATEMENT.at(f"/predicate/{token('a/b~c')}/0"))
    assert text == (
        f'<data value="0.5" data-statement="{DIGEST}" data-pointer="/predicate/a~1b~0c/0" '
        'title="s /predicate/a~1b~0c/0">0.500</data>'
    )


def test_words_digests_and_quotes_are_let_through():
    parts = (
        "words",
        Digest(hex="0" * 64),
        Code(text="12"),
        Quote(text="12"),
        Link(text="a", target="b"),
    )
    assert as_cell(parts) == parts


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.9123456, "0.912"),
        (0.0, "0.000"),
        (0.00042, "0.00042"),
        (-0.25, "\u22120.250"),
        (1234567, "1\u202f234\u202f567"),
        (1234.56, "1\u202f234.6"),
        (3e9, "3.00e+09"),
        (2e-7, "2.00e-07"),
    ],
)
def test_numbers_are_written_for_readers(value, text):
    assert number_text(value) == text


def test_number_beside_a_bound_does_not_look_like_it():
    assert number_text(0.79996, beside=0.8) == "0.79996"
    assert number_text(0.8, beside=0.8) == "0.800"


@given(st.floats(0, 1), st.sampled_from([0.0, 0.05, 0.7, 0.8, 1.0]))
def test_rounding_never_carries_a_number_onto_its_bound(value, bound):
    text = number_text(value, beside=bound)
    if abs(value - bound) > 1e-9:
        assert float(text.replace("\u2212", "-")) != bound


def test_bound_has_two_decimals_or_all():
    assert [bound_number(b) for b in (0.8, 0.0825, 1.0, 250.0)] == [
        "0.80",
        "0.0825",
        "1.00",
        "250",
    ]
