from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from titian.validation.cases import Cases
from titian.validation.faults import simulate
from titian.validation.shortcut import (
    LEVEL,
    SHORTCUT,
    control,
    findings,
    measurements,
    plant_shortcut,
    read_attributes,
    read_embedding,
    standing_out,
)


def read(cases: Cases, **options):
    rng = np.random.default_rng(4)
    asked = {"positive": "1", "label": "y", "alpha": 0.05, "rng": rng, "draws": 199}
    return read_attributes(cases, **asked | options)


def test_a_planted_shortcut_is_found_and_named() -> None:
    cases = plant_shortcut(simulate(np.random.default_rng(1), n=600), "group", "c")
    (told,) = standing_out(read(cases), 0.05)
    assert (told.column, told.group) == ("group", "c")
    assert told.reading.size.value > 0.6
    (finding,) = findings(read(cases), alpha=0.05)
    assert finding.code == SHORTCUT
    assert finding.what.startswith(
        "group=c can be read off the score among cases of the same label: stratified AUC 0."
    )
    assert finding.what.endswith("corrected p = 0.005.")


def test_an_honest_score_shows_nothing() -> None:
    assert findings(read(simulate(np.random.default_rng(2), n=600)), alpha=0.05) == ()


def test_groups_that_differ_in_their_labels_alone_show_nothing() -> None:
    cases = simulate(np.random.default_rng(3), n=2_000)
    rng = np.random.default_rng(3)
    often = np.where(rng.random(2_000) < 0.2 + 0.6 * cases.label, "many", "few")
    cases = replace(cases, groups={"site": often})
    assert findings(read(cases), alpha=0.05) == ()
    marginal = cases.scores[often == "many", 1].mean() - cases.scores[often == "few", 1].mean()
    assert marginal > 0.3  # the score itself tells the sites apart


def test_subjects_are_what_is_shuffled() -> None:
    # Thirty cases of each of twelve patients: what looks like 360 cases is twelve.
    rng = np.random.default_rng(5)
    subject = np.repeat(np.arange(12), 30)
    cases = simulate(rng, n=360)
    shift = rng.standard_normal(12)[subject]
    logit = np.log(cases.scores[:, 1] / cases.scores[:, 0]) + 3 * shift
    score = 1 / (1 + np.exp(-logit))
    cases = replace(
        cases,
        scores=np.stack([1 - score, score], axis=1),
        groups={"sex": np.array(["f", "m"])[(subject * 7 % 12) % 2]},
    )
    blind = read(cases)[0].reading
    known = read(replace(cases, subject=subject))[0].reading
    assert blind.p_value == pytest.approx(0.005)
    assert known.p_value > 0.05
    wide, narrow = known.size.intervals[0], blind.size.intervals[0]
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_a_group_too_small_is_left_out_and_an_undivided_column_too() -> None:
    cases = simulate(np.random.default_rng(6), n=200)
    groups = {
        "site": np.where(np.arange(200) < 5, "tiny", "rest"),
        "one": np.full(200, "same"),
    }
    assert read(replace(cases, groups=groups)) == ()
    assert read_embedding(
        replace(cases, groups=groups), cases.scores, label="y", alpha=0.05,
        rng=np.random.default_rng(0),
    ) == ()  # fmt: skip


def test_more_classes_are_read_score_by_score() -> None:
    rng = np.random.default_rng(7)
    n = 600
    label = rng.integers(0, 3, n)
    logit = rng.standard_normal((n, 3)) + 2 * np.eye(3)[label]
    group = rng.choice(["a", "b"], n)
    logit[group == "b", 2] += 1.5
    scores = np.exp(logit) / np.exp(logit).sum(axis=1, keepdims=True)
    cases = Cases(
        id=np.arange(n).astype(np.str_),
        label=label,
        prediction=scores.argmax(axis=1),
        scores=scores,
        classes=("x", "y", "z"),
        groups={"g": group},
    )
    found = read(cases, positive=None)
    assert [(item.group, item.of_class) for item in found] == [
        (group, name) for name in "xyz" for group in "ab"
    ]
    assert standing_out(found, 0.05)[0].of_class == "z"
    rows = measurements(found, label="finding")
    assert rows[0].subgroup == {"g": "a", "finding": "x"}
    assert rows[0].name == "attribute_auc"
    assert len(rows[0].intervals) == 6


def test_an_embedding_gives_away_what_the_score_does_not() -> None:
    rng = np.random.default_rng(8)
    cases = simulate(rng, n=400)
    hidden = rng.standard_normal((400, 12))
    hidden[:, 3] += 1.5 * (cases.groups["group"] == "d") + cases.label
    assert standing_out(read(cases), 0.05) == ()
    found = read_embedding(cases, hidden, label="y", alpha=0.05, rng=rng, draws=199)
    assert standing_out(found, 0.05)[0].group == "d"
    clean = hidden.copy()
    clean[:, 3] = rng.standard_normal(400) + cases.label
    honest = read_embedding(cases, clean, label="y", alpha=0.05, rng=rng, draws=199)
    assert standing_out(honest, 0.05) == ()
    (finding,) = findings(found, alpha=0.05, source="embedding")[:1]
    assert finding.what.startswith("group=d can be read off the embedding among cases")


def test_the_control_catches_its_planted_shortcut_and_can_fail() -> None:
    cases = simulate(np.random.default_rng(9), n=50)
    found = control(cases, positive="1", label="y", rng=np.random.default_rng(9))
    assert found.found
    assert found.check == SHORTCUT
    assert found.false_alarm_rate == LEVEL
    unplanted = read_attributes(
        simulate(np.random.default_rng(9)), positive="1", label="y", alpha=LEVEL,
        rng=np.random.default_rng(9),
    )  # fmt: skip
    assert standing_out(unplanted, LEVEL) == ()
