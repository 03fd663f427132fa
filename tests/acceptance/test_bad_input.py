"""Bad input: exit code 2, what, where, the rule and the next move; nothing is lost."""

from __future__ import annotations

import io
import json
import os
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.acceptance.image_study import PROJECT, Row, write_image_study, write_table
from titian.cli.app import app

RUNNER = CliRunner()

Spoil = Callable[[Path, list[Row]], None]


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[Row]]:
    """A good study, and a place for keys that is not the user's own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    folder = tmp_path / "study"
    return folder, write_image_study(folder)


def run(folder: Path, *options: str) -> Result:
    return RUNNER.invoke(app, ["run", str(folder), *options])


def refused(result: Result, code: str, *words: str) -> None:
    """Assert a clear refusal that names its code and everything in `words`."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    paragraphs = [p for p in re.split(r"\n\n+", result.stderr) if p.lstrip().startswith("T-")]
    paragraphs += [line for line in result.stderr.splitlines() if line.startswith("T-")]
    hits = [p for p in paragraphs if p.startswith(f"{code}: ")]
    assert hits, result.stderr
    for word in words:
        assert any(word in hit for hit in hits), result.stderr


def in_project(old: str, new: str) -> Spoil:
    def spoil(folder: Path, rows: list[Row]) -> None:
        assert old in PROJECT
        (folder / "titian.yaml").write_text(PROJECT.replace(old, new))

    return spoil


def in_row(place: int, **cells: str) -> Spoil:
    def spoil(folder: Path, rows: list[Row]) -> None:
        rows[place] |= cells
        write_table(folder, rows)

    return spoil


def in_table(content: bytes) -> Spoil:
    return lambda folder, rows: bool((folder / "labels.csv").write_bytes(content))


def in_image(content: bytes) -> Spoil:
    return lambda folder, rows: bool((folder / "images/007.png").write_bytes(content))


def without_table(folder: Path, rows: list[Row]) -> None:
    (folder / "labels.csv").unlink()


def without_image(folder: Path, rows: list[Row]) -> None:
    (folder / "images/007.png").unlink()


def truncated_image(folder: Path, rows: list[Row]) -> None:
    path = folder / "images/007.png"
    path.write_bytes(path.read_bytes()[:200])


def truncated_table(folder: Path, rows: list[Row]) -> None:
    path = folder / "labels.csv"
    path.write_text(path.read_text() + '"images/999.png,1,p1')


def mixed_encodings(folder: Path, rows: list[Row]) -> None:
    rows[3]["sex"] = "ä"
    write_table(folder, rows)
    path = folder / "labels.csv"
    path.write_bytes(path.read_bytes() + "images/999.png,1,p9,ä,40\n".encode("latin-1"))


def repeated_row(folder: Path, rows: list[Row]) -> None:
    write_table(folder, [*rows, rows[4]])


def one_class(folder: Path, rows: list[Row]) -> None:
    for row in rows:
        row["sick"] = "1"
    write_table(folder, rows)


def rare_class(folder: Path, rows: list[Row]) -> None:
    for i, row in enumerate(rows):
        row["sick"] = "1" if i < 2 else "0"
    write_table(folder, rows)


def image_elsewhere(folder: Path, rows: list[Row]) -> None:
    (folder.parent / "secret.png").write_bytes((folder / "images/007.png").read_bytes())
    rows[7]["image"] = "../secret.png"
    write_table(folder, rows)


def image_by_link(folder: Path, rows: list[Row]) -> None:
    outside = folder.parent / "secret.png"
    outside.write_bytes((folder / "images/007.png").read_bytes())
    (folder / "images/007.png").unlink()
    (folder / "images/007.png").symlink_to(outside)


