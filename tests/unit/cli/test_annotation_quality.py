"""`titian annotation agreement` and `titian annotation issues`."""

import csv
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from titian.cli.app import app

RUNNER = CliRunner()
ANIMALS = ("cat", "dog", "emu")


@pytest.fixture
def pilot(tmp_path):
    """A hundred tasks, three labels each, five of them wrong on purpose, and a model."""
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=100)
    labels, single, model = [], [], []
    for task, true in enumerate(truth):
        for worker in rng.choice(5, 3, replace=False):
            said = true if rng.random() < 0.85 else rng.integers(3)
            labels.append([f"t{task}", f"w{worker}", ANIMALS[said], "AB"[worker % 2]])
        planted = (true + 1) % 3 if task < 5 else true
        single.append([f"t{task}", "w0", ANIMALS[planted]])
        p = np.exp(rng.normal(size=3) * 0.5 + 4 * (np.arange(3) == true))
        model.append([f"t{task}", *(p / p.sum())])
    for name, head, rows in (
        ("labels.csv", ["task", "worker", "label", "site"], labels),
        ("single.csv", ["task", "worker", "label"], single),
        ("model.csv", ["task", *ANIMALS], reversed(model)),
    ):
        with (tmp_path / name).open("w", newline="") as file:
            csv.writer(file).writerows([head, *rows])
    return tmp_path


def call(*words, code=0):
    result = RUNNER.invoke(app, ["annotation", *map(str, words)])
    assert result.exit_code == code, result.output
    return result


def test_agreement_is_one_json_document(pilot):
    found = json.loads(call("agreement", pilot / "labels.csv", "--json").stdout)
    assert found["coefficient"] == "krippendorff"
    assert found["low"] < found["value"] < found["high"]
    assert (found["tasks"], found["labels"], found["workers"], found["n"]) == (100, 300, 5, 100)
    assert [part["class"] for part in found["by_class"]] == ["cat", "dog", "emu"]
    assert sorted(part["site"] for part in found["by_site"]) == ["A", "B"]
    assert all(part["n"] >= 10 for part in found["by_pair"])
    again = json.loads(call("agreement", pilot / "labels.csv", "--json").stdout)
    assert again == found


@pytest.mark.parametrize("coefficient", ["krippendorff", "fleiss", "cohen", "gwet"])
def test_agreement_is_printed_for_people(pilot, coefficient):
    shown = call("agreement", pilot / "labels.csv", "--coefficient", coefficient).stdout
    assert "100 tasks with two labels or more" in shown
    assert "workers (lowest agreement)" in shown


def test_words_need_an_order_and_get_one(pilot):
    path = pilot / "labels.csv"
    refused = call("agreement", path, "--level", "ordinal", code=2)
    assert "T-A203" in refused.output
    call("agreement", path, "--level", "ordinal", "--order", "cat, dog, emu")


def test_planted_label_errors_are_found_first(pilot):
    found = json.loads(
        call("issues", pilot / "single.csv", pilot / "model.csv", "--json").stdout
    )
    assert {issue["task"] for issue in found["issues"][:5]} == {f"t{n}" for n in range(5)}
    assert found["found"] == len(found["issues"])
    assert found["labels"] == list(ANIMALS)
    assert found["issues"][0]["label"] != found["issues"][0]["suggested"]
    assert found["notes"] == []
    shown = call("issues", pilot / "single.csv", pilot / "model.csv").stdout
    assert "of 100 labels are likely wrong" in shown


def test_labels_of_several_workers_are_brought_together_first(pilot):
    found = json.loads(
        call("issues", pilot / "labels.csv", pilot / "model.csv", "--json").stdout
    )
    assert found["notes"][0] == (
        "100 of 100 tasks have several labels: their consensus (auto) is looked at, not each "
        "label."
    )


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ("task,cat,dog,emu\nt0,nan,0.5,0.5\n", "T-A028"),
        ("task,cat,dog\nt0,0.5,0.5\n", "T-A027"),
    ],
)
def test_bad_probabilities_are_refused(pilot, rows, code):
    (pilot / "bad.csv").write_text(rows)
    assert code in call("issues", pilot / "single.csv", pilot / "bad.csv", code=2).output


def test_probabilities_that_are_none_are_refused(pilot):
    lines = (pilot / "model.csv").read_text().splitlines()
    cells = lines[1].split(",")
    lines[1] = f"{cells[0]},nan,0.5,0.5"
    lines[2] = f"{lines[2].split(',')[0]},0.9,0.9,0.9"
    (pilot / "bad.csv").write_text("\n".join(lines))
    output = call("issues", pilot / "single.csv", pilot / "bad.csv", code=2).output
    assert "T-A007" in output
    assert "T-A008" in output
