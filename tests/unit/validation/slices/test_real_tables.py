"""Real tables: mixed columns, missing cells, related columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.unit.validation.slices.brute import brute_force

from titian.validation.slices import Evidence, SliceLine, feature_of_codes, find_slices
from titian.validation.slices.faults import slice_controls
from titian.validation.slices.report import total_of
from titian.validation.tables import read_table_of_cases

pytestmark = pytest.mark.data


def features_of(table, names):
    return [
        feature_of_codes(name, table.text[name].code, table.text[name].names) for name in names
    ]


@pytest.fixture(scope="module")
def adult(shared_data: Path):
    """The census table, with a rule for a model: married and schooled means rich."""
    names = ["age", "workclass", "education_num", "marital_status", "occupation", "race", "sex"]
    names += ["capital_gain", "hours_per_week", "native_country"]
    table = read_table_of_cases(
        shared_data / "uci_adult" / "adult.csv", text=[*names, "income"]
    )
    married = table.text["marital_status"].equals("Married-civ-spouse")
    schooled = table.text["education_num"].numbers() >= 10
    rich = table.text["income"].equals(">50K")
    return features_of(table, names), ((married & schooled) != rich).astype(float)


@pytest.mark.parametrize("score", [Evidence(), SliceLine(weight=0.95)])
def test_the_search_of_the_census_is_that_of_counting_each_slice(adult, score):
    features, error = adult
    features = [*features[:2], *features[3:7]]
    report = find_slices(
        features,
        error,
        rng=np.random.default_rng(0),
        score=score,
        level=2,
        top=20,
        support=0.02,
        deals=0,
    )
    told = brute_force(
        features, error, total_of(error), score=score, level=2, least=report.least, top=20
    )
    assert [each.conditions for each in report.ranked] == [
        tuple((features[f].name, features[f].values[c]) for f, c in item.conditions)
        for item in told
    ]


def test_the_census_has_few_slices_that_a_person_can_read(adult):
    features, error = adult
    report = find_slices(features, error, rng=np.random.default_rng(0), deals=19)
    assert report.groups[0].slice.conditions == (("marital_status", "Married-civ-spouse"),)
    assert 3 <= len(report.groups) <= 10
    names = {value for group in report.groups for _, value in group.slice.conditions}
    assert not any("nan" in name for name in names)


def test_a_slice_planted_in_the_census_is_found(adult):
    features, error = adult
    (control,) = slice_controls(features, error, rng=np.random.default_rng(4))
    assert control.found
    assert control.fault.endswith("(in the run's cases)")


def test_missing_symptoms_are_bands_of_their_own(shared_data):
    names = ["a", "g", "l_c", "smoker", "cough", "fever", "asthma", "testType"]
    path = shared_data / "coswara_metadata" / "coswara.csv"
    table = read_table_of_cases(path, text=[*names, "covid_status"])
    features = features_of(table, names)
    assert sum(feature.values[-1] == "missing" for feature in features) >= 5
    ill = table.text["covid_status"]
    positive = np.array([name.startswith("positive") for name in ill.names])[ill.code]
    told = table.text["cough"].equals("True") | table.text["fever"].equals("True")
    report = find_slices(
        features, (positive != told).astype(float), rng=np.random.default_rng(0), deals=99
    )
    assert report.significant
    values = {value for each in report.ranked for _, value in each.conditions}
    assert "missing" in values
