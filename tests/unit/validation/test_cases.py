import numpy as np
import pytest

from titian.dataset.parquet import write_columns
from titian.dataset.predictions import Predictions
from titian.errors import InputError
from titian.validation.cases import draw_cases, read_cases, write_cases


def predictions(**changed):
    n = 6
    known = {
        "case": np.arange(10, 10 + n),
        "part": np.array(["test"] * 5 + ["train"]),
        "label": np.array(["0", "1", "1", "0", "1", "0"]),
        "prediction": np.array(["0", "1", "0", "0", "1", "1"]),
        "classes": ("0", "1"),
        "scores": np.column_stack([np.linspace(0.9, 0.4, n), np.linspace(0.1, 0.6, n)]),
        "subject": np.array(["p1", "p1", "p2", "", "", "p3"]),
        "attributes": {"site": np.array(["a", "", "b", "a", "b", "a"])},
    }
    return Predictions(**{**known, **changed})


def test_only_the_test_part_enters_under_random_ids_in_their_order():
    cases = draw_cases(predictions(), np.random.default_rng(1))
    assert len(cases) == 5
    assert cases.id.tolist() == sorted(cases.id.tolist())
    assert len(set(cases.id.tolist())) == 5
    assert all(len(name) == 13 and name[0] == "c" for name in cases.id.tolist())
    assert sorted(cases.scores[:, 1]) == pytest.approx(np.linspace(0.1, 0.6, 6)[:5])


def test_a_missing_attribute_is_a_group_of_its_own():
    cases = draw_cases(predictions(), np.random.default_rng(1))
    counted = {name: int(mask.sum()) for _, name, mask in cases.parts()}
    assert counted == {"a": 2, "b": 2, "missing": 1}


def test_a_blank_subject_is_one_of_its_own():
    cases = draw_cases(predictions(), np.random.default_rng(1))
    assert len(set(cases.subject.tolist())) == 4


def test_bands_come_in_their_order_and_missing_last():
    bands = np.array(["[40,65)", "[5,40)", "", "[65,120)", "[5,40)", "[5,40)"])
    cases = draw_cases(predictions(attributes={"age": bands}), np.random.default_rng(1))
    names = [name for _, name, _ in cases.parts()]
    assert names == ["[5,40)", "[40,65)", "[65,120)", "missing"]


def test_the_table_survives_a_round_trip(tmp_path):
    for named in (predictions(), predictions(subject=None, attributes={})):
        cases = draw_cases(named, np.random.default_rng(2))
        write_cases(cases, tmp_path / "cases.parquet")
        again = read_cases(tmp_path / "cases.parquet")
        assert again.id.tolist() == cases.id.tolist()
        assert again.classes == cases.classes
        for name in ("label", "prediction", "scores"):
            assert np.array_equal(getattr(again, name), getattr(cases, name))
        assert (again.subject is None) == (cases.subject is None)
        assert list(again.groups) == list(cases.groups)


def test_no_row_number_and_no_subject_of_the_data_is_written(tmp_path):
    import pyarrow.parquet as pq

    write_cases(draw_cases(predictions(), np.random.default_rng(2)), tmp_path / "c.parquet")
    table = pq.read_table(tmp_path / "c.parquet")
    assert table.column_names == [
        "case", "label", "prediction", "subject", "score.0", "score.1", "group.site",
    ]  # fmt: skip
    assert not any("p1" in str(value) for value in table.column("subject").to_pylist())


def test_another_generator_gives_other_ids():
    one, other = (draw_cases(predictions(), np.random.default_rng(s)).id for s in (1, 2))
    assert not set(one.tolist()) & set(other.tolist())


def test_all_problems_of_the_predictions_are_told_together():
    bad = predictions(
        scores=np.column_stack([np.full(6, 0.5), [0.5, np.nan, 1.5, 0.5, 0.5, 0.5]]),
        label=np.array(["0", "1", "2", "0", "1", "0"]),
    )
    with pytest.raises(InputError) as caught:
        draw_cases(bad, np.random.default_rng(1))
    assert str(caught.value).splitlines() == [
        "T-V002: 2 cases have a score that is no probability (first: case 11, class '1', nan); "
        "scores lie in [0, 1]. Export the model with a softmax or sigmoid output.",
        "T-V003: 1 cases have a label that is no class (first: case 12, '2'); classes are "
        "0, 1. Use the classes that the model was trained on.",
    ]


def test_an_empty_test_part_is_refused():
    with pytest.raises(InputError) as caught:
        draw_cases(predictions(part=np.full(6, "train")), np.random.default_rng(1))
    assert str(caught.value) == (
        "T-V001: predictions hold 0 cases of the test part; at least 1 is needed. "
        "Give data.split.test a share above 0, or a column value that occurs."
    )


def test_a_table_that_is_none_of_ours_is_refused(tmp_path):
    path = tmp_path / "cases.parquet"
    write_columns({"case": np.array(["a"]), "score.1": np.array([0.5])}, path)
    with pytest.raises(InputError) as caught:
        read_cases(path)
    assert str(caught.value) == (
        "T-V004: cases.parquet is no table of cases: it lacks label, prediction. "
        "Use the cases.parquet of an unchanged dossier."
    )
    columns = {"case": np.array(["a"]), "score.1": np.array([0.5])}
    columns |= {"label": np.array(["9"]), "prediction": np.array(["1"])}
    write_columns(columns, path)
    with pytest.raises(InputError, match=r"column 'label' holds '9', which is no class"):
        read_cases(path)
