"""What the reader of `titian.yaml` promises: all problems, each with its place."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from titian.errors import InputError
from titian.pipeline.project import read_project
from titian.stage import Stage
from titian.values import (
    Attribute,
    Data,
    DossierOptions,
    Project,
    Requirement,
    Site,
    Split,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    width: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingBlock:
    recipe: str = "auto"
    layers: tuple[Layer, ...] = ()

    def __post_init__(self) -> None:
        if self.recipe not in ("auto", "cnn"):
            raise ValueError(f"recipe '{self.recipe}' is none of auto, cnn")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelBlock:
    onnx: str


def stage(name: str, block: str, kind: type[object]) -> Stage[Any]:
    return Stage(
        name=name,
        summary=f"The {name} stage.",
        reads=(),
        writes=(),
        configure=lambda project: None,
        run=lambda settings, inputs, context: pytest.fail("never run"),
        block=block,
        block_type=kind,
    )


STAGES = (stage("train", "training", TrainingBlock), stage("admit", "model", ModelBlock))

WHOLE = """\
name: chest-xray-triage
intended_use: Flag abnormal chest X-rays for a second reader.
data:
  table: labels.csv
  image: image
  label: abnormal
  positive: 1
  subject: patient_id
  attributes: [sex, view, {age: [0, 40, 65, 120]}]
  features: {exclude: [num]}
  split: {train: 0.6, tune: 0.15, test: 0.25}
training: {recipe: auto, seed: 7}
alpha: 0.05
requirements:
  - {id: R1, measure: sensitivity, at_least: 0.80}
  - {id: R2, measure: sensitivity, at_least: 0.70, for_each: [sex, age], min_count: 30}
  - {id: R3, measure: expected_calibration_error, at_most: 0.08}
  - {id: R4, finding: data.subject_leak, at_most: 0}
"""

SMALL = "name: a\ndata: {table: t.csv, label: y}\n"


@pytest.fixture
def read(tmp_path: Path):
    def reader(text: str | bytes) -> Project:
        path = tmp_path / "titian.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_project(tmp_path, stages=STAGES)

    return reader


@pytest.fixture
def refused(read):
    def messages(text: str | bytes) -> list[str]:
        with pytest.raises(InputError) as caught:
            read(text)
        return [str(problem) for problem in caught.value.problems]

    return messages


def test_the_whole_file_becomes_values(read):
    assert read(WHOLE) == Project(
        name="chest-xray-triage",
        intended_use="Flag abnormal chest X-rays for a second reader.",
        data=Data(
            table="labels.csv",
            label="abnormal",
            image="image",
            positive="1",
            subject="patient_id",
            attributes=(
                Attribute(column="sex"),
                Attribute(column="view"),
                Attribute(column="age", bands=(0.0, 40.0, 65.0, 120.0)),
            ),
            exclude=("num",),
            split=Split(train=0.6, tune=0.15, test=0.25),
        ),
        alpha=0.05,
        requirements=(
            Requirement(id="R1", measure="sensitivity", at_least=0.8),
            Requirement(
                id="R2",
                measure="sensitivity",
                at_least=0.7,
                for_each=("sex", "age"),
                min_count=30,
            ),
            Requirement(id="R3", measure="expected_calibration_error", at_most=0.08),
            Requirement(id="R4", finding="data.subject_leak", at_most=0.0),
        ),
        seed=7,
        blocks={"training": TrainingBlock(recipe="auto")},
    )


def test_table_and_label_are_enough_under_data(read):
    assert read(SMALL).data == Data(table="t.csv", label="y")


def test_a_file_may_be_named_in_place_of_its_folder(tmp_path):
    path = tmp_path / "other.yaml"
    path.write_text(SMALL)
    assert read_project(path, stages=STAGES).name == "a"


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("1", "1"),
        ("1.0", "1"),
        ('"1"', "1"),
        ('"1.0"', "1"),
        ("1e0", "1"),
        ("true", "true"),
        ("True", "true"),
        ("malignant", "malignant"),
        ("yes", "yes"),
        ("007", "007"),
        ("-1.50", "-1.5"),
    ],
)
def test_positive_is_any_scalar_as_canonical_text(read, written, text):
    project = read(f"name: a\ndata: {{table: t.csv, label: y, positive: {written}}}\n")
    assert project.data.positive == text


def test_yaml_1_1_surprises_stay_text(read):
    project = read(SMALL + "sites: [{name: no, country: NO}, {name: 12:30}]\nsite: no\n")
    assert project.sites == (Site(name="no", country="NO"), Site(name="12:30"))


def test_a_split_by_column(read):
    project = read(
        "name: a\ndata: {table: t.csv, label: y, split: {column: site, train: cleveland, "
        "test: [hungary, 3.0]}}\n"
    )
    assert project.data.split == Split(
        column="site", train_values=("cleveland",), test_values=("hungary", "3")
    )


def test_a_model_made_elsewhere(read):
    assert read(SMALL + "model: {onnx: vendor.onnx}\n").blocks == {
        "model": ModelBlock(onnx="vendor.onnx")
    }


def test_an_empty_block_asks_for_the_defaults(read):
    assert read(SMALL + "training:\n").blocks == {"training": TrainingBlock()}


def test_nested_settings_of_a_stage(read):
    blocks = read(SMALL + "training: {layers: [{width: 3}, {}]}\n").blocks
    assert blocks == {"training": TrainingBlock(layers=(Layer(width=3), Layer()))}


def test_the_other_options(read):
    project = read(
        "name: a\n"
        "data: {table: t.csv, label: y, missing: ['?', -9], unreadable: exclude}\n"
        "dossier: {case_images: true, cases: true}\n"
        "sites: [{name: boston, country: US, time_zone: America/New_York}]\n"
        "key: boston\n"
    )
    assert project.data.missing == ("?", "-9")
    assert project.data.unreadable == "exclude"
    assert project.dossier == DossierOptions(case_images=True, cases=True)
    assert project.site == "boston", "a lone site is where the run happens"
    assert project.key == "boston"


def test_all_problems_are_reported_together_in_the_order_of_lines(refused):
    text = """\
