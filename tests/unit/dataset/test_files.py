"""Records, split and predictions come back as they were written."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from titian.dataset.parquet import text
from titian.dataset.predictions import Predictions, read_predictions, write_predictions
from titian.dataset.records import Records, read_records, write_records
from titian.dataset.split import read_split, write_split
from titian.errors import InputError

WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)


def same(left: object, right: object) -> bool:
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[k], right[k]) for k in left)
    if isinstance(left, np.ndarray):
        return np.array_equal(left, right, equal_nan=left.dtype.kind == "f")
    return left == right


@st.composite
def records(draw):
    n = draw(st.integers(1, 6))
    column = st.lists(WORDS, min_size=n, max_size=n).map(text)
    numbers = st.lists(
        st.one_of(st.just(float("nan")), st.floats(allow_infinity=False)),
        min_size=n,
        max_size=n,
    ).map(np.array)
    return Records(
        case=np.arange(n),
        label=draw(column),
        image=draw(st.none() | column),
        subject=draw(st.none() | column),
        attributes=draw(st.dictionaries(WORDS, column, max_size=2)),
        features=draw(st.dictionaries(WORDS, st.one_of(column, numbers), max_size=2)),
    )


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None
)
@given(original=records())
def test_records_come_back(original, tmp_path):
    path = tmp_path / "records.parquet"
    write_records(original, path)
    first = hashlib.sha256(path.read_bytes()).hexdigest()
    back = read_records(path)
    for name in (
        "case",
        "label",
        "image",
        "sha256",
        "subject",
        "attributes",
        "features",
        "files",
    ):
        assert same(getattr(original, name), getattr(back, name)), name
    write_records(back, path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == first


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None
)
@given(
    classes=st.lists(WORDS, min_size=2, max_size=4, unique=True),
    n=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_predictions_come_back(classes, n, seed, tmp_path):
    rng = np.random.default_rng(seed)
    original = Predictions(
        case=np.arange(n),
        part=text(["test"] * n),
        label=text(rng.choice(classes, n)),
        prediction=text(rng.choice(classes, n)),
        classes=tuple(classes),
        scores=rng.dirichlet(np.ones(len(classes)), n),
        subject=text([f"s{i}" for i in range(n)]),
        attributes={"sex": text(["", *["F"] * (n - 1)])},
    )
    write_predictions(original, tmp_path / "p.parquet")
    back = read_predictions(tmp_path / "p.parquet")
    assert back.classes == original.classes
    for name in ("case", "part", "label", "prediction", "scores", "subject", "attributes"):
        assert same(getattr(original, name), getattr(back, name)), name
    assert same(back.take(back.case == 0).scores, original.scores[:1])


def test_split_is_read_in_the_order_of_the_cases(tmp_path):
    path = tmp_path / "split.parquet"
    write_split(np.array([5, 1, 3]), text(["train", "", "test"]), path)
    assert read_split(path, np.array([1, 3, 5])).tolist() == ["", "test", "train"]
    with pytest.raises(InputError) as caught:
        read_split(path, np.array([1, 2]))
    assert str(caught.value) == (
        "T-D061: split.parquet does not hold every case of the records. "
        "Remove it and run again, so that it is made anew."
    )


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "records.parquet"
    path.write_bytes(b"PAR1 no")
    with pytest.raises(InputError, match=r"T-D060: records\.parquet cannot be read as Parquet"):
        read_records(path)
