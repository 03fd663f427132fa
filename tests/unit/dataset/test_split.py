"""No subject on two sides; shares kept; the same seed, the same split."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from titian.dataset.parquet import text
from titian.dataset.split import require_classes, split_by_column, split_by_share
from titian.errors import InputError


@settings(max_examples=60, deadline=None)
@given(
    subjects=st.integers(30, 120),
    most=st.integers(1, 5),
    seed=st.integers(0, 2**32 - 1),
    share=st.sampled_from([(0.6, 0.15, 0.25), (0.7, 0.1, 0.2), (0.34, 0.33, 0.33)]),
)
def test_divides_by_subject_near_the_shares(subjects, most, seed, share):
    rng = np.random.default_rng(seed)
    unit = text(np.repeat(np.arange(subjects), rng.integers(1, most + 1, subjects)))
    label = text(
        np.array(["0", "1"])[(rng.random(subjects) < 0.4).astype(int)][unit.astype(int)]
    )
    part = split_by_share(label, unit, shares=share, rng=np.random.default_rng(seed))
    again = split_by_share(label, unit, shares=share, rng=np.random.default_rng(seed))
    assert np.array_equal(part, again)
    sides = {(u, p) for u, p in zip(unit, part, strict=True)}
    assert len(sides) == subjects
    # Greedy dealing stays within one largest subject a stratum of what was asked.
    slack = (2 * most + 2) / len(unit) + 0.02
    for name, asked in zip(("train", "tune", "test"), share, strict=True):
        got = np.mean(part == name)
        assert abs(got - asked) <= slack + 0.04, (name, got, asked)


def test_each_class_is_shared_out_alike():
    label = text(["1"] * 100 + ["0"] * 900)
    unit = text(np.arange(1000))
    rng = np.random.default_rng(1)
    part = split_by_share(label, unit, shares=(0.6, 0.15, 0.25), rng=rng)
    positives = [int(((part == p) & (label == "1")).sum()) for p in ("train", "tune", "test")]
    assert positives == [60, 15, 25]


def test_another_seed_gives_another_split():
    label, unit = text(["0", "1"] * 50), text(np.arange(100))
    splits = [
        split_by_share(label, unit, shares=(0.6, 0.2, 0.2), rng=np.random.default_rng(seed))
        for seed in (1, 2)
    ]
    assert not np.array_equal(*splits)


def test_a_column_names_the_sides_and_tune_is_carved_by_subject():
    side = text(["north"] * 60 + ["south"] * 40 + ["east"] * 2)
    unit = text(np.arange(102) // 2)
    label = text(np.arange(102) // 2 % 2)
    part = split_by_column(
        label,
        unit,
        side,
        values=(("north",), (), ("south",)),
        rng=np.random.default_rng(3),
    )
    assert set(part[side == "south"]) == {"test"}
    assert set(part[side == "east"]) == {""}
    assert set(part[side == "north"]) == {"train", "tune"}
    assert np.sum(part == "tune") == 12
    assert len({(u, p) for u, p in zip(unit, part, strict=True)}) == len(set(unit))


def test_a_tune_value_is_taken_as_it_is():
    side = text(["a", "b", "c"])
    part = split_by_column(
        text(["0", "1", "0"]),
        text(["p", "q", "r"]),
        side,
        values=(("a",), ("b",), ("c",)),
        rng=np.random.default_rng(0),
    )
    assert part.tolist() == ["train", "tune", "test"]


def test_refuses_a_part_without_a_class():
    with pytest.raises(InputError) as caught:
        require_classes(
            text(["0", "1", "0", "1", "0"]), text(["train", "train", "tune", "tune", "test"])
        )
    assert str(caught.value) == (
        "T-D050: the test part has no case of class '1' (1 cases in all); every part needs "
        "every class. Collect more cases of the class, or give the part a larger share under "
        "data.split."
    )
