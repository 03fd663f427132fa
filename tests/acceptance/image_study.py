"""A tiny simulated image study, to be spoilt in one way by each test."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

PROJECT = """\
name: tiny-images
data:
  table: labels.csv
  image: image
  label: sick
  positive: 1
  subject: patient
  attributes: [sex, {age: [0, 50, 120]}]
training: {seed: 3, epochs: 2}
requirements:
  - {id: R1, measure: auc, at_least: 0.6}
"""

Row = dict[str, str]


def write_image_study(folder: Path, *, cases: int = 48, seed: int = 5) -> list[Row]:
    """Write images, `labels.csv` and `titian.yaml` into `folder`; return the rows.

    Every second case is sick, which brightens its middle; two cases a patient.
    """
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    rows = []
    for case in range(cases):
        sick = case // 2 % 2
        pixels = rng.integers(0, 120, size=(24, 24))
        pixels[8:16, 8:16] += 100 * sick
        path = f"images/{case:03d}.png"
        Image.fromarray(pixels.astype(np.uint8)).save(folder / path)
        rows.append(
            {
                "image": path,
                "sick": str(sick),
                "patient": f"p{case // 2:03d}",
                "sex": "FM"[case // 4 % 2],
                "age": str(20 + case),
            }
        )
    write_table(folder, rows)
    (folder / "titian.yaml").write_text(PROJECT, encoding="utf-8")
    return rows


def write_table(folder: Path, rows: list[Row], *, encoding: str = "utf-8") -> None:
    """Write the table of a study anew."""
    with (folder / "labels.csv").open("w", encoding=encoding, newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
