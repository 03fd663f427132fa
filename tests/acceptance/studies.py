"""Tiny studies for whole runs: simulated tables that train in a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np

PROJECT = """\
name: tiny-table
intended_use: Test the road on a simulated table.
data:
  table: table.csv
  label: sick
  positive: 1
  subject: patient
  attributes: [sex, {age: [0, 50, 120]}]
training: {seed: 3}
requirements:
  - {id: R1, measure: auc, at_least: 0.6}
  - {id: R2, measure: sensitivity, at_least: 0.3, for_each: [sex], min_count: 5}
  - {id: R3, finding: data.subject_leak, at_most: 0}
"""


def write_table_study(folder: Path, *, cases: int = 400, seed: int = 5) -> Path:
    """Write a simulated table and its project file into `folder` and return it."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    marker = rng.normal(size=cases)
    sick = (marker + rng.normal(size=cases) > 0).astype(int)
    columns = {
        "patient": [f"p{i // 2:04d}" for i in range(cases)],
        "sex": rng.choice(["F", "M"], cases),
        "age": rng.integers(20, 90, cases),
        "marker": marker.round(4),
        "noise": rng.normal(size=cases).round(4),
        "sick": sick,
    }
    rows = [",".join(columns)]
    rows += [
        ",".join(str(value) for value in row) for row in zip(*columns.values(), strict=True)
    ]
    (folder / "table.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (folder / "titian.yaml").write_text(PROJECT, encoding="utf-8")
    return folder
