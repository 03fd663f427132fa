"""`titian annotation cost` and `titian annotation qualify`."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from titian.cli.app import app

RUNNER = CliRunner()
LABELS = """\
task,worker,label,site,seconds
t,ann,cat,Penang,30
t,bob,cat,Boston,10
u,ann,dog,Penang,30
u,bob,dog,Boston,10
"""
PAY = ("--pay", "Penang=18 MYR/hour +20%", "--pay", "Boston=.25USD/label")
RATE = ("--exchange", "USD=4.5 MYR @ 2026-02-20", "--currency", "USD", "--on", "2026-03-01")


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text(LABELS)
    return path


def call(*words: object, code: int = 0):
    result = RUNNER.invoke(app, ["annotation", *map(str, words)])
    assert result.exit_code == code, result.output
    return result


def test_cost_says_what_an_accepted_label_cost_and_would_cost_elsewhere(labels):
    words = ("cost", labels, *PAY, "--pay", "Oslo=36 USD/hour", *RATE, "--confidence", 0.51)
    document = json.loads(call(*words, "--fixed", 4, "--json").stdout)
    assert (document["currency"], document["on"]) == ("USD", "2026-03-01")
    assert (document["tasks"], document["labels"], document["accepted"]) == (2, 4, 2)
    assert document["per_accepted"] == pytest.approx((2 * 0.04 + 2 * 0.25) / 2)
    assert document["saved"] == pytest.approx(0.5)
    sites = {row["site"]: row["per_accepted"] for row in document["by_site"]}
    assert sites == {"Penang": pytest.approx(0.08), "Boston": pytest.approx(0.5)}
    there = {row["site"]: row for row in document["same_round"]}
    assert there["Penang"]["per_accepted"] == pytest.approx(0.08)
    assert there["Oslo"]["seconds_per_label"] == pytest.approx(20)
    assert there["Oslo"]["per_accepted"] == pytest.approx(0.4)
    assert there["Penang"]["rate_on"] == "2026-02-20"


def test_cost_for_people_names_rates_and_an_experts_part(labels):
    page = call("cost", labels, *PAY, *RATE, "--confidence", 0.999, "--expert", 1).stdout
    assert "Of this, 2.00 USD are an expert's decisions.\n" in page
    assert "Penang: exchange rate of 2026-02-20.\n" in page
    assert "the same round at" in page


def test_seconds_of_a_site_go_before_those_it_took(labels):
    words = ("cost", labels, "--pay", "=36 USD/hour", "--seconds", "=5", "--json")
    document = json.loads(call(*words, "--confidence", 0.51).stdout)
    # Labels that tell their seconds are paid for them; the same round is priced at 5 s.
    assert document["total"] == pytest.approx(0.8)
    assert [row["total"] for row in document["same_round"]] == pytest.approx([0.2, 0.2])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            (),
            "T-A407: labels.csv has no column cost, and no --pay says what a label costs. "
            "Say it, for example --pay 'Penang=0.05 USD/label' or --pay 'Penang=20 MYR/hour' "
            "with a column seconds.\n\n",
        ),
        (
            PAY,
            "T-A402: --currency is missing, and sites pay in MYR, USD. Say in which one to "
            "reckon, for example --currency MYR.\n\n",
        ),
        (
            ("--pay", "Penang=20 MYR/day", "--pay", "a=1/label", "--pay", "a=2/label"),
            "T-A403: --pay 'Penang=20 MYR/day' is not SITE=AMOUNT CURRENCY/label or "
            "SITE=AMOUNT CURRENCY/hour, with +N% where there is overhead. Write for example "
            "--pay 'Penang=20 MYR/hour +25%', or --pay '=0.4 USD/label' for every site.\n\n"
            "T-A401: --pay says 2 times what site 'a' pays; a site pays in one way. Keep "
            "one of them.\n\n",
        ),
        (
            ("--pay", "=1/label", "--exchange", "USD=4 MYR"),
            "T-A404: --exchange 'USD=4 MYR' is not CURRENCY=NUMBER CURRENCY @ DAY; a rate has "
            "the day it is of. Write for example --exchange 'USD=4.4 MYR @ 2026-02-27'.\n\n",
        ),
        (
            ("--pay", "=1/label", "--seconds", "Oslo=9"),
            "T-A405: --seconds 'Oslo=9' is not SITE=NUMBER with a site of --pay. Write for "
            "example --seconds Penang=27, beside --pay 'Penang=...'.\n\n",
        ),
        (
            ("--pay", "=1/label", "--confidence", "1", "--fixed", "0"),
            "T-A406: --confidence is 1; it lies between 0.5 and 1. Correct the number.\n\n"
            "T-A406: --fixed is 0; labels a task are a number above 0. Correct the number.\n\n",
        ),
        (
            ("--pay", "=1/label", "--on", "today"),
            "T-A400: --on is 'today'; a day is written as in 2026-02-27. Write the year, the "
            "month and the day.\n\n",
        ),
    ],
)
def test_what_cannot_be_reckoned_with_is_refused_in_full(labels, words, message):
    assert call("cost", labels, *words, code=2).stderr.endswith(message)


def gold_files(tmp_path: Path, tasks: int = 120) -> tuple[Path, Path]:
    rows = ["task,worker,label,time"]
    for task in range(tasks):
        truth = "cat" if task % 3 else "dog"
        rows.append(f"{task},ann,{truth},{task}")
        rows.append(f"{task},bob,{'cat' if task % 2 else 'dog'},{tasks - task}")
    labels, gold = tmp_path / "labels.csv", tmp_path / "gold.csv"
    labels.write_text("\n".join(rows) + "\n")
    lines = [
        f"{task},{'cat' if task % 3 else 'dog'},{'chest' if task < 70 else 'bone'},en"
        for task in range(tasks)
    ]
    gold.write_text("task,label,skill,language\n" + "\n".join(lines) + "\n")
    return labels, gold


def test_qualify_says_who_passes_who_fails_and_who_is_stopped(tmp_path):
    labels, gold = gold_files(tmp_path)
    document = json.loads(call("qualify", labels, "--gold", gold, "--json").stdout)
    assert (document["gold_tasks"], document["answers"], document["order"]) == (
        120,
        240,
        "time",
    )
    bob, ann = document["workers"]
    assert (bob["worker"], bob["right"], bob["answers"]) == ("bob", 60, 120)
    assert 5 < bob["stopped_at"] < 120
    assert (ann["worker"], ann["stopped_at"]) == ("ann", None)
    entries = {(row["worker"], row["skill"]): row["passed"] for row in document["entries"]}
    assert entries == {
        ("ann", "bone"): True,
        ("ann", "chest"): True,
        ("bob", "bone"): False,
        ("bob", "chest"): False,
    }
    assert document["plan"]["entry_tasks"] == 60
    assert document["plan"]["entry_needed"] == 43
    skills = {row["skill"]: row["gold_tasks"] for row in document["plan"]["skills"]}
    assert skills == {"bone": 50, "chest": 70}
    assert document["control"]["found"] is True
    assert document["control"]["guessers_stopped"] > 0.95
    assert document["control"]["good_stopped"] <= 0.03


def test_qualify_hides_gold_in_a_queue(tmp_path):
    labels, gold = gold_files(tmp_path)
    out = tmp_path / "places.csv"
    words = ("qualify", labels, "--gold", gold, "--queue", 200, "--hide-out", out)
    page = call(*words).stdout
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert f"A queue of 200 tasks takes {len(rows)} gold tasks" in page
    places = [int(row["place"]) for row in rows]
    assert places == sorted(places)
    assert 1 <= places[0] <= 10
    assert places[-1] <= 200
    assert len({row["task"] for row in rows}) == len(rows)


def test_a_control_of_too_little_gold_is_not_found(tmp_path):
    labels, gold = gold_files(tmp_path, tasks=4)
    document = json.loads(call("qualify", labels, "--gold", gold, "--json").stdout)
    assert document["control"]["found"] is False
    assert document["control"]["answers_each"] == 4
    page = call("qualify", labels, "--gold", gold).stdout
    assert "That is too little gold to stop a guesser: hide more." in page


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--good", "0.6", "--bad", "0.7"),
            "T-A220: bad is 0.7 and good 0.6; bad is lower. Correct the rate.\n\n",
        ),
        (
            ("--hide-out", "places.csv"),
            "T-A410: --hide-out is given without --queue; places are those of a queue. Say how "
            "long a worker's queue is, for example --queue 400.\n\n",
        ),
        (
            ("--queue", "9000"),
            "T-A223: the queue of 9000 tasks needs 451 gold tasks, and 120 of 120 are new to "
            "the worker. Make more gold, or hide it more thinly.\n\n",
        ),
    ],
)
def test_what_cannot_be_judged_is_refused(tmp_path, words, message):
    labels, gold = gold_files(tmp_path)
    assert call("qualify", labels, "--gold", gold, *words, code=2).stderr.endswith(message)
