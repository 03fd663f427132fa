from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from titian.cli.app import app
from titian.errors import InputError
from titian.validation.comparison.verdicts import Superiority
from titian.validation.remedies.effects import Change
from titian.validation.remedies.fitting import group_thresholds, refit_scores, training_weights
from titian.validation.remedies.options import Remedies, remedies
from titian.validation.remedies.trial import Trial


def trial(n: int = 4_000, shift: float = 1.2, seed: int = 1, names=("f", "m")) -> Trial:
    """Return scores that are `shift` lower for the positives of the last group."""
    rng = np.random.default_rng(seed)
    label = rng.random(n) < 0.4
    group = rng.integers(0, len(names), n)
    reading = rng.standard_normal(n) + 2 * label - shift * (label & (group == len(names) - 1))
    part = rng.random(n) < 0.5
    return Trial(
        label=label,
        score=1 / (1 + np.exp(-(2 * reading - 2))),
        column="sex",
        group=group,
        names=names,
        fit=part,
        held_back=~part,
    )


def option(found: Remedies, name: str):
    return next(item for item in found.options if item.name == name)


def test_thresholds_of_each_group_close_a_planted_gap_and_tell_their_cost() -> None:
    found = remedies(trial())
    assert found.gap.value > 0.25
    told = option(found, "thresholds")
    assert told.values["m"] < 0.5 < told.values["f"]
    effect = told.effect
    assert effect.before == found.gap
    assert effect.after.value < 0.1
    assert (effect.best, effect.worst) == ("f", "m")
    assert effect.change is Change.SMALLER
    assert effect.difference.intervals[0].high < 0.0
    rows = {
        (row.contrast.name, (row.contrast.subgroup or {}).get("sex")): row.verdict
        for row in effect.overall.rows
    }
    assert rows["sensitivity", "m"] is Superiority.BETTER
    assert rows["specificity", "m"] is Superiority.WORSE
    assert told.notes == (
        "Decisions would depend on the group, which must be known for each case.",
    )


def test_specificity_can_be_the_measure() -> None:
    found = remedies(trial(), measure="specificity")
    assert found.gap.value < 0.1
    assert option(found, "thresholds").effect.change is not Change.LARGER


def test_groups_that_are_alike_are_not_said_to_change() -> None:
    found = remedies(trial(shift=0.0))
    assert option(found, "thresholds").effect.change is Change.NOT_SHOWN
    assert option(found, "reweighing").effect.change is Change.NOT_SHOWN


def test_options_are_worked_out_on_the_fit_part_alone() -> None:
    cases = trial()
    rng = np.random.default_rng(3)
    scrambled = replace(
        cases,
        score=np.where(cases.held_back, rng.random(len(cases.score)), cases.score),
        label=np.where(cases.held_back, rng.random(len(cases.label)) < 0.5, cases.label),
    )
    for name in ("thresholds", "reweighing"):
        assert option(remedies(cases), name).values == option(remedies(scrambled), name).values


def test_thresholds_meet_the_target_on_the_fit_part() -> None:
    cases = trial()
    values, kept = group_thresholds(cases, "sensitivity", 0.5)
    assert kept == []
    positives = cases.fit & cases.label
    target = (cases.score[positives] >= 0.5).mean()
    for place, name in enumerate(cases.names):
        own = positives & (cases.group == place)
        reached = (cases.score[own] >= values[name]).mean()
        assert reached == pytest.approx(target, abs=1 / own.sum())


def test_a_small_group_keeps_the_common_threshold_and_says_so() -> None:
    cases = trial(names=("f", "m", "x"), seed=5)
    few = np.flatnonzero(cases.group == 2)[30:]
    group = cases.group.copy()
    group[few] = 0
    found = remedies(replace(cases, group=group))
    told = option(found, "thresholds")
    assert told.values["x"] == 0.5
    assert told.notes[0] == (
        "sex=x has too few cases in the fit part and keeps the common threshold."
    )
    assert option(found, "cases").values["x"] > option(found, "cases").values["f"]


def test_a_group_without_such_cases_does_not_vanish() -> None:
    cases = trial(names=("f", "m", "x"), seed=5)
    found = remedies(replace(cases, label=cases.label & (cases.group != 2)))
    assert found.rates["x"].value is None
    assert found.rates["x"].reason == "no positives"
    assert option(found, "cases").values["x"] > 300


def test_weights_make_label_and_group_independent() -> None:
    cases = trial()
    often = cases.label | (np.random.default_rng(2).random(len(cases.label)) < 0.3)
    cases = replace(cases, label=np.where(cases.group == 1, often, cases.label))
    weights = training_weights(cases)
    weight = weights[cases.group, cases.label.astype(int)] * cases.fit
    shares = [
        weight[(cases.group == place) & cases.label].sum() / weight[cases.group == place].sum()
        for place in (0, 1)
    ]
    assert shares[0] == pytest.approx(shares[1])
    assert weight.sum() == pytest.approx(cases.fit.sum())


