"""The reference of the project file says what the reader does."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from titian.pipeline.project import read_project
from titian.pipeline.registry import STAGES
from titian.pipeline.schema import (
    GAPS,
    MEASURES,
    SPEEDS,
    DataBlock,
    ProjectFile,
    json_schema,
)
from titian.pipeline.template import SCHEMA_PLACE, project_text, write_template
from titian.validation.disparity import gaps
from titian.validation.speed.latency import SHOWN

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs/reference/project-file.md"
SCHEMA = ROOT / "docs/reference/titian.schema.json"
ERRORS = ROOT / "docs/reference/errors/project.md"
SOURCES = [
    ROOT / "src/titian/pipeline" / f"{name}.py"
    for name in ("document", "schema", "consistency", "project", "template")
] + [ROOT / "src/titian/cli/guard.py"]
EXAMPLES = sorted((ROOT / "examples").glob("*/titian.yaml"))


def test_every_code_of_the_project_file_is_documented_and_every_entry_is_raised():
    raised = set()
    for source in SOURCES:
        raised |= set(re.findall(r'"(T-[PX][0-9]{3})"', source.read_text()))
    documented = re.findall(r"^## (T-[PX][0-9]{3})$", ERRORS.read_text(), re.MULTILINE)
    assert len(documented) == len(set(documented))
    assert set(documented) == raised


def test_the_page_names_every_measure_and_every_key():
    page = PAGE.read_text()
    blocks = [stage.block for stage in STAGES if stage.block]
    measures = (*MEASURES, *GAPS, *SPEEDS)
    for word in (*measures, *ProjectFile.model_fields, *DataBlock.model_fields, *blocks):
        assert f"`{word}`" in page, f"{word} is not on {PAGE.name}"


def test_a_requirement_knows_the_gaps_and_speeds_that_are_measured():
    assert set(GAPS) == set(gaps.GAPS)
    percentiles = {f"latency_p{f'{share * 100:g}'.replace('.', '_')}" for share in SHOWN}
    assert set(SPEEDS) == percentiles | {"throughput"}


def test_the_project_on_the_page_is_read(tmp_path):
    (text,) = re.findall(r"```yaml\n(name: .*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "titian.yaml").write_text(text)
    assert len(read_project(tmp_path).requirements) == 5


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.parent.name for path in EXAMPLES])
def test_every_example_is_read(path):
    assert read_project(path).requirements


def test_there_are_three_examples_with_a_page_each():
    assert [path.parent.name for path in EXAMPLES] == [
        "breast_ultrasound",
        "chest_xray",
        "heart_disease",
    ]
    for path in EXAMPLES:
        page = (path.parent / "README.md").read_text()
        assert f"titian run examples/{path.parent.name} --data" in page


def test_the_schema_beside_the_page_is_the_one_in_force():
    text = json.dumps(json_schema(STAGES), indent=2) + "\n"
    if os.environ.get("TITIAN_GOLDEN") == "write":
        SCHEMA.write_text(text)
    assert SCHEMA.read_text() == text, "write it anew with TITIAN_GOLDEN=write"


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.parent.name for path in EXAMPLES])
def test_the_schema_accepts_the_examples(path):
    schema = json_schema(STAGES)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load(path.read_text()), schema)


@pytest.mark.parametrize(
    "slip",
    [
        {"nme": "x"},
        {"data": {"table": "t.csv", "lable": "y"}},
        {"alpha": 0.7},
        {"requirements": [{"id": "R", "measure": "sensitvity", "at_least": 0.5}]},
        {"training": {"sed": 7}},
    ],
)
def test_the_schema_refuses_slips(slip):
    good = {"name": "a", "data": {"table": "t.csv", "label": "y"}}
    schema = json_schema(STAGES)
    jsonschema.validate(good, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(good | slip, schema)


@pytest.mark.parametrize("name", ["study", "true", "3", 'a "b": #c', "kajian-payudara", ""])
def test_a_new_project_is_read_whatever_its_folder_is_called(tmp_path, name):
    path = tmp_path / "titian.yaml"
    path.write_text(project_text(name), encoding="utf-8")
    project = read_project(path)
    assert project.name == (name or "study")
    assert project.seed == 7


def test_the_lines_that_a_new_project_leaves_as_comments_are_read_too(tmp_path):
    text = project_text("study")
    for key in ("subject", "attributes", "features", "missing", "unreadable", "dossier"):
        assert f"# {key}: " in text
        text = text.replace(f"# {key}: ", f"{key}: ")
    text = text.replace("  # - {id: R5", "  - {id: R5")
    text = text.replace("# sites:", "sites:").replace("# site:", "site:")
    path = tmp_path / "titian.yaml"
    path.write_text(text, encoding="utf-8")
    assert [item.id for item in read_project(path).requirements] == [
        "R1",
        "R2",
        "R3",
        "R4",
        "R5",
    ]


def test_an_editor_finds_the_schema_of_a_new_project_without_a_network(tmp_path):
    path = write_template(tmp_path / "deep" / "study")
    first = path.read_text().splitlines()[0]
    assert first == f"# yaml-language-server: $schema={SCHEMA_PLACE}"
    schema = json.loads((path.parent / SCHEMA_PLACE).read_text())
    jsonschema.validate(yaml.safe_load(path.read_text()), schema)