nme: x
data:
  table: [a]
  lable: x
  attributes: [sex, {age: [0, 0, 3]}]
  split: {train: 0.6, tune: 0.15, test: 0.35}
training: {recipe: auto, sed: 3}
alpha: 0.7
requirements:
  - {id: 1, measure: sensitvity, at_least: 80, for_each: [sx]}
  - {id: 1.0, finding: data.subject_leak}
"""
    assert refused(text) == [
        "T-P011: $.name (line 1 of titian.yaml): the required key 'name' is missing. "
        "Add 'name: ...'.",
        "T-P010: $.nme (line 1 of titian.yaml): unknown key 'nme'; the nearest known key is "
        "'name'. Write 'name', or take it out.",
        "T-P011: $.data.label (line 2 of titian.yaml): the required key 'label' is missing. "
        "Add 'label: ...' to the block 'data'.",
        'T-P012: $.data.table (line 3 of titian.yaml): expected text, found ["a"]. '
        "Mend the value.",
        "T-P010: $.data.lable (line 4 of titian.yaml): unknown key 'lable'; the nearest "
        "known key is 'label'. Write 'label', or take it out.",
        "T-P021: $.data.attributes[1] (line 5 of titian.yaml): the bands of 'age' go from 0 "
        "to 0; edges must increase. Sort the edges and drop doubles.",
        "T-P019: $.data.split (line 6 of titian.yaml): the shares train 0.6, tune 0.15 and "
        "test 0.35 add up to 1.1; shares add up to 1. Change a share.",
        "T-P010: $.training.sed (line 7 of titian.yaml): unknown key 'sed'; the nearest "
        "known key is 'seed'. Write 'seed', or take it out.",
        "T-P013: $.alpha (line 8 of titian.yaml): expected a number under 0.5, found 0.7. "
        "Give a value within the range.",
        "T-P014: $.requirements[0].measure (line 10 of titian.yaml): unknown measure "
        "'sensitvity'; measures are sensitivity, specificity, ppv, npv, accuracy, "
        "balanced_accuracy, f1, auc, average_precision, brier, expected_calibration_error, "
        "and the gaps and speeds in the reference of measures. Did you mean 'sensitivity'?",
        "T-P013: $.requirements[0].at_least (line 10 of titian.yaml): the bound 80 lies "
        "outside [0, 1], the range of the measure. Write 80 % as 0.80.",
        "T-P018: $.requirements[0].for_each (line 10 of titian.yaml): 'sx' is none of "
        "data.attributes (sex, age). Did you mean 'sex'?",
        "T-P015: $.requirements[1].id (line 11 of titian.yaml): the id '1' is that of "
        "$.requirements[0]; ids are unique. Give one of the two another id.",
        "T-P017: $.requirements[1] (line 11 of titian.yaml): the requirement has neither "
        "'at_least' nor 'at_most'; it has one bound. Keep exactly one of the two keys; "
        "write two requirements for two bounds.",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a: [\n b: c",
            "T-P003: titian.yaml is not valid YAML at line 2, column 6: while parsing a flow "
            "sequence, expected ',' or ']', but got '<stream end>'. Mend the line; often a "
            "colon, a quote, a bracket or the indentation before it is wrong.",
        ),
        (
            b"name: a\nintended_use: caf\xe9\n",
            "T-P002: line 2 of titian.yaml is not UTF-8 text (byte 0xe9 at offset 25). Save "
            "the file as UTF-8.",
        ),
        (
            "name: a\x07\n",
            "T-P002: line 1 of titian.yaml holds the control character #x07; a project file "
            "is plain UTF-8 text. Delete the character.",
        ),
        (
            "",
            "T-P004: titian.yaml is empty; a project file has at least the keys 'name' and "
            "'data'. Start from the file that `titian new DIR` writes.",
        ),
        (
            "- a\n",
            "T-P004: titian.yaml is not a mapping of keys to values; a project file has at "
            "least the keys 'name' and 'data'. Start from the file that `titian new DIR` "
            "writes.",
        ),
        (
            SMALL + "name: b\n",
            "T-P005: key 'name' is given twice at $.name (lines 1 and 3 of titian.yaml). Keep "
            "one of the two.",
        ),
        (
            SMALL + "intended_use: !secret x\n",
            "T-P006: $.intended_use (line 3 of titian.yaml) has the tag '!secret'; a project "
            "file holds text, numbers, true, false, lists and blocks. Write it as plain text, "
            "in quotes if need be.",
        ),
        (
            SMALL + "sites: 4\n",
            "T-P012: $.sites (line 3 of titian.yaml): expected a list, found 4. Mend the "
            "value.",
        ),
        (
            SMALL + "key: 3\n",
            "T-P012: $.key (line 3 of titian.yaml): expected text, found 3. Put the value in "
            "quotes.",
        ),
        (
            SMALL + "zzz: 3\n",
            "T-P010: $.zzz (line 3 of titian.yaml): unknown key 'zzz'; known here are name, "
            "intended_use, data, alpha, requirements, sites, site, key, dossier, training, "
            "model. Take it out, or use a known key.",
        ),
        (
            SMALL + "training: {layers: [{widht: 3}]}\n",
            "T-P010: $.training.layers[0].widht (line 3 of titian.yaml): unknown key 'widht'; "
            "the nearest known key is 'width'. Write 'width', or take it out.",
        ),
        (
            SMALL + "training: {recipe: magic}\n",
            "T-P025: $.training (line 3 of titian.yaml): recipe 'magic' is none of auto, cnn. "
            "Mend the value.",
        ),
        (
            SMALL + "training: {seed: -1}\n",
            "T-P013: $.training.seed (line 3 of titian.yaml): expected a whole number from 0 "
            "to 2^63 - 1, found -1. Give a seed such as 7.",
        ),
        (
            SMALL + "model: {}\n",
            "T-P011: $.model.onnx (line 3 of titian.yaml): the required key 'onnx' is missing. "
            "Add 'onnx: ...' to the block 'model'.",
        ),
        (
            SMALL + "training: {}\nmodel: {onnx: v.onnx}\n",
            "T-P022: $.model (line 4 of titian.yaml): both blocks 'training' and 'model' are "
            "given; a project trains its model or tests one that was made elsewhere. Keep one "
            "of the two blocks.",
        ),
        (
            SMALL + "alpha: .nan\n",
            "T-P013: $.alpha (line 3 of titian.yaml): expected a number under 0.5, found NaN. "
            "Give a value within the range.",
        ),
        (
            SMALL + "site: here\n",
            "T-P027: $.site (line 3 of titian.yaml): 'here' is not one of the sites (none). "
            "List it under sites.",
        ),
        (
            SMALL + "sites: [{name: kl, time_zone: Asia/KL}]\n",
            "T-P027: $.sites[0].time_zone (line 3 of titian.yaml): 'Asia/KL' is no time zone "
            "of the IANA list. Write for example Asia/Kuala_Lumpur.",
        ),
        (
            SMALL + "sites: [{name: kl}, {name: kl}]\n",
            "T-P027: $.sites[1].name (line 3 of titian.yaml): the site 'kl' is listed twice. "
            "Give one of the two another name.",
        ),
    ],
)
def test_a_bad_file_is_refused_with_place_rule_and_remedy(refused, text, message):
    assert refused(text) == [message]


@pytest.mark.parametrize(
    ("requirement", "message"),
    [
        (
            "{id: R, at_least: 0.5}",
            "T-P016: $.requirements[0] (line 3 of titian.yaml): the requirement has neither "
            "'measure' nor 'finding'; it bounds one measure or counts one finding. Keep "
            "exactly one of the two keys.",
        ),
        (
            "{id: R, measure: auc, finding: data.subject_leak, at_least: 0}",
            "T-P016: $.requirements[0] (line 3 of titian.yaml): the requirement has both "
            "'measure' and 'finding'; it bounds one measure or counts one finding. Keep "
            "exactly one of the two keys.",
        ),
        (
            "{id: R, measure: auc, at_least: 0.5, at_most: 0.6}",
            "T-P017: $.requirements[0] (line 3 of titian.yaml): the requirement has both "
            "'at_least' and 'at_most'; it has one bound. Keep exactly one of the two keys; "
            "write two requirements for two bounds.",
        ),
        (
            "{id: R, measure: auc, at_least: .inf}",
            "T-P013: $.requirements[0].at_least (line 3 of titian.yaml): the bound Infinity "
            "lies outside [0, 1], the range of the measure. Write 80 % as 0.80.",
        ),
        (
            "{id: R, measure: auc, at_least: .nan}",
            "T-P013: $.requirements[0].at_least (line 3 of titian.yaml): the bound NaN lies "
            "outside [0, 1], the range of the measure. Write 80 % as 0.80.",
        ),
        (
            "{id: R, finding: data.subject_leak, at_most: 0.5}",
            "T-P013: $.requirements[0].at_most (line 3 of titian.yaml): expected a whole "
            "number of findings, 0 or more, found 0.5. Give a count such as 0.",
        ),
        (
            "{id: R, finding: leak, at_most: 0}",
            "T-P026: $.requirements[0].finding (line 3 of titian.yaml): 'leak' is no finding "
            "code; codes are dotted, such as data.subject_leak. Take a code from the reference "
            "of findings.",
        ),
        (
            "{id: R, finding: data.subject_leak, at_most: 0, for_each: [sex]}",
            "T-P018: $.requirements[0].for_each (line 3 of titian.yaml): for_each divides a "
            "measure by groups; a count of findings has none. Take for_each out.",
        ),
        (
            "{id: R, measure: equal_opportunity, at_most: 0.1, for_each: [sex]}",
            "T-P030: $.requirements[0].measure (line 3 of titian.yaml): 'equal_opportunity' is "
            "measured only with the block 'disparity', which the project lacks. Add "
            "'disparity: {}' to the project file.",
        ),
        (
            "{id: R, measure: auc, at_least: 0.5, min_count: 0}",
            "T-P013: $.requirements[0].min_count (line 3 of titian.yaml): expected a number of "
            "at least 1, found 0. Give a value within the range.",
        ),
    ],
)
def test_a_bad_requirement_is_refused(refused, requirement, message):
    text = (
        "name: a\ndata: {table: t.csv, label: y, attributes: [sex]}\n"
        f"requirements: [{requirement}]\n"
    )
    assert refused(text) == [message]


def test_gaps_and_speeds_have_rules_of_their_own(tmp_path):
    path = tmp_path / "titian.yaml"
    path.write_text(
        "name: a\ndata: {table: t.csv, label: y, attributes: [sex]}\n"
        "disparity: {}\nspeed: {}\nrequirements:\n"
        "  - {id: R1, measure: equal_opportunity, at_most: 0.1}\n"
        "  - {id: R2, measure: latency_p99, at_most: 50, for_each: [sex]}\n"
        "  - {id: R3, measure: throughput, at_least: -1}\n"
    )
    with pytest.raises(InputError) as caught:
        read_project(path)
    assert [str(problem) for problem in caught.value.problems] == [
        "T-P018: $.requirements[0] (line 6 of titian.yaml): 'equal_opportunity' is a gap "
        "between the groups of a column, and for_each names none. Name the columns under "
        "for_each.",
        "T-P018: $.requirements[1].for_each (line 7 of titian.yaml): for_each divides a "
        "measure by groups; 'latency_p99' has none. Take for_each out.",
        "T-P013: $.requirements[2].at_least (line 8 of titian.yaml): the bound -1 is "
        "negative; speeds are 0 or more. Give a latency in ms or a throughput in samples a "
        "second.",
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            "attributes: [{age: [1]}]",
            "T-P021: $.data.attributes[0] (line 2 of titian.yaml): the bands of 'age' are [1]; "
            "they are a list of two or more finite numbers. Write for example {age: [0, 40, "
            "65, 120]} for [0,40) [40,65) [65,120).",
        ),
        (
            "attributes: [{a: [1, 2], b: [1, 2]}]",
            "T-P012: $.data.attributes[0] (line 2 of titian.yaml): expected a column name or "
            "{column: [edges of its bands]}, found a block of keys. Write for example 'sex' or "
            "'{age: [0, 40, 65, 120]}'.",
        ),
        (
            "attributes: [sex, sex]",
            "T-P023: $.data.attributes[1] (line 2 of titian.yaml): the attribute 'sex' is "
            "listed twice. Keep one of the two.",
        ),
        (
            "attributes: [y]",
            "T-P024: $.data.attributes[0] (line 2 of titian.yaml): the column 'y' is both "
            "label and attribute; a measure by label says nothing about groups. Take it out "
            "of the attributes.",
        ),
        (
            "subject: y",
            "T-P024: $.data.subject (line 2 of titian.yaml): the column 'y' is both label and "
            "subject. Name another column.",
        ),
        (
            "split: {train: 0.7, test: 0.3}",
            "T-P011: $.data.split.tune (line 2 of titian.yaml): the required key 'tune' is "
            "missing. Add 'tune: ...' to the block 'split'.",
        ),
        (
            "split: {column: s, train: [a, b], test: [b]}",
            "T-P020: $.data.split.test (line 2 of titian.yaml): the value 'b' of column 's' "
            "stands on both sides train and test. Keep it on one side.",
        ),
        (
            "split: {column: s, train: [], test: [b]}",
            "T-P013: $.data.split.train (line 2 of titian.yaml): expected a list of at least "
            "1, found []. Give a value within the range.",
        ),
        (
            "split: {column: s, trian: [a], train: [a], test: [b]}",
            "T-P010: $.data.split.trian (line 2 of titian.yaml): unknown key 'trian'; the "
            "nearest known key is 'train'. Write 'train', or take it out.",
        ),
        (
            "unreadable: ignore",
            "T-P013: $.data.unreadable (line 2 of titian.yaml): expected one of 'refuse' or "
            "'exclude', found 'ignore'. Give a value within the range.",
        ),
    ],
)
def test_a_bad_data_block_is_refused(refused, data, message):
    assert refused(f"name: a\ndata: {{table: t.csv, label: y, {data}}}\n") == [message]


def test_a_missing_file_names_the_next_move(tmp_path):
    with pytest.raises(InputError) as caught:
        read_project(tmp_path, stages=STAGES)
    assert str(caught.value) == (
        f"T-P001: the project file {tmp_path}/titian.yaml cannot be read: no such file or "
        "directory. Name a folder that holds a titian.yaml, or make one with `titian new DIR`."
    )


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\n"
        "c: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\n"
        "e: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n",
        "a: &a [*a]\n",
        "[" * 5000,
        "#" * 1_100_000,
    ],
    ids=["laughs", "loop", "deep", "long"],
)
def test_a_file_made_to_hurt_is_refused_at_once(refused, text):
    (message,) = refused(text)
    assert message.startswith("T-P004: titian.yaml ")
    assert message.endswith(
        "a project file is a page of text. Check that it is the right file."
    )


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
shallow = st.lists(scalars, max_size=2) | st.dictionaries(
    st.text(max_size=3), scalars, max_size=2
)
trees = scalars | shallow | st.lists(shallow, max_size=2)
KEYS = (
    "name",
    "data",
    "alpha",
    "requirements",
    "sites",
    "site",
    "training",
    "model",
    "dossier",
)
DATA = ("table", "label", "attributes", "split", "features", "positive", "subject", "missing")
REQUIREMENT = ("id", "measure", "finding", "at_least", "at_most", "for_each", "min_count")


def block(keys: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(keys), trees, max_size=4)


files = block(KEYS) | st.fixed_dictionaries(
    {
        "name": st.just("a"),
        "data": block(DATA),
        "requirements": st.lists(block(REQUIREMENT), max_size=2),
    }
)


@settings(max_examples=60)
@given(tree=files)
def test_any_tree_is_read_or_refused_in_our_words(tmp_path_factory, tree):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8")
    problems = ()
    try:
        read_project(path, stages=STAGES)
    except InputError as error:
        problems = error.problems
    assert all(problem.code.startswith("T-P0") for problem in problems)
    assert not any("pydantic" in problem.message for problem in problems)


@settings(max_examples=60)
@given(text=st.text(max_size=60) | st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_in_our_words(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "bytes.yaml"
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    path.write_bytes(raw)
    with pytest.raises(InputError, match="T-P0"):
        read_project(path, stages=STAGES)


def test_json_is_yaml_too(read):
    tree = {"name": "a", "data": {"table": "t.csv", "label": "y"}}
    assert read(json.dumps(tree)).name == "a"
