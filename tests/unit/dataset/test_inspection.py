"""Everything wrong with a table is named at once, with its place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from titian.dataset.inspection import feature_columns, table_problems
from titian.dataset.table import parse_table
from titian.values import Attribute, Data, Split

ROOT = Path("data")
DATA = Data(table="t.csv", label="y", positive="1", image="image", subject="who")
GOOD = "image,who,y,age\na.png,p1,0,30\nb.png,p1,1.0,50\nc.png,p2,1,\n"


def said(text: str, data: Data = DATA) -> list[str]:
    table = parse_table(text.encode(), name="t.csv")
    return [str(problem) for problem in table_problems(ROOT, table, data)]


def test_a_good_table_has_no_problem():
    banded = replace(DATA, attributes=(Attribute(column="age", bands=(0, 40, 60)),))
    assert said(GOOD, banded) == []


def test_names_the_nearest_column_and_goes_on():
    data = replace(DATA, label="Y ", subject="whom")
    assert said(GOOD.replace("a.png", "../a.png"), data) == [
        "T-D010: data.label names the column 'Y ', which t.csv lacks. "
        "Name one of its columns: image, who, y, age.",
        "T-D010: data.subject names the column 'whom', which t.csv lacks; the nearest is "
        "'who'. Name one of its columns: image, who, y, age.",
        "T-D030: line 2 of t.csv: the path '../a.png' leaves the data folder; paths are "
        "relative, with '/', and without '..'. "
        "Move the file into the data folder and name it from there.",
    ]


def test_refuses_missing_labels_and_subjects():
    assert said("image,who,y\na.png,p1,0\nb.png,,NaN\nc.png,p2,1\nd.png,nan,\n") == [
        "T-D011: column 'y' of t.csv has 2 missing labels (line 3, line 5); every case has a "
        "label. Label the cases, or remove their rows.",
        "T-D015: column 'who' of t.csv has 2 missing subjects (line 3, line 5); a split cannot "
        "keep an unknown subject on one side. Name the subjects, or remove the rows.",
    ]


def test_refuses_one_class():
    assert said("image,who,y\na.png,p1,1\nb.png,p2,1.0\n") == [
        "T-D012: column 'y' of t.csv holds one class, '1'; a label has at least two. "
        "Add cases of another class, or name another column under data.label."
    ]


def test_refuses_a_positive_value_that_is_not_there_or_has_two_rivals():
    assert said(GOOD, replace(DATA, positive="yes")) == [
        "T-D013: data.positive is 'yes', which column 'y' of t.csv does not hold; its values "
        "are '1', '0'. Set data.positive to one of them."
    ]
    assert said(GOOD + "d.png,p3,2,1\n") == [
        "T-D013: data.positive is '1', but column 'y' of t.csv has 3 classes ('1', '0', '2'); "
        "a positive value goes with two. "
        "Leave data.positive out, or name a column with two values."
    ]


def test_refuses_a_label_with_too_many_values():
    rows = "".join(f"{i}.png,p{i},{i}\n" for i in range(101))
    assert said("image,who,y\n" + rows, replace(DATA, positive=None)) == [
        "T-D014: column 'y' of t.csv has 101 different values; a label has at most 100 "
        "classes. Name a categorical column under data.label."
    ]


def test_refuses_side_values_that_do_not_occur():
    data = replace(DATA, split=Split(column="who", train_values=("p1",), test_values=("p9",)))
    assert said(GOOD, data) == [
        "T-D016: data.split.test names 'p9', which column 'who' of t.csv does not hold; its "
        "values are 'p1', 'p2'. Name values that the column holds."
    ]


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../x.png", "a/../../x.png", "C:\\x.png", "a\\b"]
)
def test_refuses_paths_that_leave_the_folder(path):
    [problem] = said(GOOD.replace("a.png", path))
    assert problem.startswith(
        f"T-D030: line 2 of t.csv: the path {path!r} leaves the data folder"
    )


def test_refuses_blank_and_repeated_images():
    assert said("image,who,y\n,p1,0\nb.png,p1,1\n./b.png,p2,0\n") == [
        "T-D017: line 2 of t.csv names no image; every case has one. "
        "Name the image, or remove the row.",
        "T-D018: line 3 and line 4 of t.csv name the same image 'b.png'; a case has an image "
        "of its own. Remove one of the rows.",
    ]


def test_refuses_ages_that_are_no_numbers_or_outside_the_bands():
    data = replace(DATA, attributes=(Attribute(column="age", bands=(0, 40, 65)),))
    text = GOOD.replace("30", "n/a").replace("50", "412")
    assert said(text, data) == [
        "T-D019: column 'age' of t.csv has 1 non-numeric values (first: 'n/a'; line 2); bands "
        "need numbers. Fix the rows, or list the texts that mean missing under data.missing.",
        "T-D020: column 'age' of t.csv has 1 values outside its bands [0,65) (first: '412'; "
        "line 3). Widen the bands under data.attributes, or fix the rows.",
    ]
    assert len(said(text, replace(data, missing=("n/a", "412")))) == 0


def test_refuses_infinite_inputs():
    tabular = Data(table="t.csv", label="y", positive="1")
    assert said("x,y\ninf,0\n2,1\n", tabular) == [
        "T-D021: column 'x' of t.csv has 1 infinite values (line 2); inputs are finite. "
        "Fix the rows, or leave the cells blank."
    ]


def test_refuses_repeated_rows_where_a_subject_tells_cases_apart():
    tabular = Data(table="t.csv", label="y", positive="1", subject="who")
    assert said("who,x,y\np1,1,0\np2,2,1\np1,1,0\n", tabular) == [
        "T-D022: t.csv has 1 rows that repeat another row in every column (first: line 2 and "
        "line 4); a case stands in the table once. Remove the repeated rows."
    ]
    assert said("x,y\n1,0\n2,1\n1,0\n", replace(tabular, subject=None)) == []


def test_inputs_leave_out_label_subject_side_and_excluded_columns():
    table = parse_table(b"who,site,x,sex,num,y\na,n,1,F,2,0\n", name="t.csv")
    data = Data(
        table="t.csv",
        label="y",
        subject="who",
        exclude=("num",),
        attributes=(Attribute(column="sex"),),
        split=Split(column="site"),
    )
    assert feature_columns(table, data) == ("x", "sex")
