"""The annotate stage: raw labels in, labels of cases and records of readers out."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from titian.annotation import faults
from titian.annotation.block import AnnotateBlock, AnnotateSettings, DatedRate
from titian.annotation.cost import Pay
from titian.annotation.faults import plant_careless_reader, simulate_readings
from titian.annotation.gold_answers import GoldAnswers
from titian.annotation.phantom import FILE, READERS, make_readings, write_readings
from titian.annotation.stage import ANNOTATE
from titian.dataset.labels import read_labels
from titian.dataset.parquet import read_columns
from titian.dataset.phantom import PhantomStudy, make_phantom, table_text
from titian.errors import InputError
from titian.stage import StageResult
from titian.values import Data, Project, to_json

SITE_OF_FAULT = "south"


@dataclass(frozen=True)
class FakeContext:
    folder: Path
    seed: int = 7

    def progress(self, step, done, total):
        assert step
        assert 0 <= done <= total


def project(block: AnnotateBlock | None, **data: object) -> Project:
    given = {"table": "labels.csv", "label": "malignant", "image": "image"} | data
    blocks = {} if block is None else {"annotate": block}
    return Project(name="p", intended_use="", data=Data(**given), blocks=blocks)


SETTINGS = ANNOTATE.configure(
    project(AnnotateBlock(labels=FILE, currency="USD"), subject="patient")
)


@pytest.fixture(scope="module")
def study() -> PhantomStudy:
    return make_phantom(seed=3, patients=120)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, study) -> Path:
    root = tmp_path_factory.mktemp("study")
    rng = np.random.default_rng(5)
    planted = plant_careless_reader(
        make_readings(study, rng=rng), study, rng=rng, site=SITE_OF_FAULT
    )
    write_readings(planted.readings, study, root)
    (root / "labels.csv").write_text(table_text(study))
    return root


@pytest.fixture(scope="module")
def ran(folder, tmp_path_factory) -> StageResult:
    return run(SETTINGS, folder, tmp_path_factory.mktemp("out"))


def run(settings: AnnotateSettings, root: Path, out: Path, seed: int = 7) -> StageResult:
    return ANNOTATE.run(settings, {"source": root}, FakeContext(out, seed))


def small(tmp_path: Path, labels: str, table: str = "id,y\nt,1\nu,0\nv,1\n") -> Path:
    (tmp_path / "table.csv").write_text(table)
    (tmp_path / "readings.csv").write_text(labels)
    (tmp_path / "out").mkdir()
    return tmp_path


SMALL = ANNOTATE.configure(
    project(AnnotateBlock(labels="readings.csv", task="id"), table="table.csv", image=None)
)


def test_each_case_gets_its_label(ran, study):
    labels = read_labels(ran.artifacts["labels"])
    assert labels.case.tolist() == list(range(len(study.cases)))
    assert labels.task.tolist() == [case.path for case in study.cases]
    truth = np.array([str(int(case.malignant)) for case in study.cases])
    assert (labels.label == truth).mean() > 0.97
    assert ((labels.confidence > 0.5) & (labels.confidence <= 1)).all()


def test_the_careless_reader_is_found_by_number_and_site(ran, study):
    named = [f for f in ran.findings if f.code == "annotation.careless_reader"]
    assert len(named) == 1
    assert f"at site {SITE_OF_FAULT}" in named[0].what
    first = int(named[0].where.split()[1].rstrip(","))
    assert study.cases[first].site == SITE_OF_FAULT
    assert [f.code for f in ran.findings if f.code == "annotation.spammer"] == []


def test_no_name_of_a_reader_leaves_the_table_of_readers(ran):
    record = [ran.measurements, ran.findings, ran.figures, ran.controls]
    text = json.dumps(to_json(record)) + "".join(read_labels(ran.artifacts["labels"]).task)
    assert [name for name in READERS if name in text] == []
    who = read_columns(ran.artifacts["readers"])
    assert sorted(who["name"].tolist()) == sorted(READERS)
    assert who["reader"].tolist() == [1, 2, 3, 4, 5]
    assert who["name"].tolist() != list(READERS)


def test_the_table_of_readers_says_who_the_careless_one_is(ran, folder, study, tmp_path):
    (finding,) = [f for f in ran.findings if f.code == "annotation.careless_reader"]
    number = int(finding.what.split()[1])
    name = read_columns(ran.artifacts["readers"])["name"][number - 1]
    rng = np.random.default_rng(5)
    honest = make_readings(study, rng=rng)
    planted = plant_careless_reader(honest, study, rng=rng, site=SITE_OF_FAULT)
    changed = {
        READERS[new.reader]
        for old, new in zip(honest, planted.readings, strict=True)
        if old != new
    }
    assert changed == {str(name)}


def test_the_measurements_are_those_that_were_promised(ran, study):
    values = {m.name: m for m in ran.measurements if m.subgroup is None}
    assert set(values) == {
        "krippendorff_alpha",
        "expected_label_accuracy",
        "escalated_share",
        "labels_per_task",
        "cost_per_accepted_label",
    }
    assert values["labels_per_task"].value == 4
    alpha = values["krippendorff_alpha"]
    assert alpha.low < alpha.value < alpha.high
    cost = values["cost_per_accepted_label"]
    assert cost.unit == "USD"
    places = {
        m.subgroup["reading_site"]: m.value
        for m in ran.measurements
        if m.name == "cost_per_accepted_label" and m.subgroup
    }
    assert places["south"] < cost.value < places["north"]
    # Each case is paid four times; the escalated ones are paid and not accepted.
    assert places["south"] > 4 * 0.15


def test_every_control_was_caught(ran):
    assert len(ran.controls) == 6
    assert [c.check for c in ran.controls if not c.found] == []


def test_the_figures_are_drawn(ran):
    assert [figure.name for figure in ran.figures] == [
        "agreement by class",
        "readers",
        "confusion of readers",
        "cost of labels",
    ]
    for row in ran.figures[2].values:
        assert sum(row) == pytest.approx(1)


def test_a_run_gives_the_same_again_and_another_seed_other_numbers(folder, ran, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    again = run(SETTINGS, folder, tmp_path / "a")
    assert again.artifacts["labels"].read_bytes() == ran.artifacts["labels"].read_bytes()
    assert again.measurements == ran.measurements
    assert again.findings == ran.findings
    other = run(SETTINGS, folder, tmp_path / "b", seed=8)
    before, after = (read_columns(r.artifacts["readers"])["name"] for r in (ran, other))
    assert before.tolist() != after.tolist()


def test_gold_adds_an_accuracy_and_changes_nothing_else(folder, ran, study, tmp_path):
    lines = [f"{case.path},{int(case.malignant)}" for case in study.cases[:60]]
    gold = folder / "gold.csv"
    gold.write_text("task,label\n" + "\n".join(lines) + "\n")
    told = run(replace(SETTINGS, gold="gold.csv"), folder, tmp_path)
    (accuracy,) = [m for m in told.measurements if m.name == "label_accuracy"]
    assert accuracy.n == 60
    assert accuracy.value > 0.95
    assert told.artifacts["labels"].read_bytes() == ran.artifacts["labels"].read_bytes()


def test_a_reader_who_guesses_on_gold_is_named_by_number_and_the_control_sees_one(
    folder, study, tmp_path
):
    gold = folder / "all_gold.csv"
    lines = [f"{case.path},{int(case.malignant)}" for case in study.cases]
    gold.write_text("task,label\n" + "\n".join(lines) + "\n")
    rows = (folder / FILE).read_text().splitlines()
    guessed = [rows[0]]
    for place, row in enumerate(rows[1:]):
        cells = row.split(",")
        if cells[1] == READERS[0]:
            cells[2] = str(place % 2)
        guessed.append(",".join(cells))
    (folder / "guessed.csv").write_text("\n".join(guessed) + "\n")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    asked = replace(SETTINGS, gold="all_gold.csv")
    honest = run(asked, folder, tmp_path / "a")
    assert [f.code for f in honest.findings if f.code == "annotation.fails_gold"] == []
    (control,) = [c for c in honest.controls if c.check == "annotation.fails_gold"]
    assert control.found
    assert control.fault == "a reader who guesses on gold (in the run's answers)"
    ran = run(replace(asked, labels="guessed.csv"), folder, tmp_path / "b")
    (finding,) = [f for f in ran.findings if f.code == "annotation.fails_gold"]
    number = int(finding.what.split()[1])
    assert read_columns(ran.artifacts["readers"])["name"][number - 1] == READERS[0]
    assert "against 80%, the sequential test stops this reader after" in finding.what


def test_a_control_of_gold_that_misses_its_fault_says_so(ran):
    rng = np.random.default_rng(1)
    # A bar of 2 % is passed by every guesser: the check cannot see the fault.
    few = GoldAnswers(
        worker=np.zeros(300, dtype=np.int64),
        task=np.arange(300),
        right=np.ones(300, dtype=np.bool_),
        timed=True,
        repeated=0,
    )
    missed = faults.gold_control(simulate_readings(rng), few, good=0.0001, rng=rng)
    assert (missed.found, missed.detail) == (False, "not stopped")


def test_rows_of_one_task_share_its_label_and_unread_cases_are_counted(tmp_path):
    root = small(
        tmp_path,
        "task,worker,label\nt,a,yes\nt,b,yes\nu,a,no\n",
        "id,y\nt,1\nv,0\nt,1\nu,0\n",
    )
    ran = run(SMALL, root, root / "out")
    labels = read_labels(ran.artifacts["labels"])
    assert labels.case.tolist() == [0, 2, 3]
    assert labels.label.tolist() == ["yes", "yes", "no"]
    (finding,) = [f for f in ran.findings if f.code == "annotation.unlabelled"]
    assert (
        finding.what,
        finding.where,
    ) == ("1 of 4 cases have no reading and are left out.", "case 1")


def test_costs_that_nobody_tells_are_unknown_and_pay_fills_them(tmp_path):
    root = small(tmp_path, "task,worker,label\nt,a,yes\nt,b,yes\nu,a,no\nu,b,no\n")
    unknown = run(SMALL, root, root / "out")
    (cost,) = [m for m in unknown.measurements if m.name == "cost_per_accepted_label"]
    assert cost.value is None
    assert cost.reason == "the cost of some label is not told"
    paid = run(replace(SMALL, pay_per_label=0.5, confidence=0.51), root, root / "out")
    (cost,) = [m for m in paid.measurements if m.name == "cost_per_accepted_label"]
    assert cost.value == pytest.approx(1.0)


def test_pay_by_site_and_hour_prices_the_round_there_and_elsewhere(tmp_path):
    root = small(
        tmp_path,
        "task,worker,label,site,seconds\nt,a,yes,south,36\nt,b,yes,north,9\n"
        "u,a,no,south,36\nu,b,no,north,9\n",
    )
    terms = {
        "confidence": 0.51,
        "currency": "USD",
        "pay": (
            Pay(site="south", currency="MYR", per_hour=20.0, overhead=0.5),
            Pay(site="west", per_label=0.2),
        ),
        "pay_per_label": 0.1,
        "exchange": (DatedRate(currency="USD", into="MYR", rate=4.0, on="2026-02-27"),),
        "fixed_labels_per_task": 4.0,
    }
    ran = run(replace(SMALL, **terms), root, root / "out")
    cost = {
        (m.name, (m.subgroup or {}).get("reading_site")): m
        for m in ran.measurements
        if "cost" in m.name or "saved" in m.name
    }
    own, same = "cost_per_accepted_label", "same_round_cost_per_accepted_label"
    # South: 36 s at 20 MYR an hour are 0.20, with overhead 0.30 MYR or 0.075 USD.
    assert cost[own, None].value == pytest.approx((2 * 0.075 + 2 * 0.1) / 2)
    assert cost[own, "south"].value == pytest.approx(0.075 * 2)
    assert cost[own, "north"].value == pytest.approx(0.1 * 2)
    assert cost[same, "south"].value == pytest.approx(4 * 0.075 / 2)
    assert cost[same, "west"].value == pytest.approx(4 * 0.2 / 2)
    assert cost[same, "north"].value == pytest.approx(4 * 0.1 / 2)
    assert {m.unit for m in cost.values() if "cost" in m.name} == {"USD"}
    assert cost["saved_against_fixed", None].value == pytest.approx(0.5)
    assert cost[same, "south"].method == "count, rate of 2026-02-27"
    assert "the same round elsewhere" in [figure.name for figure in ran.figures]


def test_what_is_taken_for_missing_seconds_stands_beside_the_cost(tmp_path):
    root = small(
        tmp_path, "task,worker,label,seconds\nt,a,yes,36\nt,b,yes,\nu,a,no,36\nu,b,no,36\n"
    )
    terms = {"confidence": 0.51, "currency": "USD", "pay": (Pay(per_hour=10.0),)}
    ran = run(replace(SMALL, **terms), root, root / "out")
    (cost,) = [m for m in ran.measurements if m.name == "cost_per_accepted_label"]
    assert cost.value == pytest.approx(0.2)
    assert cost.reason == (
        "a sum of what was paid has no interval. 1 of 4 labels without a site tell no seconds: "
        "the mean of the others, 36.0 s, is taken."
    )


@pytest.mark.parametrize(
    "labels",
    [
        "task,worker,label\nt,a,yes\nu,a,no\nv,a,no\n",
        "task,worker,label\nt,a,yes\nt,b,yes\nu,a,yes\n",
        "task,worker,label,time\nt,a,1,\nt,a,0,2026-01-01\n",
    ],
    ids=["one worker", "one class", "one task, twice by one worker"],
)
def test_thin_rounds_are_answered(tmp_path, labels):
    root = small(tmp_path, labels)
    ran = run(SMALL, root, root / "out")
    to_json([ran.measurements, ran.findings, ran.figures, ran.controls])
    assert all(control.found for control in ran.controls)


@pytest.mark.parametrize(
    ("labels", "code"),
    [
        ("task,worker,label\nt,a,yes\nz,a,no\n", "T-A353"),
        ("task,worker,label,time\nt,a,1,noon\nu,a,0,2026-01-01\n", "T-A355"),
        ("task,worker,label,time\nt,a,1,2026-01-01\nu,a,0,2026-01-01T00:00Z\n", "T-A355"),
        ("task,worker\nt,a\n", "T-A021"),
        ("", "T-D002"),
    ],
)
def test_bad_readings_are_refused(tmp_path, labels, code):
    root = small(tmp_path, labels)
    with pytest.raises(InputError) as refused:
        run(SMALL, root, root / "out")
    assert [problem.code for problem in refused.value.problems] == [code]


def test_a_task_that_the_table_lacks_is_named(tmp_path):
    root = small(tmp_path, "task,worker,label\nt ,a,yes\nz,a,no\n")
    with pytest.raises(InputError) as refused:
        run(SMALL, root, root / "out")
    assert str(refused.value) == (
        "T-A353: readings.csv labels 2 tasks that column 'id' of table.csv does not hold "
        "('t ', 'z'). Name tasks as the table does, or take those labels out."
    )


def test_the_stage_is_wanted_only_with_its_block():
    assert ANNOTATE.configure(project(None)) is None
    assert SETTINGS.task == "image"


def test_all_that_is_wrong_with_a_block_is_said_at_once():
    block = AnnotateBlock(
        labels="r.csv", method="crowdlab", confidence=1.0, pay_per_label=float("inf")
    )
    with pytest.raises(InputError) as refused:
        ANNOTATE.configure(project(block, image=None))
    codes = [problem.code for problem in refused.value.problems]
    assert codes == ["T-A352", "T-A354", "T-A356", "T-A354"]


def test_pay_that_cannot_be_reckoned_with_is_said_at_once():
    block = AnnotateBlock(
        labels="r.csv",
        good_reader=1.0,
        expert_per_task=-1.0,
        fixed_labels_per_task=0.0,
        pay=(
            Pay(site="Penang", currency="MYR", per_label=0.4),
            Pay(site="Penang", currency="MYR", per_label=0.4, per_hour=20.0),
        ),
        exchange=(DatedRate(currency="USD", into="MYR", rate=4.4, on="27 Feb"),),
        priced_on="2026-2-7",
    )
    with pytest.raises(InputError) as refused:
        ANNOTATE.configure(project(block))
    assert str(refused.value) == (
        "T-A354: $.annotate.good_reader is 1; it lies between 0 and 1, both excluded. Leave it "
        "out for 0.8.\n"
        "T-A354: $.annotate.expert_per_task is -1; pay is a number of at least 0. Give the "
        "price of one decision.\n"
        "T-A354: $.annotate.fixed_labels_per_task is 0; labels a task are a number above 0. "
        "Give the labels a task of the plan to compare with, such as 5.\n"
        "T-A231: site 'Penang' has per_label 0.4 and per_hour 20.0; exactly one of them is "
        "given. Say how the site pays.\n"
        "T-A400: $.annotate.exchange[0].on is '27 Feb'; a day is written as in 2026-02-27. "
        "Write the year, the month and the day.\n"
        "T-A400: $.annotate.priced_on is '2026-2-7'; a day is written as in 2026-02-27. Write "
        "the year, the month and the day.\n"
        "T-A401: $.annotate.pay says 2 times what site 'Penang' pays; a site pays in one way. "
        "Keep one of them.\n"
        "T-A402: $.annotate.currency is missing, and sites pay in currencies of their own. Say "
        "in which currency to reckon, for example currency: USD."
    )