def test_a_refit_of_a_calibrated_score_leaves_it_and_separated_classes_stay_finite() -> None:
    rng = np.random.default_rng(4)
    cases = trial(20_000)
    honest = replace(cases, label=rng.random(20_000) < cases.score)
    refit = refit_scores(honest, np.ones((2, 2)))
    assert np.abs(refit - cases.score).max() < 0.03
    parted = refit_scores(replace(cases, label=cases.score > 0.5), np.ones((2, 2)))
    assert np.isfinite(parted).all()


def test_reweighing_says_what_only_training_can_show() -> None:
    told = option(remedies(trial()), "reweighing")
    assert told.effect.against == "a logistic refit of the score without weights"
    assert told.not_shown.startswith("what a model does that is trained with the weights")


def test_more_cases_shrink_as_the_half_width_grows() -> None:
    wide = option(remedies(trial(600), within=0.1), "cases").values
    narrow = option(remedies(trial(600), within=0.03), "cases").values
    assert wide["f"] < narrow["f"]
    assert option(remedies(trial(20_000), within=0.1), "cases").values == {"f": 0, "m": 0}


def test_subjects_widen_every_interval() -> None:
    once = trial(1_000)
    twice = Trial(
        label=np.repeat(once.label, 3),
        score=np.repeat(once.score, 3),
        column="sex",
        group=np.repeat(once.group, 3),
        names=once.names,
        fit=np.repeat(once.fit, 3),
        held_back=np.repeat(once.held_back, 3),
        subject=np.repeat(np.arange(1_000), 3),
    )
    one, three = remedies(once), remedies(twice)
    assert three.gap.value == pytest.approx(one.gap.value)
    assert three.gap.low == pytest.approx(one.gap.low, abs=0.01)
    assert option(three, "cases").values["m"] >= 2.5 * option(one, "cases").values["m"]


def test_trials_that_show_nothing_are_refused_together() -> None:
    cases = trial(100)
    empty = replace(cases, held_back=np.zeros(100, dtype=bool))
    with pytest.raises(InputError) as caught:
        remedies(empty, measure="auc", threshold=1.5, within=0.0, alpha=0.6)
    assert [str(problem) for problem in caught.value.problems] == [
        "T-V230: the held-back part holds 0 cases; an option is worked out on one part and "
        "measured on the other. Name two values of the part column that occur.",
        "T-V232: --threshold is 1.5; it lies above 0 and below 1. Write a share, such as 0.05.",
        "T-V232: --within is 0; it lies above 0 and below 0.5. Write a share, such as 0.05.",
        "T-V232: --confidence is 0.4; it lies above 0.5 and below 1. Use 0.95 unless you have "
        "a reason.",
        "T-V232: --measure auc has no remedies here; there are sensitivity, specificity. Name "
        "one of these.",
    ]
    with pytest.raises(InputError) as caught:
        remedies(replace(cases, group=np.zeros(100, dtype=np.int64)))
    assert [str(problem) for problem in caught.value.problems] == [
        "T-V231: 1 groups of 'sex' have cases for sensitivity in the fit part; a disparity "
        "needs two. Name another column, or a larger fit part."
    ]


def test_the_command_offers_and_applies_nothing(tmp_path: Path) -> None:
    cases = trial(800)
    path = tmp_path / "scored.csv"
    rows = [
        f"{int(cases.label[i])},{cases.score[i]:.6f},{cases.names[cases.group[i]]},"
        f"{'tune' if cases.fit[i] else 'test'}"
        for i in range(800)
    ]
    path.write_text("\n".join(["y,s,sex,split", *rows]) + "\n")
    call = [
        "validate", "remedies", str(path), "--label", "y", "--score", "s", "--group", "sex",
        "--part", "split",
    ]  # fmt: skip
    shown = CliRunner().invoke(app, call)
    assert shown.exit_code == 0, shown.output
    assert "Nothing is applied." in shown.output
    assert "Not shown: what a model does that is trained with the weights" in shown.output
    document = json.loads(CliRunner().invoke(app, [*call, "--json"]).stdout)
    (found,) = document["remedies"]
    assert [item["name"] for item in found["options"]] == ["thresholds", "reweighing", "cases"]
    assert found["options"][0]["effect"]["verdict"] == "smaller"
    assert found["options"][2]["effect"] is None
    refused = CliRunner().invoke(app, [*call, "--fit", "train"])
    assert refused.exit_code == 2
    assert "T-V230: the fit part holds 0 cases" in refused.output
