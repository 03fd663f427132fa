"""The file that `titian new` writes: a whole project, with what every line is for."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from string import Template
from typing import Final

from titian.errors import InputError, Problem
from titian.pipeline.project import FILE_NAME
from titian.pipeline.registry import STAGES
from titian.pipeline.schema import MEASURES, json_schema

SCHEMA_PLACE: Final = ".titian/titian.schema.json"
"""Beside the state, so that an editor checks the file as it is typed, without a network."""

TEMPLATE: Final = Template("""\
# yaml-language-server: $$schema=$schema
#
# A Titian project. Name your table and its columns, then: titian run . --data FOLDER

name: $name
intended_use: Say who uses the system, on whom, and for what.

data:
  table: labels.csv          # CSV or Parquet, one row a case, relative to --data
  image: image               # column with the path of an image; leave out for a plain table
  label: label               # column to predict
  positive: 1                # the label's positive value; leave out for more than two classes
  # subject: patient_id      # a split never divides a subject; name it where you have it
  # attributes: [sex, {age: [0, 40, 65, 120]}]   # report by these; bands [0,40) [40,65) ...
  # features: {exclude: [record_number]}         # plain tables: columns that are not inputs
  # missing: ["?", "n/a"]    # texts that mean "missing" besides the empty one
  # unreadable: exclude      # leave out cases with a corrupt image; refuse is the default
  split: {train: 0.6, tune: 0.15, test: 0.25}
  # split: {column: hospital, train: [a], test: [b]}   # or hold a hospital out

training: {recipe: auto, seed: 7}
# model: {onnx: vendor.onnx} # instead of training: test a model that was made elsewhere

alpha: 0.05                  # intervals cover the true value in 1 - alpha of all studies

# What the release needs. Measures:
$measures
requirements:
  - {id: R1, measure: sensitivity, at_least: 0.80}
  - {id: R2, measure: auc, at_least: 0.75}
  - {id: R3, measure: expected_calibration_error, at_most: 0.08}
  - {id: R4, finding: data.subject_leak, at_most: 0}
  # One row per group, in one family; groups with fewer than min_count are not shown:
  # - {id: R5, measure: sensitivity, at_least: 0.70, for_each: [sex, age], min_count: 30}

# What may leave this site about single cases. Nothing, unless you say so:
# dossier: {case_images: true, cases: true}

# Where people and computers are:
# sites: [{name: boston, country: US, time_zone: America/New_York}]
# site: boston
""")


def write_template(folder: Path) -> Path:
    """Write a project file and its schema into a folder, which is made if need be.

    Returns:
        The project file.

    Raises:
        InputError: T-P028, the folder holds a project already; T-P029, it is a file.
    """
    path = folder / FILE_NAME
    if folder.exists() and not folder.is_dir():
        raise InputError(
            Problem(
                code="T-P029",
                message=f"{folder} is a file; a project is a folder.",
                remedy="Name another folder.",
            )
        )
    text = project_text(folder.resolve().name)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
    except FileExistsError:
        raise InputError(
            Problem(
                code="T-P028",
                message=f"{path} exists already; a project file is never overwritten.",
                remedy="Edit it, or name another folder.",
            )
        ) from None
    schema = folder / SCHEMA_PLACE
    schema.parent.mkdir(exist_ok=True)
    schema.write_text(json.dumps(json_schema(STAGES), indent=2) + "\n", encoding="utf-8")
    return path


def project_text(name: str) -> str:
    """Return the project file for a folder of this name."""
    measures = textwrap.fill(
        ", ".join(MEASURES), width=90, initial_indent="#   ", subsequent_indent="#   "
    )
    # A JSON string is a YAML one, whatever the folder is called.
    quoted = json.dumps(name or "study")
    return TEMPLATE.substitute(schema=SCHEMA_PLACE, name=quoted, measures=measures)
