"""Tables of predictions come back verbatim, and what is doubtful is refused with its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from titian.errors import InputError
from titian.validation.disparity import Roles, read_outcomes
from titian.validation.tables import encode, read_table_of_cases

ROLES = Roles(label="y", prediction="p", score="s", groups=("g",))


def write(folder: Path, text: str, name: str = "cases.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_columns_come_back_as_codes_and_numbers(tmp_path):
    path = write(tmp_path, "y,s,g\n1,0.5,b\n0,,a\n1,0.25,\n")
    table = read_table_of_cases(path, text=["g", "y"], numbers=["s"])
    assert table.text["g"].names == ("b", "a", "")
    assert table.text["g"].code.tolist() == [0, 1, 2]
    assert table.text["y"].numbers().tolist() == [1.0, 0.0, 1.0]
    assert table.text["g"].numbers() is None
    np.testing.assert_array_equal(table.numbers["s"], [0.5, np.nan, 0.25])
    assert table.columns == ("y", "s", "g")


def test_parquet_and_csv_give_the_same(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"y": [1, 0, 1], "s": [0.5, 0.1, 1.0], "g": ["a", None, "b"]}
    pq.write_table(pa.table(columns), tmp_path / "cases.parquet")
    text = write(tmp_path, "y,s,g\n1,0.5,a\n0,0.1,\n1,1.0,b\n")
    found = [
        read_table_of_cases(path, text=["y", "g"], numbers=["s"])
        for path in (tmp_path / "cases.parquet", text)
    ]
    for name in ("y", "g"):
        shown = [
            [table.text[name].names[code] for code in table.text[name].code] for table in found
        ]
        assert shown[0] == shown[1]
    np.testing.assert_array_equal(found[0].numbers["s"], found[1].numbers["s"])


def test_texts_are_encoded_by_first_appearance():
    column = encode("g", ["x", "y", "x"])
    assert (column.code.tolist(), column.names) == ([0, 1, 0], ("x", "y"))


def test_an_absent_column_is_named_with_those_there_are(tmp_path):
    path = write(tmp_path, "y,p\n1,1\n")
    with pytest.raises(InputError) as refused:
        read_table_of_cases(path, text=["y", "sex"])
    assert str(refused.value) == (
        "T-V101: cases.csv has no column 'sex'; its columns are 'y', 'p'. "
        "Name columns as they are written in the first line."
    )


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError) as refused:
        read_table_of_cases(tmp_path / "none.csv", text=["y"])
    assert str(refused.value) == (
        "T-V100: none.csv cannot be read as a table (no such file or directory). "
        "Name a CSV file in UTF-8 or a Parquet file with a row for each case."
    )


def test_all_problems_of_a_table_are_told_together(tmp_path):
    path = write(tmp_path, "y,p,s,g\n1,1,1.5,a\n0,,0.2,b\n2,x,nan,b\n")
    with pytest.raises(InputError) as refused:
        read_outcomes(path, ROLES)
    assert [problem.code for problem in refused.value.problems] == [
        "T-V102",
        "T-V103",
        "T-V104",
    ]
    assert refused.value.problems[0].message == (
        "column 'p' of cases.csv is empty in 1 rows (row 2 below the header); every case has "
        "one."
    )
    assert refused.value.problems[1].message == (
        "column 'p' of cases.csv holds 'x' (first: row 3 below the header), which no label is; "
        "labels are '0', '1', '2'."
    )
    assert refused.value.problems[2].message == (
        "column 's' of cases.csv has 2 cells outside [0, 1] (first: 1.5 in row 1 below the "
        "header); a score is the positive class's probability."
    )


def test_a_positive_class_that_no_label_is(tmp_path):
    path = write(tmp_path, "y,p\nyes,yes\nno,no\n")
    with pytest.raises(InputError) as refused:
        read_outcomes(path, Roles(label="y", prediction="p"))
    assert str(refused.value) == (
        "T-V103: --positive is '1', which column 'y' of cases.csv does not hold; its values "
        "are 'no', 'yes'. Give --positive one of them."
    )


@pytest.mark.parametrize("word", ["1", "1.0", "true", "True"])
def test_numbers_and_truth_values_mean_the_same_class(tmp_path, word):
    path = write(tmp_path, f"y,p\n{word},1\n0,0\n")
    found = read_outcomes(path, Roles(label="y", prediction="p"))
    assert found.label.tolist() == found.prediction.tolist() == [True, False]


def test_a_group_column_of_ids_is_refused(tmp_path):
    rows = "".join(f"{i % 2},{i % 2},{i}\n" for i in range(10_000))
    path = write(tmp_path, "y,p,g\n" + rows)
    with pytest.raises(InputError) as refused:
        read_outcomes(path, Roles(label="y", prediction="p", groups=("g",)))
    assert str(refused.value) == (
        "T-V106: group column 'g' of cases.csv has 10000 different values over 10000 cases; at "
        "most 100 groups are compared. Name a column of groups, not of ids or numbers; band "
        "numbers first (age to decades)."
    )


def test_negative_weights_are_refused(tmp_path):
    path = write(tmp_path, "y,p,w\n1,1,1\n0,0,-2\n")
    with pytest.raises(InputError) as refused:
        read_outcomes(path, Roles(label="y", prediction="p", weight="w"))
    assert str(refused.value) == (
        "T-V107: column 'w' of cases.csv has 1 cells that are no number of at least 0 (first: "
        "-2 in row 2 below the header); a weight says how many cases of the population a case "
        "stands for. Correct the weights, or leave --weight out."
    )


def test_roles_that_share_a_column_are_refused(tmp_path):
    path = write(tmp_path, "y\n1\n0\n")
    with pytest.raises(InputError) as refused:
        read_outcomes(path, Roles(label="y", groups=("y",)))
    assert [problem.code for problem in refused.value.problems] == ["T-V108", "T-V109"]


def test_decisions_that_run_against_the_scores_are_refused(tmp_path):
    path = write(tmp_path, "y,p,s,g\n1,1,0.1,a\n0,0,0.9,a\n")
    with pytest.raises(InputError) as refused:
        read_outcomes(path, ROLES)
    assert [problem.code for problem in refused.value.problems] == ["T-V105"]


def test_thresholds_that_differ_between_groups_are_noted(tmp_path):
    rows = "1,1,0.4,a\n0,0,0.3,a\n1,1,0.9,b\n0,0,0.6,b\n"
    found = read_outcomes(write(tmp_path, "y,p,s,g\n" + rows), ROLES)
    assert found.notes == (
        "The decisions follow from the scores by thresholds that differ between groups.",
    )


def test_decisions_that_no_threshold_gives_are_counted(tmp_path):
    rows = "1,1,0.4,a\n0,0,0.3,a\n1,1,0.9,a\n0,0,0.6,a\n1,1,0.95,a\n"
    found = read_outcomes(write(tmp_path, "y,p,s,g\n" + rows), ROLES)
    assert found.notes[0].startswith(
        "No threshold of s gives p: at the best one 1 of 5 cases are decided otherwise."
    )


def test_empty_groups_and_subjects_are_kept(tmp_path):
    path = write(tmp_path, "y,p,g,who\n1,1,,a\n0,0,x,\n1,0,x,\n0,0,x,a\n")
    found = read_outcomes(path, Roles(label="y", prediction="p", groups=("g",), subject="who"))
    assert found.groups[0].names == ("x", "missing")
    assert len(set(found.subject.tolist())) == 3
    assert found.notes == ("2 cases without who count as subjects of their own.",)


def test_cells_that_are_lists_or_bytes_are_refused_all_together(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"y": [1, 0], "tags": [["a"], ["b"]], "raw": [b"\xff", b"\xfe"]}
    pq.write_table(pa.table(columns), tmp_path / "cases.parquet")
    with pytest.raises(InputError) as refused:
        read_table_of_cases(tmp_path / "cases.parquet", text=["y", "tags"], numbers=["raw"])
    assert [str(problem.code) for problem in refused.value.problems] == ["T-V117", "T-V117"]
    assert refused.value.problems[0].message == (
        "column 'tags' of cases.parquet holds list<element: string>; a column holds one text, "
        "number, truth value or date for each case."
    )


def test_a_folder_is_named_in_its_refusal():
    with pytest.raises(InputError) as refused:
        read_table_of_cases(Path(), text=["y"])
    assert refused.value.problems[0].message.startswith(". cannot be read as a table (")


def test_decisions_may_hold_the_other_class_where_labels_hold_one(tmp_path):
    path = write(tmp_path, "y,p\n1,1\n1,0\n1,1\n")
    found = read_outcomes(path, Roles(label="y", prediction="p"))
    assert found.label.tolist() == [True, True, True]
    assert found.prediction is not None
    assert found.prediction.tolist() == [True, False, True]


def test_classes_set_against_the_positive_one_are_told(tmp_path):
    path = write(tmp_path, "y,p\n1,1\n0,0\n2,0\n0,1\nx,0\n")
    found = read_outcomes(path, Roles(label="y", prediction="p"))
    assert found.notes == (
        "y has 4 classes: '1' is set against '0' (2 cases), '2' (1 cases), 'x' (1 cases) "
        "taken together.",
    )
