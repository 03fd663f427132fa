"""Values survive the way to JSON and back."""

import pytest

from titian.values import (
    Interval,
    Measurement,
    Severity,
    Verdict,
    VerdictValue,
    from_json,
    to_json,
)


def test_a_measurement_survives_the_round_trip():
    measurement = Measurement(
        name="sensitivity",
        value=0.9,
        n=40,
        method="Wilson",
        subgroup={"sex": "F"},
        intervals=(Interval(alpha=0.05, low=0.8, high=0.95),),
    )
    assert from_json(Measurement, to_json(measurement)) == measurement


def test_a_verdict_survives_the_round_trip():
    verdict = Verdict(id="R1", verdict=VerdictValue.NOT_SHOWN, measure="auc", bound=">= 0.75")
    assert from_json(Verdict, to_json(verdict)) == verdict


def test_enums_are_written_as_their_values():
    assert to_json((Severity.ERROR,)) == ["error"]


def test_an_unknown_key_is_refused():
    with pytest.raises(TypeError, match=r"^unknown key 'colour'; known are alpha, high, low$"):
        from_json(Interval, {"colour": 1})
