"""Each check accuses its planted fault and leaves honest records alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from titian.dataset.controls import leak_controls, near_copy
from titian.dataset.fingerprint import fingerprint, unpack
from titian.dataset.giveaway import giveaway_findings, giveaways
from titian.dataset.leaks import cases, duplicate_leaks, subject_leaks
from titian.dataset.parquet import text
from titian.dataset.phantom import make_phantom
from titian.dataset.records import Records
from titian.dataset.resemblance import (
    MOST_CANDIDATES,
    candidates,
    near_duplicate_leaks,
    similarity,
)
from titian.values import Severity


def records(n: int = 200, *, seed: int = 0, **more: object) -> Records:
    rng = np.random.default_rng(seed)
    return Records(
        case=np.arange(n),
        label=text(rng.integers(0, 2, n)),
        subject=text(np.arange(n) // 2),
        **more,
    )


def parts(n: int) -> np.ndarray:
    return text(np.array(["train", "train", "tune", "test"]).repeat(-(-n // 4))[:n])


def test_names_a_subject_on_two_sides():
    held = records(8)
    part = text(["train", "test", "train", "train", "tune", "tune", "", "test"])
    [finding] = subject_leaks(held, part)
    assert (finding.code, finding.severity, finding.where) == (
        "data.subject_leak",
        Severity.ERROR,
        "cases 0, 1",
    )
    assert finding.what == (
        "One subject has cases in train and test, so the test is not on unseen subjects."
    )
    assert subject_leaks(replace(held, subject=None), part) == ()
    assert subject_leaks(held, text(["train"] * 8)) == ()


def test_names_equal_images_on_two_sides_only():
    held = replace(
        records(6), image=text(list("abcdef")), sha256=text(["x", "y", "x", "y", "z", "z"])
    )
    part = text(["train", "train", "test", "train", "tune", ""])
    [finding] = duplicate_leaks(held, part)
    assert (finding.code, finding.where) == ("data.duplicate_leak", "cases 0, 2")
    assert finding.what == "The same image, byte for byte, is in train and test."


def test_names_equal_rows_of_inputs_with_missing_ones():
    features = {
        "a": np.array([1.0, np.nan, 1.0, np.nan]),
        "b": text(["u", "v", "u", "v"]),
    }
    held = replace(records(4), label=text(["0", "1", "1", "1"]), features=features)
    [finding] = duplicate_leaks(held, text(["train", "train", "test", "tune"]))
    assert finding.where == "cases 1, 3"
    assert finding.severity is Severity.WARNING


def test_where_counts_what_it_does_not_name():
    assert cases([3]) == "case 3"
    assert cases(np.arange(50)).endswith("38, 39 and 10 more")


STUDY = make_phantom(seed=3, patients=20)
PICTURES = [case.pixels.astype(np.float32) / 255 for case in STUDY.cases]


def pictured(pictures: list[np.ndarray]) -> Records:
    prints = text([fingerprint(picture).tobytes().hex() for picture in pictures])
    digests = text([f"{place:064d}" for place in range(len(pictures))])
    return replace(
        records(len(pictures)),
        sha256=digests,
        image=digests,
        files={"fingerprint": prints},
    )


def test_finds_near_copies_and_nothing_else():
    rng = np.random.default_rng(5)
    copies = [near_copy(picture, rng=rng) for picture in PICTURES[:10]]
    everything = PICTURES + copies
    part = text(["train"] * len(PICTURES) + ["test"] * len(copies))
    found = near_duplicate_leaks(pictured(everything), part, lambda row: everything[row])
    n = len(PICTURES)
    assert [finding.where for finding in found] == [f"cases {i}, {n + i}" for i in range(10)]
    assert found[0].what == (
        "Two images that differ only in crop, size, brightness or noise are in train and test."
    )
    honest = near_duplicate_leaks(pictured(PICTURES), parts(n), lambda row: PICTURES[row])
    assert honest == ()


def test_a_fingerprint_survives_scale_brightness_and_noise():
    from PIL import Image

    rng = np.random.default_rng(6)
    for picture in PICTURES[:8]:
        small = Image.fromarray(picture).resize((70, 70), Image.Resampling.BILINEAR)
        changed = np.clip(np.asarray(small) * 0.9 + 0.05 + rng.normal(0, 0.01, (70, 70)), 0, 1)
        prints = [fingerprint(p.astype(np.float32)).tobytes().hex() for p in (picture, changed)]
        first, second = unpack(text(prints))
        assert first @ second >= 0.80
        assert similarity(picture, changed.astype(np.float32)) >= 0.90


def test_a_flat_image_resembles_nothing():
    flat = np.full((20, 20), 0.5, dtype=np.float32)
    assert not fingerprint(flat).any()
    assert abs(similarity(flat, flat)) < 1e-6


def test_compares_every_pair_across_parts_exactly():
    rng = np.random.default_rng(7)
    vectors = rng.normal(size=(300, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    part = text(rng.choice(["train", "tune", "test", ""], 300))
    close = candidates(vectors, part)
    rank = {"train": 0, "tune": 1, "test": 2}
    expected = {
        (i, j)
        for i in range(300)
        for j in range(300)
        if part[i] and part[j] and rank[part[i]] < rank[part[j]]
        if float(vectors[i] @ vectors[j]) >= 0.80
    }
    assert len(expected) > MOST_CANDIDATES / 4
    found = {tuple(pair) for pair in close.pairs.tolist()}
    assert found <= expected
    assert len(found) + close.unseen == len(expected)


def test_says_how_many_pairs_were_not_looked_at():
    same = np.tile(PICTURES[0], (1, 1))
    held = pictured([same] * 120)
    held = replace(held, sha256=text(["same"] * 120))
    [finding] = near_duplicate_leaks(held, parts(120), lambda _: same)
    assert finding.code == "data.near_duplicate_unseen"
    assert finding.what == (
        "2500 further pairs of images on two sides are somewhat alike and were not looked at; "
        "the 2000 most alike were."
    )


def test_accuses_a_column_that_tells_the_label():
    held = records(300)
    rng = np.random.default_rng(1)
    number = (held.label == "1") * 5.0 + rng.normal(0, 0.3, 300)
    missing = np.where(held.label == "1", np.nan, rng.normal(size=300))
    noise = rng.normal(size=300)
    held = replace(
        held,
        attributes={"room": text(np.where(held.label == "1", "R1", "R2"))},
        features={"number": number, "missing": missing, "noise": noise},
    )
    found = giveaway_findings(held, text(["train"] * 300), rng=rng)
    assert [finding.what.split("'")[1] for finding in found] == ["number", "missing", "room"]
    assert found[2].what == (
        "Column 'room' alone tells the label: balanced accuracy 1.000 (at least 0.922) out of "
        "sample."
    )


def test_honest_columns_are_not_accused_by_chance():
    accused = 0
    for seed in range(100):
        held = records(120, seed=seed)
        rng = np.random.default_rng(seed)
        # A strong but honest marker: three in four, the most that is never to be accused.
        right = rng.random(120) < 0.75
        other = np.where(held.label == "1", "0", "1")
        marker = text(np.where(right, held.label, other))
        held = replace(held, attributes={"marker": marker, "subject": held.subject})
        accused += sum(one.accused for one in giveaways(held, rng=rng))
    assert accused == 0


def test_an_identifier_is_not_accused_for_knowing_its_own_subject():
    held = records(400)
    held = replace(
        held,
        label=text(np.arange(400) // 2 % 2),
        attributes={"ward": held.subject},
    )
    assert not giveaways(held, rng=np.random.default_rng(0))[0].accused


def test_every_control_finds_its_fault():
    many = [PICTURES[i % 8] for i in range(140)]
    held = pictured(many)
    held = replace(held, label=text(np.arange(140) // 2 % 2))
    part = text(["train"] * 130 + ["test"] * 10)
    controls = leak_controls(held, part, lambda row: many[row], rng=np.random.default_rng(2))
    assert {control.check for control in controls} == {
        "data.subject_leak",
        "data.duplicate_leak",
        "data.near_duplicate_leak",
        "data.label_giveaway",
    }
    assert [control for control in controls if not control.found] == []


def test_a_control_says_when_too_few_subjects_leave_a_check_blind():
    held = records(40)
    controls = leak_controls(
        held,
        text(["train"] * 30 + ["test"] * 10),
        lambda row: PICTURES[row],
        rng=np.random.default_rng(2),
    )
    [blind] = [control for control in controls if not control.found]
    assert blind.check == "data.label_giveaway"
    assert blind.detail == (
        "no finding; the training part has too few subjects of a class to accuse a column"
    )
