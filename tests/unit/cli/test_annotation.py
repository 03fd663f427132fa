"""`titian annotation`: tables in, tables and one JSON document out, clear errors."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from titian.annotation import METHODS
from titian.cli.annotation.tables import write_columns
from titian.cli.app import app

RUNNER = CliRunner()
LABELS = """\
task,worker,label,cost
"a, first",ann,cat,0.5
"a, first",bob,cat,0.5
"a, first",cem,dog,0.25
 007,ann,dog,0.5
 007,bob,dog,0.5
 007,cem,dog,
1.0,ann,cat,0.5
1.0,bob,cat,0.5
1.0,cem,cat,
"""
GOLD = 'task,label\n"a, first",cat\n 007,dog\n'


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text(LABELS)
    return path


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    path = tmp_path / "gold.csv"
    path.write_text(GOLD)
    return path


def call(*words: object, code: int = 0):
    result = RUNNER.invoke(app, ["annotation", *map(str, words)])
    assert result.exit_code == code, result.output
    return result


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_consensus_gives_each_task_and_label_back_verbatim(labels, tmp_path):
    out = tmp_path / "consensus.csv"
    call("consensus", labels, "--out", out)
    table = rows(out)
    assert [(row["task"], row["label"]) for row in table] == [
        ("a, first", "cat"),
        (" 007", "dog"),
        ("1.0", "cat"),
    ]
    assert list(table[0]) == ["task", "label", "confidence"]
    assert all(0.5 < float(row["confidence"]) <= 1 for row in table)


def test_consensus_writes_a_record_of_each_worker(labels, tmp_path):
    workers = tmp_path / "workers.csv"
    call("consensus", labels, "--out", tmp_path / "c.csv", "--workers-out", workers)
    table = rows(workers)
    assert list(table[0]) == [
        *("worker", "n", "accuracy", "low", "high", "spammer_score", "cost")
    ]
    assert [(row["worker"], row["n"], row["cost"]) for row in table] == [
        ("ann", "3", "1.5"),
        ("bob", "3", "1.5"),
        ("cem", "3", "0.25"),
    ]
    for row in table:
        assert float(row["low"]) <= float(row["accuracy"]) <= float(row["high"])


def test_consensus_json_is_one_document_with_confusions_and_reliability(labels, gold, tmp_path):
    out = tmp_path / "c.csv"
    result = call("consensus", labels, "--out", out, "--gold", gold, "--json")
    document = json.loads(result.stdout)
    assert (document["labels"], document["tasks"]) == (9, 3)
    assert document["classes"] == ["cat", "dog"]
    cem = document["workers"][2]
    assert cem["worker"] == "cem"
    assert set(cem["confusion"]) == {"cat", "dog"}
    assert sum(cem["confusion"]["cat"].values()) == pytest.approx(1)
    assert document["reliability"]["n"] == 2
    assert document["reliability"]["accuracy"] == 1
    assert document["why"]


def test_a_cost_that_nobody_told_is_empty_not_zero(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("task,worker,label\n1,a,x\n1,b,y\n2,a,y\n")
    workers = tmp_path / "w.csv"
    call("consensus", path, "--out", tmp_path / "c.csv", "--workers-out", workers)
    assert [row["cost"] for row in rows(workers)] == ["", ""]


@pytest.mark.parametrize("method", [name for name in METHODS if name != "crowdlab"])
def test_every_method_is_a_choice(labels, tmp_path, method):
    out = tmp_path / "c.csv"
    result = call("consensus", labels, "--out", out, "--method", method, "--json")
    assert json.loads(result.stdout)["method"] == method


def test_crowdlab_reads_a_models_probabilities(labels, tmp_path):
    model = tmp_path / "model.csv"
    model.write_text('task,cat,dog,bird\n"a, first",0.9,0.1,0\n 007,0.2,0.7,0.1\n1.0,1,0,0\n')
    words = ("consensus", labels, "--out", tmp_path / "c.csv", "--probabilities", model)
    document = json.loads(call(*words, "--method", "crowdlab", "--json").stdout)
    assert document["classes"] == ["bird", "cat", "dog"]
    assert [row["label"] for row in rows(tmp_path / "c.csv")] == ["cat", "dog", "cat"]


def test_the_help_names_every_method():
    page = " ".join(call("consensus", "--help").stdout.split())
    assert [name for name in METHODS if name not in page] == []


def test_parquet_goes_in_and_out(tmp_path):
    path, out = tmp_path / "labels.parquet", tmp_path / "consensus.parquet"
    columns = {"task": ["t", "t", "u"], "worker": [1, 2, 1], "label": ["x", "x", "y"]}
    pq.write_table(pa.table(columns), path)
    call("consensus", path, "--out", out)
    assert pq.read_table(out).column("task").to_pylist() == ["t", "u"]


def test_the_same_seed_gives_the_same_table(labels, tmp_path):
    for name in ("a.csv", "b.csv"):
        words = ("--method", "mace", "--seed", 5)
        call("consensus", labels, "--out", tmp_path / name, *words)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_an_unknown_method_is_refused_and_nothing_is_written(labels, tmp_path):
    out = tmp_path / "c.csv"
    result = call("consensus", labels, "--out", out, "--method", "guess", "--json", code=2)
    (error,) = json.loads(result.stdout)["errors"]
    assert error["code"] == "T-A009"
    assert not out.exists()


def test_results_never_overwrite_an_input_or_each_other(labels, tmp_path):
    result = call("consensus", labels, "--out", labels, code=2)
    assert f"T-A351: --out {labels} is one of the inputs; nothing is written over. " in (
        result.stderr
    )
    both = tmp_path / "c.csv"
    result = call("consensus", labels, "--out", both, "--workers-out", both, code=2)
    assert "is also what --out writes" in result.stderr
    assert labels.read_text() == LABELS


def test_a_missing_folder_is_refused_before_any_work(labels, tmp_path):
    out = tmp_path / "nowhere" / "c.csv"
    result = call("consensus", labels, "--out", out, code=2)
    assert result.stderr == (
        f"T-A350: --out {out} lies in {out.parent}, which is none; it is a file in a folder "
        "that exists. Name a file, or make the folder first.\n\n"
    )


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "T-D002"),
        ("task,worker,label\n", "T-D002"),
        ("task,worker\n1,a\n", "T-A021"),
        ("task,worker,label\n1,a,\n", "T-A022"),
        ("task,worker,label,cost\n1,a,x,free\n", "T-A023"),
        (b"task,worker,label\n1,a,caf\xe9\n", "T-D003"),
        (None, "T-A020"),
    ],
)
def test_bad_labels_are_refused_with_their_place(tmp_path, content, code):
    path = tmp_path / "labels.csv"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.write_text(content)
    words = ("consensus", path, "--out", tmp_path / "c.csv", "--json")
    result = call(*words, code=2)
    assert [error["code"] for error in json.loads(result.stdout)["errors"]] == [code]
    assert "labels.csv" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("content", "note"),
    [
        ("task,worker,label\n1,a,x\n2,a,y\n", "There is one worker"),
        ("task,worker,label\n1,a,x\n1,b,x\n", "All votes name one class"),
        ("task,worker,label\n1,a,x\n1,a,y\n1,b,y\n", "1 votes repeat a worker's vote"),
    ],
)
def test_a_thin_crowd_is_answered_with_a_note(tmp_path, content, note):
    path = tmp_path / "labels.csv"
    path.write_text(content)
    document = json.loads(call("consensus", path, "--out", tmp_path / "c.csv", "--json").stdout)
    assert any(text.startswith(note) for text in document["notes"])


def test_replay_prints_fractions_per_order_and_mean(labels, gold):
    words = ("replay", labels, "--gold", gold, "--confidence", 0.9, "--orders", 3, "--json")
    document = json.loads(call(*words).stdout)
    assert len(document["orders"]) == 3
    for row in (document["mean"], *document["orders"]):
        for key in ("saved", "fixed_accuracy", "adaptive_accuracy"):
            assert 0 <= row[key] <= 1
    saved = [1 - row["asked"] / row["stored"] for row in document["orders"]]
    assert document["mean"]["saved"] == pytest.approx(sum(saved) / 3)
    assert document["gold_tasks"] == 2
    assert json.loads(call(*words).stdout) == document


def test_replay_for_people_is_a_table(labels, gold):
    text = call("replay", labels, "--gold", gold, "--confidence", 0.9).stdout
    assert "9 stored labels of 3 tasks, 2 with gold; confidence 0.9." in text
    assert "mean" in text


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--confidence", "1.0"), "T-A030"),
        (("--confidence", "0.9", "--orders", "0"), "T-A033"),
    ],
)
def test_a_replay_that_makes_no_sense_is_refused(labels, gold, words, code):
    result = call("replay", labels, "--gold", gold, *words, "--json", code=2)
    assert [error["code"] for error in json.loads(result.stdout)["errors"]] == [code]


def test_gold_that_no_task_has_is_refused(labels, tmp_path):
    gold = tmp_path / "gold.csv"
    gold.write_text("task,label\nz,cat\n")
    result = call("replay", labels, "--gold", gold, "--confidence", 0.9, code=2)
    assert "T-A026: none of the 1 tasks of gold.csv has a label in labels.csv" in result.stderr


def coco(path: Path, box: list[float]) -> Path:
    """Write one picture with one box."""
    document = {
        "images": [{"id": 1, "file_name": "a.png", "width": 100, "height": 80}],
        "categories": [{"id": 1, "name": "cell"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": box}],
    }
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def drawn(tmp_path: Path) -> list[str]:
    """Three workers who drew the same box, each a little differently."""
    boxes = {"ann": [10, 10, 20, 20], "bob": [11, 10, 20, 20], "cem": [10, 11, 20, 21]}
    paths = {name: coco(tmp_path / f"{name}.json", box) for name, box in boxes.items()}
    return [f"--worker={name}={path}" for name, path in paths.items()]


def test_shapes_of_several_workers_become_one(drawn, tmp_path):
    out, workers = tmp_path / "merged.json", tmp_path / "workers.csv"
    words = ("consensus", "--from", "coco", *drawn, "--out", out, "--workers-out", workers)
    document = json.loads(call(*words, "--json").stdout)
    assert (document["documents"], document["annotations"]) == (1, 1)
    (merged,) = json.loads(out.read_text())["annotations"]
    assert merged["bbox"] == pytest.approx([10.33, 10.33, 20, 20.33], abs=0.7)
    table = rows(workers)
    assert [(row["worker"], row["n"]) for row in table] == [
        ("ann", "1"),
        ("bob", "1"),
        ("cem", "1"),
    ]
    assert [name for name in tmp_path.iterdir() if name.name.startswith(".titian")] == []


def test_merged_shapes_are_written_in_another_format(drawn, tmp_path):
    words = ("consensus", "--from", "coco", "--to", "voc", *drawn, "--out", tmp_path / "voc")
    text = call(*words).stdout
    assert "1 annotations on 1 documents, merged from 3 workers." in text
    assert list((tmp_path / "voc").rglob("*.xml"))


def test_a_merge_writes_over_nothing(drawn, tmp_path):
    out = tmp_path / "ann.json"
    before = out.read_bytes()
    result = call("consensus", "--from", "coco", *drawn, "--out", out, code=2)
    assert result.stderr == (
        f"T-A358: --out {out} exists already; merged shapes are written over nothing. Name "
        "another target, or remove it.\n\n"
    )
    assert out.read_bytes() == before


def test_what_is_wrong_with_every_worker_is_said_at_once(drawn, tmp_path):
    (tmp_path / "ann.json").write_text("{")
    (tmp_path / "bob.json").write_text("[]")
    out = tmp_path / "merged.json"
    result = call("consensus", "--from", "coco", *drawn, "--out", out, "--json", code=2)
    words = json.dumps(json.loads(result.stdout)["errors"])
    assert "ann.json" in words
    assert "bob.json" in words
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--from", "coco", "--worker", "ann"), "T-A357"),
        (("--from", "coco", "--worker", "a=x", "--worker", "a=y"), "T-A357"),
        (("--from", "coco"), "T-A359"),
        (("--worker", "a=x"), "T-A359"),
        ((), "T-A359"),
        (("labels.csv", "--from", "coco", "--worker", "a=x"), "T-A359"),
        (("--from", "coco", "--worker", "a=x", "--gold", "g.csv"), "T-A359"),
        (("--from", "cocoa", "--worker", "a=x"), "T-A110"),
    ],
)
def test_a_call_that_mixes_tables_and_shapes_is_refused(tmp_path, words, code):
    result = call("consensus", *words, "--out", tmp_path / "out", "--json", code=2)
    assert [error["code"] for error in json.loads(result.stdout)["errors"]] == [code]


def test_every_command_of_the_group_is_there():
    page = call("--help").stdout
    for name in ("consensus", "agreement", "replay", "issues", "convert"):
        assert f"  {name} " in page


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))))
def test_any_text_comes_back_from_a_written_table(tmp_path_factory, cells):
    path = tmp_path_factory.mktemp("table") / "t.csv"
    write_columns({"text": cells, "n": list(range(len(cells)))}, path)
    assert [row["text"] for row in rows(path)] == cells
