from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from titian.errors import InputError
from titian.validation.comparison.pairing import Columns, read_pair
from titian.validation.tables import class_name

COLUMNS = Columns(case="id", label="y", prediction="p", score="s")
HEAD = "id,y,p,s,sex,pat"
GOOD = ["c1,1,1,0.9,f,k", "c2,0,0,0.2,m,k", "c3,1,0,0.4,f,l", "c4,0,1,0.6,m,"]


def write(folder: Path, name: str, rows: list[str], head: str = HEAD) -> Path:
    path = folder / name
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def problems(folder: Path, a: list[str], b: list[str], columns: Columns = COLUMNS) -> list[str]:
    with pytest.raises(InputError) as caught:
        read_pair(write(folder, "a.csv", a), write(folder, "b.csv", b), columns)
    return [str(problem) for problem in caught.value.problems]


def test_rows_may_stand_in_any_order(tmp_path: Path) -> None:
    b = ["c3,1,1,0.8", "c1,1,1,0.7", "c4,0,0,0.1", "c2,0,0,0.3"]
    pair = read_pair(
        write(tmp_path, "a.csv", GOOD),
        write(tmp_path, "b.csv", b, "id,y,p,s"),
        Columns(
            case="id", label="y", prediction="p", score="s", groups=("sex",), subject="pat"
        ),
    )
    assert pair.a.label.tolist() == pair.b.label.tolist() == [1, 0, 1, 0]
    assert pair.a.prediction.tolist() == [1, 0, 0, 1]
    assert pair.b.prediction.tolist() == [1, 0, 1, 0]
    assert pair.b.scores[:, pair.place].tolist() == [0.7, 0.3, 0.8, 0.1]
    assert pair.a.groups["sex"].tolist() == ["f", "m", "f", "m"]
    assert pair.a.subject is not None
    assert len(np.unique(pair.a.subject)) == 3  # an empty subject is one of its own
    assert pair.a.subject[0] == pair.a.subject[1]


def test_numbers_are_one_class_however_they_are_written(tmp_path: Path) -> None:
    b = ["c1,1.0,1.0,0.9", "c2,0.0,0.0,0.2", "c3,1.0,0.0,0.4", "c4,0.0,1.0,0.6"]
    pair = read_pair(
        write(tmp_path, "a.csv", GOOD), write(tmp_path, "b.csv", b, "id,y,p,s"), COLUMNS
    )
    assert pair.a.classes == ("0", "1")
    assert pair.b.label.tolist() == pair.a.label.tolist()
    assert [class_name(text) for text in ("1", "1.0", "01", "0.5", "yes")] == [
        "1",
        "1",
        "1",
        "0.5",
        "yes",
    ]


def test_cases_of_one_class_take_the_other_from_the_decisions(tmp_path: Path) -> None:
    a, b = ["c1,1,1,0.9", "c2,1,0,0.2"], ["c1,1,1,0.9", "c2,1,1,0.2"]
    head = "id,y,p,s"
    pair = read_pair(
        write(tmp_path, "a.csv", a, head), write(tmp_path, "b.csv", b, head), COLUMNS
    )
    assert pair.a.classes == ("0", "1")
    assert pair.a.prediction.tolist() == [1, 0]


def test_unequal_sets_of_cases_are_refused_with_their_number(tmp_path: Path) -> None:
    many = [f"x{i},0,0,0.1,f,k" for i in range(7)]
    assert problems(tmp_path, [*GOOD, *many], [*GOOD, "z,1,1,0.5,f,k"]) == [
        "T-V202: 7 of 11 cases stand in a.csv alone (first: 'x0', 'x1', 'x2', 'x3', 'x4' and "
        "2 more); models are compared on the same cases. Run both models on the same cases; "
        "dropping those that one model refused would flatter it.",
        "T-V202: 1 of 5 cases stand in b.csv alone (first: 'z'); models are compared on the "
        "same cases. Run both models on the same cases; dropping those that one model refused "
        "would flatter it.",
    ]


def test_a_case_that_stands_twice_is_refused(tmp_path: Path) -> None:
    assert problems(tmp_path, GOOD, [*GOOD, GOOD[0]]) == [
        "T-V201: 1 cases stand in b.csv more than once (first: 'c1'); each case has one row. "
        "Keep one row a case, or name a column that tells cases apart."
    ]