def bomb() -> bytes:
    """Return a PNG of a few hundred bytes that says it holds 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        crc = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    out = io.BytesIO(b"\x89PNG\r\n\x1a\n")
    out.seek(0, io.SEEK_END)
    out.write(chunk(b"IHDR", header))
    out.write(chunk(b"IDAT", zlib.compress(bytes(60_000))))
    out.write(chunk(b"IEND", b""))
    return out.getvalue()


PROJECT_FILE = {
    "misspelt key": (
        in_project("label: sick", "lable: sick"),
        "T-P010",
        ["$.data.lable", "'label'"],
    ),
    "missing key": (in_project("  label: sick\n", ""), "T-P011", ["$.data.label"]),
    "wrong type": (
        in_project("table: labels.csv", "table: [labels.csv]"),
        "T-P012",
        ["line 3"],
    ),
    "not YAML": (in_project("name: tiny-images", "name: [tiny"), "T-P003", ["line"]),
    "unknown measure": (in_project("measure: auc", "measure: aucc"), "T-P014", ["'auc'"]),
    "unknown recipe": (
        in_project("{seed: 3, epochs: 2}", "{recipe: magic}"),
        "T-T001",
        ["magic"],
    ),
}

TABLE = {
    "misspelt column": (in_project("label: sick", "label: sikc"), "T-D010", ["sikc", "sick"]),
    "missing table": (without_table, "T-D001", ["labels.csv"]),
    "empty table": (in_table(b""), "T-D002", ["labels.csv"]),
    "header alone": (in_table(b"image,sick,patient,sex,age\n"), "T-D002", ["labels.csv"]),
    "truncated table": (truncated_table, "T-D005", ["labels.csv"]),
    "mixed encodings": (mixed_encodings, "T-D003", ["labels.csv"]),
    "repeated row": (repeated_row, "T-D022", ["labels.csv"]),
    "repeated path": (in_row(5, image="images/004.png"), "T-D018", ["images/004.png"]),
    "one class": (one_class, "T-D012", ["'sick'", "'1'"]),
    "blank label": (in_row(5, sick=""), "T-D011", ["'sick'"]),
    "label that is no number": (in_row(5, sick="nan"), "T-D011", ["'sick'"]),
    "unknown positive": (in_project("positive: 1", "positive: yes"), "T-D013", ["'yes'"]),
    "blank subject": (in_row(5, patient=" "), "T-D015", ["'patient'"]),
    "age in words": (in_row(5, age="old"), "T-D019", ["'old'"]),
    "age outside its bands": (in_row(5, age="300"), "T-D020", ["'300'"]),
    "split too small": (rare_class, "T-D050", ["part has no case of class"]),
}

IMAGES = {
    "missing image": (without_image, "T-D040", ["images/007.png"]),
    "truncated image": (truncated_image, "T-D041", ["images/007.png"]),
    "no image at all": (in_image(b"hello"), "T-D041", ["images/007.png"]),
    "empty image": (in_image(b""), "T-D041", ["images/007.png"]),
    "image bomb": (in_image(bomb()), "T-D043", ["images/007.png"]),
    "path that leaves the data": (image_elsewhere, "T-D030", ["../secret.png"]),
    "absolute path": (in_row(7, image="/etc/passwd"), "T-D030", ["/etc/passwd"]),
    "link that leaves the data": (image_by_link, "T-D031", ["images/007.png"]),
    "case without an image": (in_row(7, image=""), "T-D017", ["labels.csv"]),
}

ALL = PROJECT_FILE | TABLE | IMAGES


@pytest.mark.parametrize(("spoil", "code", "words"), ALL.values(), ids=ALL.keys())
def test_bad_input_is_refused_with_what_and_where(study, spoil, code, words):
    folder, rows = study
    spoil(folder, rows)
    refused(run(folder), code, *words)


def test_several_problems_of_the_data_are_told_together(study):
    folder, rows = study
    rows[5]["patient"] = ""
    rows[6]["age"] = "old"
    write_table(folder, rows)
    result = run(folder)
    refused(result, "T-D015")
    refused(result, "T-D019")


def test_several_corrupt_images_are_told_together(study):
    folder, _ = study
    for case in (3, 9):
        (folder / f"images/{case:03d}.png").write_bytes(b"hello")
    result = run(folder)
    assert "images/003.png" in result.stderr
    assert "images/009.png" in result.stderr


def test_a_corrupt_image_may_be_left_out_and_becomes_a_finding(study):
    folder, _ = study
    truncated_image(folder, [])
    (folder / "titian.yaml").write_text(
        PROJECT.replace("  positive: 1\n", "  positive: 1\n  unreadable: exclude\n")
    )
    result = run(folder, "--json")
    assert result.exit_code in (0, 1), result.output
    findings = {finding["code"]: finding for finding in json.loads(result.stdout)["findings"]}
    assert "7" in findings["data.corrupt_file"]["where"]


def test_a_value_seen_once_is_a_finding_and_its_group_is_not_shown(study):
    folder, rows = study
    rows[5]["sex"] = "X"
    write_table(folder, rows)
    (folder / "titian.yaml").write_text(
        PROJECT
        + "  - {id: R2, measure: sensitivity, at_least: 0.5, for_each: sex, min_count: 5}\n"
    )
    result = run(folder, "--json")
    assert result.exit_code in (0, 1), result.output
    document = json.loads(result.stdout)
    assert "data.rare_value" in {finding["code"] for finding in document["findings"]}
    rare = [row for row in document["verdicts"] if row["subgroup"] == {"sex": "X"}]
    assert all(row["verdict"] == "not shown" for row in rare)


def test_a_missing_project_names_the_command_that_makes_one(tmp_path):
    refused(run(tmp_path), "T-P001", "titian new DIR")


def test_a_missing_data_folder_is_refused(study):
    folder, _ = study
    refused(run(folder, "--data", str(folder / "nowhere")), "T-X024", "nowhere")


@pytest.mark.parametrize("engine", ["cloud", "dask://", "ray://nowhere", "local://x"])
def test_an_engine_that_is_none_is_refused(study, engine):
    result = run(study[0], "--engine", engine)
    assert result.exit_code == 2
    assert re.search(r"^T-X\d{3}: ", result.stderr, re.MULTILINE), result.stderr
    assert "Traceback" not in result.stderr


def test_a_key_that_others_can_read_is_refused(study, tmp_path):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    folder, _ = study
    path = tmp_path / "site.pem"
    path.write_bytes(
        Ed25519PrivateKey.generate().private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
    )
    (folder / "titian.yaml").write_text(PROJECT + f"key: {path}\n")
    path.chmod(0o644)
    refused(run(folder), "T-E002", "site.pem")


@pytest.mark.parametrize("content", [b"", b"hello", b"-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_a_key_that_is_none_is_refused(study, tmp_path, content):
    folder, _ = study
    path = tmp_path / "site.pem"
    path.write_bytes(content)
    path.chmod(0o600)
    (folder / "titian.yaml").write_text(PROJECT + f"key: {path}\n")
    refused(run(folder), "T-E003", "site.pem")


def test_a_named_key_that_is_missing_is_refused(study):
    folder, _ = study
    (folder / "titian.yaml").write_text(PROJECT + "key: boston\n")
    refused(run(folder), "T-E001", "boston")


def test_json_tells_the_same_to_a_program(study):
    folder, rows = study
    one_class(folder, rows)
    result = run(folder, "--json")
    assert result.exit_code == 2
    (error,) = json.loads(result.stdout)["errors"]
    assert error["code"] == "T-D012"
    assert error["remedy"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_the_machines_fault(study):
    folder, _ = study
    folder.chmod(0o500)
    result = run(folder)
    folder.chmod(0o700)
    assert result.exit_code == 3
    assert "T-X902: " in result.stderr


def test_what_an_earlier_run_made_is_still_there_after_bad_input(study):
    folder, rows = study
    good = run(folder, "--json")
    assert good.exit_code in (0, 1), good.output
    before = {p: p.read_bytes() for p in (folder / "dossier").rglob("*") if p.is_file()}
    one_class(folder, [dict(row) for row in rows])
    refused(run(folder), "T-D012")
    write_table(folder, rows)
    assert {p: p.read_bytes() for p in (folder / "dossier").rglob("*") if p.is_file()} == before
    again = run(folder, "--json")
    assert json.loads(again.stdout)["verdicts"] == json.loads(good.stdout)["verdicts"]
    assert all(stage["cached"] for stage in json.loads(again.stdout)["stages"])
