import numpy as np
import pytest

from titian.annotation import encode_labels, read_crowd, read_gold, read_probabilities
from titian.errors import InputError


def written(folder, text, name="labels.csv"):
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def message(call, *args):
    with pytest.raises(InputError) as raised:
        call(*args)
    return str(raised.value)


LABELS = 'task,worker,label\nt 1,ann,Cat\n"t,2",bob,dog\nt 1,bob,dog\n'


def test_text_comes_back_verbatim_in_a_stated_order(tmp_path):
    crowd = read_crowd(written(tmp_path, LABELS))
    assert crowd.task.names == ("t 1", "t,2")
    assert crowd.worker.names == ("ann", "bob")
    assert crowd.label.names == ("Cat", "dog")
    assert crowd.task.code.tolist() == [0, 1, 0]
    assert crowd.label.code.tolist() == [0, 1, 1]
    assert crowd.votes().total == 3


def test_whole_numbers_are_ordered_as_numbers_and_stay_text(tmp_path):
    crowd = read_crowd(written(tmp_path, "task,worker,label\n007,1,10\n007,2,9\n7,1,9\n"))
    assert crowd.task.names == ("007", "7")
    assert crowd.label.names == ("9", "10")


def test_optional_columns_are_read_and_others_are_noted(tmp_path):
    text = "task,worker,label,site,seconds,cost,time,mood\na,w,x,KL,1.5,,2026-01-01,fine\n"
    crowd = read_crowd(written(tmp_path, text))
    assert crowd.text["site"].names == ("KL",)
    assert crowd.numbers["seconds"].tolist() == [1.5]
    assert np.isnan(crowd.numbers["cost"][0])
    assert crowd.notes == ("The columns mood of labels.csv are not read.",)


def test_labels_that_look_alike_are_noted(tmp_path):
    crowd = read_crowd(written(tmp_path, "task,worker,label\na,w,Cat\nb,w,cat \n"))
    assert crowd.notes == (
        "labels.csv has labels that differ only in spaces, case or Unicode form and count as "
        "different classes: 'Cat', 'cat '.",
    )


def test_parquet_and_csv_give_the_same_crowd(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"task": ["b", "a"], "worker": [1, 2], "label": ["x", "y"]})
    pq.write_table(table, tmp_path / "labels.parquet")
    ours = read_crowd(tmp_path / "labels.parquet")
    other = read_crowd(written(tmp_path, "task,worker,label\nb,1,x\na,2,y\n"))
    for column in ("task", "worker", "label"):
        assert getattr(ours, column).names == getattr(other, column).names
        np.testing.assert_array_equal(getattr(ours, column).code, getattr(other, column).code)


def test_a_missing_file_is_refused(tmp_path):
    assert message(read_crowd, tmp_path / "none.csv") == (
        "T-A020: none.csv cannot be read (No such file or directory). Correct the path."
    )


@pytest.mark.parametrize("text", ["", "task,worker,label\n"])
def test_an_empty_file_is_refused(tmp_path, text):
    assert message(read_crowd, written(tmp_path, text)).startswith(
        "T-D002: the table labels.csv"
    )


def test_missing_columns_are_refused(tmp_path):
    assert message(read_crowd, written(tmp_path, "task,who\na,b\n")) == (
        "T-A021: labels.csv has no column 'worker' and no column 'label'; its columns are "
        "'task', 'who'. Name the columns task, worker, label in the first line."
    )


def test_empty_cells_and_wrong_numbers_are_named_together(tmp_path):
    text = "task,worker,label,cost\na,,x,1\nb,w,,-2\nc,w, ,x\n"
    assert message(read_crowd, written(tmp_path, text)) == (
        "T-A022: column 'worker' of labels.csv is empty in 1 rows (row 1 below the header); "
        "a vote has a task, a worker and a label. "
        "Complete the rows, or remove them: a missing vote has no row.\n"
        "T-A022: column 'label' of labels.csv is empty in 2 rows (row 2, 3 below the header); "
        "a vote has a task, a worker and a label. "
        "Complete the rows, or remove them: a missing vote has no row.\n"
        "T-A023: column 'cost' of labels.csv has 2 cells that are no number of at least 0 "
        "(first: '-2' at row 2 below the header). "
        "Correct the cells; leave a cell empty where nothing is known."
    )


def test_mixed_encodings_are_refused_with_the_line(tmp_path):
    data = "task,worker,label\na,é,x\n".encode() + "b,é,x\n".encode("latin-1")
    assert message(read_crowd, written(tmp_path, data)) == (
        "T-D003: labels.csv is not UTF-8: line 3 holds the byte 0xe9, which no character has "
        "there. Save the whole table as UTF-8; parts of it may come from files in Latin-1 or "
        "Windows-1252."
    )


def test_utf_16_is_refused(tmp_path):
    text = written(tmp_path, LABELS.encode("utf-16"))
    assert message(read_crowd, text).startswith("T-D003: labels.csv is UTF-16")


def test_ragged_rows_are_refused_with_the_line(tmp_path):
    text = written(tmp_path, "task,worker,label\na,b,c\na,b\n")
    assert message(read_crowd, text).startswith(
        "T-D005: labels.csv has 3 columns, but line 3 has 2"
    )


def test_nul_characters_are_refused(tmp_path):
    assert message(read_crowd, written(tmp_path, "task,worker,label\na\0,b,c\n")) == (
        "T-A024: column 'task' of labels.csv holds NUL characters (first: 'a\\x00'); text "
        "holds none. Export the table again; the file is damaged or not text."
    )


