"""Group rates of real tables, counted apart."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from titian.validation.disparity import Roles, disparity, read_outcomes

pytestmark = pytest.mark.data


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def value_of(found, name: str, subgroup: dict[str, str]) -> float:
    return next(
        item.value
        for item in found.measurements
        if item.name == name and dict(item.subgroup or {}) == subgroup
    )


def test_adult_has_its_published_rates(shared_data: Path, tmp_path: Path):
    rows = [
        {
            "y": row["income"].rstrip("."),
            "p": ">50K" if int(row["education_num"]) >= 13 else "<=50K",
            "sex": row["sex"],
            "race": row["race"],
        }
        for row in rows_of(shared_data / "uci_adult" / "adult.csv")
    ]
    outcomes = read_outcomes(
        write(tmp_path / "adult.csv", rows),
        Roles(label="y", prediction="p", groups=("sex", "race"), positive=">50K"),
    )
    found = disparity(outcomes, intersections=2)
    # 23.93 % of all, 10.93 % of women and 30.38 % of men earn more than 50,000.
    assert value_of(found, "prevalence", {}) == pytest.approx(0.2393, abs=5e-5)
    assert value_of(found, "prevalence", {"sex": "Female"}) == pytest.approx(0.1093, abs=5e-5)
    assert value_of(found, "prevalence", {"sex": "Male"}) == pytest.approx(0.3038, abs=5e-5)
    whole, hit = Counter(), Counter()
    for row in rows:
        if row["y"] == ">50K":
            whole[row["sex"], row["race"]] += 1
            hit[row["sex"], row["race"]] += row["p"] == ">50K"
    for (sex, race), n in whole.items():
        counted = value_of(found, "sensitivity", {"sex": sex, "race": race})
        assert counted == (hit[sex, race] / n if n >= 10 else None)


def test_german_credit_and_coswara_are_read(shared_data: Path, tmp_path: Path):
    rows = rows_of(shared_data / "uci_german_credit" / "german.csv")
    for row in rows:
        row["p"] = "2" if int(row["month"]) > 24 else "1"
    path = write(tmp_path / "german.csv", rows)
    found = disparity(
        read_outcomes(
            path,
            Roles(
                label="credit",
                prediction="p",
                groups=("personal_status", "foreign_worker"),
                positive="2",
            ),
        ),
        intersections=2,
    )
    assert value_of(found, "prevalence", {}) == 0.3  # 300 of 1,000 are bad risks
    assert all(gap.high >= gap.low for gap in found.gaps if gap.value is not None)


def test_groups_that_say_nothing_are_not_shown(shared_data: Path, tmp_path: Path):
    rows = [
        {"y": str(int(row["covid_status"].startswith("positive"))), "p": "1", **row}
        for row in rows_of(shared_data / "coswara_metadata" / "coswara.csv")
    ]
    for row in rows:
        row["p"] = str(int(bool(row.get("cough"))))
    found = disparity(
        read_outcomes(
            write(tmp_path / "coswara.csv", rows),
            Roles(label="y", prediction="p", groups=("g",)),
        )
    )
    shown = {
        row.measurement.subgroup["g"]: row for row in found.rows if row.measurement.subgroup
    }
    assert {"female", "male"} <= set(shown)
    for row in found.rows:
        assert (row.measurement.value is None) == bool(row.measurement.reason)
