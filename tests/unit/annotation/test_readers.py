"""Checks of readers: each finds what is planted, and leaves honest readers alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from titian.annotation.faults import (
    LEVEL,
    controls,
    fit,
    plant_label_errors,
    plant_spammer,
    simulate_readings,
)
from titian.annotation.readers import (
    Readings,
    doubtful,
    find_careless,
    find_confusions,
    find_drift,
    find_pairs,
    find_spammers,
)
from titian.annotation.simulation import simulate


@pytest.fixture(scope="module")
def honest() -> Readings:
    return simulate_readings(np.random.default_rng(1))


def by_hand(votes: list[tuple[int, int, int]]) -> Readings:
    task, reader, label = (np.asarray(column) for column in zip(*votes, strict=True))
    return Readings(
        task=task,
        reader=reader,
        label=label,
        tasks=int(task.max()) + 1,
        readers=int(reader.max()) + 1,
        classes=2,
        cluster=np.arange(int(task.max()) + 1),
    )


def test_a_readers_own_labels_never_count_as_others():
    # Task 0: readers 0 and 1 say 1, reader 2 says 0. Task 1: one reader, twice.
    readings = by_hand([(0, 0, 1), (0, 1, 1), (0, 2, 0), (1, 0, 1), (1, 0, 1), (2, 1, 0)])
    _, others = fit(readings, method="majority")
    assert others.label[2] == 1
    assert not others.agrees[2]
    assert others.told.tolist()[3:] == [False, False, False]
    assert others.probability.sum(axis=1) == pytest.approx(1.0)


def test_honest_readers_are_named_at_no_more_than_the_level():
    named = dict.fromkeys(("spammer", "careless", "pair", "drift"), 0)
    for seed in range(12):
        readings = simulate_readings(np.random.default_rng(1000 + seed))
        found, others = fit(readings)
        named["spammer"] += bool(find_spammers(readings, others, level=0.05))
        named["careless"] += bool(find_careless(readings, others, level=0.05))
        named["pair"] += bool(find_pairs(readings, found, level=0.05))
        named["drift"] += bool(find_drift(readings, others, level=0.05))
    # P(Binomial(12, 0.05) > 3) = 0.002 for each.
    assert max(named.values()) <= 3, named


@pytest.mark.parametrize("kind", ["hard tasks", "lures", "habits", "few votes a task"])
def test_hard_tasks_and_habits_are_no_collusion(kind):
    crowd = simulate(kind, np.random.default_rng(4))
    readings = replace(
        by_hand(
            list(
                zip(
                    crowd.task.tolist(),
                    crowd.worker.tolist(),
                    crowd.label.tolist(),
                    strict=True,
                )
            )
        ),
        classes=crowd.classes,
    )
    found, _ = fit(readings)
    assert find_pairs(readings, found, level=0.01) == ()


def test_a_spammer_is_named_and_nobody_else(honest):
    planted = plant_spammer(honest, 3, np.random.default_rng(2))
    (named,) = find_spammers(planted, fit(planted)[1], level=LEVEL)
    assert named.reader == 3
    assert named.agreement < named.expected


def test_exchanged_labels_are_doubted_more_often(honest):
    planted, wrong = plant_label_errors(honest, np.random.default_rng(3))
    assert 0.03 < wrong.mean() < 0.07
    assert (planted.label[wrong] != honest.label[wrong]).all()
    flagged = doubtful(planted, fit(planted)[1])
    assert flagged[wrong].mean() > 3 * flagged[~wrong].mean()


def test_a_reader_of_one_site_is_not_called_careless(honest):
    assert find_careless(replace(honest, site=None), fit(honest)[1], level=0.5) == ()
    one = replace(honest, site=np.zeros_like(honest.task), sites=("only",))
    assert find_careless(one, fit(one)[1], level=0.5) == ()


def test_drift_needs_moments(honest):
    assert find_drift(replace(honest, moment=None), fit(honest)[1], level=0.5) == ()


def test_few_readings_accuse_nobody():
    readings = by_hand([(t, r, (t + (r == 2)) % 2) for t in range(10) for r in range(3)])
    found, others = fit(readings)
    assert find_spammers(readings, others, level=0.5) == ()
    assert find_pairs(readings, found, level=0.5) == ()
    assert find_confusions(readings, others, level=0.5) == ()


@pytest.mark.parametrize("seed", range(4))
def test_every_control_is_caught_in_large_rounds_and_small(seed, honest):
    rng = np.random.default_rng(seed)
    few = np.arange(300)
    small = replace(
        honest,
        **{
            name: getattr(honest, name)[few]
            for name in ("task", "reader", "label", "site", "moment")
        },
    )
    for readings, where in ((honest, "run's"), (small, "simulated")):
        caught = controls(readings, fit(readings)[1], method="auto", rng=rng)
        assert [item.check for item in caught if not item.found] == []
        assert len(caught) == 6
        assert where in caught[0].fault
        assert where in caught[1].fault
        assert {item.false_alarm_rate for item in caught} == {LEVEL}


@pytest.mark.parametrize(
    "votes",
    [
        [(0, 0, 0), (1, 0, 1)],
        [(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 0)],
        [(0, 0, 1), (0, 1, 0)],
    ],
    ids=["one reader", "one class", "one task"],
)
def test_thin_rounds_leave_the_controls_to_simulated_readings(votes):
    readings = by_hand(votes)
    found, others = fit(readings)
    caught = controls(readings, others, method="auto", rng=np.random.default_rng(0))
    assert all("simulated" in item.fault for item in caught)
    assert all(item.found for item in caught)
    assert find_pairs(readings, found, level=0.5) == ()
    assert find_spammers(readings, others, level=0.5) == ()