def test_fractions_are_no_names(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"task": [1.0], "worker": ["w"], "label": ["x"]})
    pq.write_table(table, tmp_path / "labels.parquet")
    assert message(read_crowd, tmp_path / "labels.parquet") == (
        "T-A029: column 'task' of labels.parquet has the type double; task is text or an "
        "integer, so that it comes back as it was written. Write the column as text."
    )


def test_lists_of_different_length_are_refused():
    assert message(encode_labels, ["a"], ["b"], []) == (
        "T-A001: task, worker and label have the lengths task 1, worker 1, label 0; they are "
        "three lists of one length, at least 1. Give one row per vote."
    )


def test_gold_is_placed_and_what_does_not_fit_is_noted(tmp_path):
    crowd = read_crowd(written(tmp_path, LABELS))
    text = '"t,2",bird\nt 1,dog\nt 9,dog\n'
    gold = read_gold(written(tmp_path, "task,label\n" + text, "gold.csv"), crowd)
    assert gold.names == ("Cat", "dog", "bird")
    assert gold.code.tolist() == [1, 2]
    assert gold.notes == (
        "1 tasks of gold.csv have no label in labels.csv: left out.",
        "Nobody named 'bird', which gold.csv holds: every consensus is wrong there.",
    )


def test_gold_that_no_task_has_is_refused(tmp_path):
    crowd = read_crowd(written(tmp_path, LABELS))
    path = written(tmp_path, "task,label\nt1,dog\n", "gold.csv")
    assert message(read_gold, path, crowd) == (
        "T-A026: none of the 1 tasks of gold.csv has a label in labels.csv (first: 't1'; "
        "there: 't 1'). Check that both files name tasks alike."
    )


def test_two_golds_of_a_task_are_refused(tmp_path):
    crowd = read_crowd(written(tmp_path, LABELS))
    path = written(tmp_path, "task,label\nt 1,dog\nt 1,Cat\n", "gold.csv")
    assert message(read_gold, path, crowd) == (
        "T-A025: gold.csv gives 1 tasks a second gold label (first: task 't 1' is 'dog', and "
        "'Cat' at row 2 below the header); a task has one. Remove all but the right one."
    )


def test_probabilities_come_in_the_order_of_tasks_and_classes(tmp_path):
    crowd = read_crowd(written(tmp_path, LABELS))
    text = 'dog,task,Cat,ape\n0.5,"t,2",0.25,0.25\n0.1,t 1,0.9,0\n'
    found = read_probabilities(written(tmp_path, text, "p.csv"), crowd)
    assert found.names == ("Cat", "ape", "dog")
    np.testing.assert_allclose(found.value, [[0.9, 0.0, 0.1], [0.25, 0.25, 0.5]])
    assert crowd.with_classes(found.names).label.code.tolist() == [0, 2, 2]


def test_probabilities_without_a_class_or_a_task_are_refused(tmp_path):
    crowd = read_crowd(written(tmp_path, LABELS))
    path = written(tmp_path, "task,Cat\nt 1,0.5\nt 1,0.5\n", "p.csv")
    assert message(read_probabilities, path, crowd) == (
        "T-A027: p.csv has no column for the classes 'dog'; there is one column per label. "
        "Add the columns, named as the labels are written.\n"
        "T-A028: 1 tasks have no row in p.csv ('t,2'); each task that was labelled has one. "
        "Give each task one row.\n"
        "T-A028: 1 tasks have two rows or more in p.csv ('t 1'); each task that was labelled "
        "has one. Give each task one row."
    )


def test_nan_probabilities_are_refused(tmp_path):
    crowd = read_crowd(written(tmp_path, LABELS))
    path = written(tmp_path, 'task,Cat,dog\nt 1,nan,1\n"t,2",0.5,0.6\n', "p.csv")
    assert message(read_probabilities, path, crowd).startswith(
        "T-A007: 1 rows of probabilities"
    )


def test_probabilities_of_tasks_without_a_label_are_counted(tmp_path):
    crowd = read_crowd(written(tmp_path, LABELS))
    text = 'task,Cat,dog\n"t,2",0.5,0.5\nt 1,0.5,0.5\nt 3,1,0\nt 4,0,1\n'
    found = read_probabilities(written(tmp_path, text, "p.csv"), crowd)
    assert found.notes == ("2 of 4 tasks of p.csv have no label in labels.csv: left out.",)
    assert found.value.shape == (2, 2)


def test_gold_says_which_skill_and_language_it_tests(tmp_path):
    crowd = read_crowd(written(tmp_path, LABELS))
    text = 'task,label,skill,language\n"t,2",dog,bone,ms\nz,Cat,bone,en\nt 1,Cat,,en\n'
    gold = read_gold(written(tmp_path, text, "gold.csv"), crowd)
    assert [gold.skills[code] for code in gold.skill] == [("", "en"), ("bone", "ms")]
    plain = read_gold(written(tmp_path, 'task,label\n"t,2",dog\n', "plain.csv"), crowd)
    assert (plain.skills, plain.skill.tolist()) == ((("", ""),), [-1, 0])


@pytest.mark.parametrize("text", ['{"images": []}', " [1, 2]", "<annotation/>"])
def test_json_and_xml_are_no_tables_of_labels(tmp_path, text):
    path = written(tmp_path, text, "coco.json")
    assert message(read_crowd, path) == (
        "T-A412: coco.json is JSON or XML; labels, gold and probabilities are tables. Export "
        "it as CSV or Parquet. Boxes, spans and segments go by titian annotation consensus "
        "--from FORMAT, and by convert."
    )