def test_different_labels_are_refused(tmp_path: Path) -> None:
    other = ["c1,0,1,0.9,f,k", *GOOD[1:]]
    assert problems(tmp_path, GOOD, other) == [
        "T-V203: 1 cases have different labels in a.csv and b.csv (first: 'c1'); both models "
        "are judged by one truth. Take the labels of both tables from one source."
    ]


def test_different_groups_or_subjects_are_refused(tmp_path: Path) -> None:
    other = ["c1,1,1,0.9,m,l", *GOOD[1:]]
    columns = Columns(case="id", label="y", prediction="p", groups=("sex",), subject="pat")
    assert problems(tmp_path, GOOD, other, columns) == [
        f"T-V204: column {name!r} differs between a.csv and b.csv for 1 cases (first: 'c1'); a "
        "case belongs to one group and one subject. Correct it, or leave it out of b.csv."
        for name in ("sex", "pat")
    ]


def test_empty_cells_and_bad_scores_of_both_tables_are_told_together(tmp_path: Path) -> None:
    a = [GOOD[0], "c2,,0,1.2,m,k", GOOD[2], GOOD[3]]
    b = [GOOD[0], GOOD[1], "c3,1,,nan,f,l", "c4,0,1,-1,m,"]
    assert problems(tmp_path, a, b) == [
        "T-V200: column 'y' of a.csv has 1 empty cells (row 2 below the header); every case "
        "needs one. Fill them, or drop these cases from both tables.",
        "T-V205: column 's' of a.csv has 1 cells that are no probability (row 2 below the "
        "header; first: 1.2); scores are numbers in [0, 1]. Export probabilities of the "
        "positive class, one for each case.",
        "T-V200: column 'p' of b.csv has 1 empty cells (row 3 below the header); every case "
        "needs one. Fill them, or drop these cases from both tables.",
        "T-V205: column 's' of b.csv has 2 cells that are no probability (rows 3, 4 below the "
        "header; first: nan); scores are numbers in [0, 1]. Export probabilities of the "
        "positive class, one for each case.",
    ]


def test_a_prediction_that_is_no_label_is_refused(tmp_path: Path) -> None:
    other = ["c1,1,0.93,0.9,f,k", *GOOD[1:]]
    assert problems(tmp_path, GOOD, other) == [
        "T-V206: column 'p' of b.csv has 1 predictions that are no label (row 1 below the "
        "header; first: '0.93'); labels are '0', '1'. Write decisions as labels are written; "
        "scores belong in --score."
    ]


def test_a_positive_label_that_does_not_occur_is_refused(tmp_path: Path) -> None:
    columns = Columns(case="id", label="y", score="s", positive="yes")
    assert problems(tmp_path, GOOD, GOOD, columns) == [
        "T-V207: label 'yes', the positive one, does not occur in column 'y'; it holds '0', "
        "'1'. Name the positive label with --positive."
    ]


def test_nothing_to_compare_by_is_refused(tmp_path: Path) -> None:
    assert problems(tmp_path, GOOD, GOOD, Columns(case="id", label="y")) == [
        "T-V208: neither --prediction nor --score is given; models are compared by one of them "
        "or both. Name the column of the decisions, of the scores, or both."
    ]


def test_a_column_of_names_is_no_group(tmp_path: Path) -> None:
    rows = [f"c{i},{i % 2},0,0.1,name{i},k" for i in range(300)]
    columns = Columns(case="id", label="y", prediction="p", groups=("sex",))
    assert problems(tmp_path, rows, rows, columns) == [
        "T-V209: group column 'sex' has 300 values; at most 200 are compared. Band its numbers "
        "or merge its values, or leave it out."
    ]


def test_a_missing_column_is_refused_by_name(tmp_path: Path) -> None:
    columns = Columns(case="nr", label="y", prediction="p")
    with pytest.raises(InputError, match=re.escape("has no column 'nr'")):
        read_pair(write(tmp_path, "a.csv", GOOD), write(tmp_path, "b.csv", GOOD), columns)


def test_more_than_two_classes_are_noted(tmp_path: Path) -> None:
    rows = ["c1,1,1", "c2,0,0", "c3,2,1"]
    path = write(tmp_path, "a.csv", rows, "id,y,p")
    pair = read_pair(path, path, Columns(case="id", label="y", prediction="p"))
    assert pair.a.classes == ("0", "1", "2")
    assert pair.notes == (
        "y has 3 classes: accuracy and balanced_accuracy are over all of them, the other "
        "measures are of class 1 against the rest; brier and expected_calibration_error need "
        "two classes.",
    )
