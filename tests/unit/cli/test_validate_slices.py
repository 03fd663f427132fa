"""`titian validate slices`: a table in, the worst slices out, or a clear refusal."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from titian.cli.app import app

RUNNER = CliRunner()
FEATURES = ("--features", "sex,age,site")
PAIR = ("--label", "y", "--prediction", "p")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Errors are three times as frequent in women at site b; some ages are missing."""
    rng = np.random.default_rng(17)
    n = 4_000
    sex, site = rng.choice(["f", "m"], n), rng.choice(["a", "b", "c"], n)
    age = rng.integers(18, 92, n).astype(str)
    age[rng.random(n) < 0.05] = ""
    label = (rng.random(n) < 0.4).astype(int)
    wrong = rng.random(n) < np.where((sex == "f") & (site == "b"), 0.3, 0.1)
    path = tmp_path_factory.mktemp("slices") / "scored.csv"
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["id", "sex", "age", "site", "patient", "y", "p", "loss", "bad"])
        for i in range(n):
            who = [f"c{i}", sex[i], age[i], site[i], i // 2]
            loss = round(float(wrong[i] + 0.01), 2)
            out.writerow([*who, label[i], label[i] ^ wrong[i], loss, "" if i == 6 else 1])
    return path


def call(*words: object, code: int = 0) -> str:
    result = RUNNER.invoke(app, ["validate", "slices", *map(str, words)])
    assert result.exit_code == code, result.output
    return result.output


def refusal(*words: object) -> str:
    result = RUNNER.invoke(app, ["validate", "slices", *map(str, words)])
    assert result.exit_code == 2, result.output
    return " ".join(result.output.split())


def document(*words: object) -> dict:
    text = call(*words, "--json")
    return json.loads(text[text.index("{") :])


def test_json_names_the_planted_slice(table):
    found = document(table, *PAIR, *FEATURES)
    assert found["cases"] == 4_000
    assert found["features"] == ["sex", "age", "site"]
    assert (found["max_level"], found["min_support"], found["seed"]) == (3, 40, 0)
    assert found["permutations"] == 199
    assert found["significant"] == 1
    worst = found["slices"][0]
    assert worst["slice"] == {"sex": "f", "site": "b"}
    assert worst["p_value"] == 0.005
    assert worst["significant"] is True
    assert worst["ratio"] == pytest.approx(worst["error"] / worst["rest"])
    assert {"sex": "f"} in [each["slice"] for each in worst["folded"]]
    assert {each["relation"] for each in worst["folded"]} <= {
        "narrower",
        "wider",
        "overlapping",
        "same cases",
    }
    assert found["ranked"][0]["slice"] == worst["slice"]
    assert len(found["ranked"]) == 10


def test_missing_ages_are_a_band(table):
    found = document(table, *PAIR, "--features", "age", "--permutations", 0, "--top", 99)
    told = [each["slice"]["age"] for each in found["ranked"]]
    assert all(name == "missing" or name.startswith("[") for name in told)
    one = document(
        table, "--error", "loss", "--features", "age", "--min-support", 1, "--top", 99
    )
    assert len(one["features"]) == 1
    assert one["searched"] == 6, "five bands and missing"


def test_the_table_shows_bars_and_says_what_noise_gives(table):
    text = call(table, *PAIR, *FEATURES)
    assert "sex=f & site=b" in text
    assert "█" in text
    assert "1 slice at p <= 0.05 after 199 permutations, corrected for the search." in text
    noise = call(table, *PAIR, "--features", "age", "--permutations", 99)
    assert "No slices at p <= 0.05" in noise
    assert "what stands above is what noise gives." in noise


def test_search_and_permutations_are_timed_apart(table):
    lines = call(table, *PAIR, *FEATURES).splitlines()
    steps = [line for line in lines if line.startswith("[")]
    assert [line.split(":")[0] for line in steps if "done in" in line] == [
        "[1/4] read",
        "[2/4] band",
        "[3/4] search",
        "[4/4] permutations",
    ]


def test_an_error_column_and_subjects_are_taken(table):
    found = document(table, "--error", "loss", "--features", "sex,site", "--subject", "patient")
    assert found["slices"][0]["slice"] == {"sex": "f", "site": "b"}
    assert found["notes"] == []


def test_ranking_by_sliceline_takes_a_weight(table):
    found = document(
        table, *PAIR, *FEATURES, "--score", "sliceline", "--weight", 0.9, "--min-support", 0.05
    )
    assert found["score"] == "sliceline"
    assert found["min_support"] == 200
    worst = found["ranked"][0]
    expected = 0.9 * (worst["error"] / found["error"] - 1) - 0.1 * (4_000 / worst["n"] - 1)
    assert worst["score"] == pytest.approx(expected)


def test_a_label_of_1_and_a_prediction_of_1_0_agree(tmp_path):
    path = tmp_path / "scored.csv"
    rows = [f"{i % 2},{i % 2}.0,{'ab'[i < 40]}" for i in range(200)]
    rows[3] = "0,1.0,b"
    path.write_text("\n".join(["y,p,g", *rows]) + "\n")
    found = document(path, *PAIR, "--features", "g", "--permutations", 0)
    assert found["error"] == 1 / 200


def test_all_features_are_those_without_another_role(table):
    text = refusal(table, "--error", "loss", "--features", "all", "--subject", "patient")
    assert "T-V146: feature 'id' has 4,000 different values (such as 'c0')" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            (*PAIR, "--features", "sex,race"),
            "T-V101: scored.csv has no column 'race'; its columns are",
        ),
        (
            (*PAIR, "--features", "sex,sex,y"),
            "T-V143: --features: column 'sex' is named 2 times; it names columns, each once "
            "and with no other role. Name columns with commas between them, or all. T-V143: "
            "--features: column 'y' is also what errors are told by, or the subject;",
        ),
        ((*PAIR, "--features", ","), "T-V143: --features: there is none;"),
        (
            (*PAIR, *FEATURES, "--min-support", 5_000),
            "T-V144: the least support is 5000 and the table has 4,000 cases; it is a whole "
            "number from 1 to 4000, or a share between 0 and 1.",
        ),
        (
            (*PAIR, *FEATURES, "--min-support", "many"),
            "T-V145: --min-support is 'many'; it is a number of cases or a share. Give a "
            "number such as 100, or a share such as 0.01.",
        ),
        (
            FEATURES,
            "T-V147: the error is told by nothing; it is a column (--error), or a label and a "
            "prediction that differ (--label and --prediction). Give --error, or both --label "
            "and --prediction.",
        ),
        (
            (*FEATURES, "--error", "loss", "--label", "y"),
            "T-V147: the error is told by --error, --label;",
        ),
        (
            (*FEATURES, "--label", "bad", "--prediction", "p"),
            "T-V148: scored.csv: column 'bad' is empty in row 7 below the header; label, "
            "prediction and subject are known for every case. Fill the cells or leave those "
            "rows out.",
        ),
        (
            (*FEATURES, "--error", "bad"),
            "T-V140: 1 case has an error that is empty or no finite number (first: row 7 "
            "below the header)",
        ),
        (
            (*FEATURES, "--label", "y", "--prediction", "y"),
            "T-V142: the error is 0 in all 4,000 cases;",
        ),
        (
            (*PAIR, *FEATURES, "--score", "worst"),
            "T-V149: --score worst is no ranking; --score is evidence, or sliceline with a "
            "--weight above 0 and at most 1. Leave both out to rank by evidence.",
        ),
        (
            (*PAIR, *FEATURES, "--weight", 0.5),
            "T-V149: --score evidence --weight 0.5 is no ranking;",
        ),
    ],
)
def test_what_cannot_be_searched_is_refused(table, words, message):
    assert message in refusal(table, *words)


def test_a_truth_value_and_its_number_are_one_decision(tmp_path):
    path = tmp_path / "cases.csv"
    rows = ["True,1,a", "False,0,b", "true,1.0,a", "False,1,b"] * 40
    path.write_text("\n".join(["y,p,site", *rows]) + "\n")
    found = document(path, *PAIR, "--features", "site")
    assert found["error"] == 0.25


def test_a_column_of_lists_is_refused(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"y": [1, 0] * 50, "p": [1, 1] * 50, "tags": [["a"], ["b"]] * 50}
    pq.write_table(pa.table(columns), tmp_path / "cases.parquet")
    assert "T-V117: column 'tags'" in refusal(
        tmp_path / "cases.parquet", *PAIR, "--features", "all"
    )
