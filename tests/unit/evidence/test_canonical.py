"""RFC 8785: its published vectors, and the promises that digests rest on."""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from titian.evidence.verify import Fault, canonical, number, parse

# RFC 8785, appendix B: a double's bits and how it is written.
NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(("bits", "text"), NUMBERS.items())
def test_numbers_are_written_as_the_standard_says(bits, text):
    (value,) = struct.unpack(">d", bytes.fromhex(bits))
    assert number(value) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(Fault, match=f"^{value} is not a number of JSON$"):
        canonical([value])


def test_the_standards_example_comes_out_byte_for_byte():
    text = rb"""{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }"""
    assert canonical(parse(text)).decode() == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_keys_are_sorted_by_utf16_code_units():
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    ordered = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert list(json.loads(canonical(dict.fromkeys(keys)))) == ordered


@pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1, 10**400])
def test_integers_that_no_double_holds_are_refused(value):
    with pytest.raises(Fault, match=r"\(int\) has no canonical form in JSON$"):
        canonical(value)


@pytest.mark.parametrize("value", [{1: 2}, b"bytes", {"a": {1, 2}}, object()])
def test_what_json_lacks_is_refused(value):
    with pytest.raises(Fault, match=r"has no canonical form in JSON$"):
        canonical(value)


@pytest.mark.parametrize("value", ["\ud800", {"\udfff": 1}])
def test_half_a_surrogate_pair_is_refused(value):
    with pytest.raises(ValueError, match="surrogates not allowed"):
        canonical(value)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"a":1}',
        b'{"a":{"b":1,"b":2}}',
        b"[NaN]",
        b"[-Infinity]",
        b"\xef\xbb\xbf{}",
        b'"\xff"',
        b"[1,]",
        b"{} {}",
        b"",
        b"[" * 100_000,
    ],
)
def test_loose_json_is_refused(text):
    with pytest.raises(Fault, match=r"^here: not strict JSON"):
        parse(text, "here")


@pytest.mark.parametrize(
    "text",
    [b"1.0", b"-0", b"1E2", b'{"b":1,"a":2}', b"[1, 2]", b'"\\u0041"', b"1e999", b"9" * 30],
)
def test_json_in_another_form_is_not_canonical(text):
    parse(text)
    with pytest.raises(Fault, match=r"canonical JSON|not strict JSON"):
        parse(text, exact=True)


@given(VALUES)
def test_encoding_is_a_fixed_point(value):
    data = canonical(value)
    assert canonical(parse(data, exact=True)) == data


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_survives(value):
    text = number(value)
    assert float(text) == value
    assert number(float(parse(text.encode()))) == text


@given(VALUES)
def test_it_means_what_the_standard_librarys_json_means(value):
    assert parse(canonical(value)) == json.loads(json.dumps(value))
