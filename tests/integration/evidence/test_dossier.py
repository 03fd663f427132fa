"""Attacks on a dossier: each is answered with what and where."""

import base64
import json
import os
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from titian.evidence import verify as module
from titian.evidence.bundle import seal
from titian.evidence.envelope import seal_payload
from titian.evidence.keys import make_key
from titian.evidence.verify import canonical, read_folder, read_zip, verify

NOW = datetime(2026, 11, 22, 20, 29, 33, tzinfo=UTC)


def faults(report):
    return {(check.where, check.what) for check in report.checks if not check.ok}


def wheres(report):
    return {where for where, _ in faults(report)}


def edit_json(path, change):
    document = json.loads(path.read_bytes())
    change(document)
    path.write_bytes(canonical(document))


def reseal(folder, sample):
    """What a forger who has the signing key can do."""
    return seal(folder, sample.key, now=NOW)


def test_an_untouched_dossier_verifies_as_folder_and_as_zip(sample):
    trusted = [sample.key.public_key, sample.other.public_key]
    for path in (sample.folder, sample.archive):
        for keys in ([], trusted):
            report = verify(path, keys)
            assert report.ok, report.lines()
            assert report.signer_checked == bool(keys)
            assert report.project == "chest-xray-triage"
            assert set(report.signers) == {sample.key.key_id, sample.other.key_id}


def test_the_answer_says_whether_the_signer_was_checked(sample):
    lines = verify(sample.folder).lines()
    assert lines[-2:] == [
        "the signer was not checked; name keys you trust with --key FILE",
        "verified",
    ]
    trusted = [sample.key.public_key, sample.other.public_key]
    assert verify(sample.folder, trusted).lines()[-2:] == [
        "ok     signers  dossier: all 2 are among the given keys",
        "verified",
    ]


def test_a_signer_who_is_not_among_the_keys_fails(sample):
    report = verify(sample.folder, [sample.key.public_key])
    assert faults(report) == {(sample.other.key_id, "signed, and is none of the given keys")}


def test_a_dossier_sealed_with_another_key_fails_against_the_right_one(sample, tmp_path):
    folder = sample.copy(tmp_path)
    seal(folder, make_key(), now=NOW)
    assert verify(folder).ok
    report = verify(folder, [sample.key.public_key, sample.other.public_key])
    assert [what for _, what in faults(report)] == ["signed, and is none of the given keys"]


@pytest.mark.parametrize(
    "name", ["dossier.json", "index.html", "ledger.json", "verify.py", "dossier.pdf"]
)
def test_a_missing_file_is_named(sample, tmp_path, name):
    folder = sample.copy(tmp_path)
    (folder / name).unlink()
    assert (name, "missing") in faults(verify(folder))


def test_an_extra_file_is_named(sample, tmp_path):
    folder = sample.copy(tmp_path)
    (folder / "sub").mkdir()
    (folder / "sub" / "note.txt").write_text("hello")
    assert faults(verify(folder)) == {("sub/note.txt", "not in the manifest")}


def test_an_empty_folder_is_named(sample, tmp_path):
    folder = sample.copy(tmp_path)
    (folder / "sub").mkdir()
    assert wheres(verify(folder)) == {"sub"}


def test_a_link_is_refused_even_to_the_right_content(sample, tmp_path):
    folder = sample.copy(tmp_path)
    (folder / "dossier.pdf").rename(tmp_path / "elsewhere.pdf")
    (folder / "dossier.pdf").symlink_to(tmp_path / "elsewhere.pdf")
    assert faults(verify(folder)) == {
        ("dossier.pdf", "a link, a special file or an empty folder")
    }
    (folder / "dossier.pdf").unlink()
    os.mkfifo(folder / "dossier.pdf")
    assert wheres(verify(folder)) == {"dossier.pdf"}


def test_a_giant_file_is_refused_unread(sample, tmp_path):
    folder = sample.copy(tmp_path)
    with (folder / "dossier.pdf").open("r+b") as file:
        file.truncate(1 << 42)
    ((where, what),) = faults(verify(folder))
    assert (where, what[:32]) == ("dossier.pdf", "with it there are more than 5368")


def test_json_beyond_the_limit_is_refused(sample, monkeypatch):
    monkeypatch.setattr(module, "MAX_JSON_BYTES", 100)
    assert "ledger.json" in wheres(verify(sample.folder))


def test_a_missing_manifest_is_named(sample, tmp_path):
    folder = sample.copy(tmp_path)
    (folder / "manifest.json").unlink()
    assert wheres(verify(folder)) == {"manifest.json"}


def test_reordered_entries_are_named_even_when_sealed_again(sample, tmp_path):
    folder = sample.copy(tmp_path)
    edit_json(folder / "ledger.json", lambda d: d["entries"].reverse())
    reseal(folder, sample)
    assert ("ledger.json entry 1", "out of order") in faults(verify(folder))


def test_a_statement_moved_to_another_place_is_not_proven(sample, tmp_path):
    folder = sample.copy(tmp_path)

    def swap(document):
        first, second = document["entries"][1:3]
        first["envelope"], second["envelope"] = second["envelope"], first["envelope"]

    edit_json(folder / "ledger.json", swap)
    reseal(folder, sample)
    report = verify(folder)
    assert ("ledger.json entry 1", "not proven to be entry 1 of the signed log") in faults(
        report
    )


def test_a_dropped_statement_leaves_numbers_without_evidence(sample, tmp_path):
    folder = sample.copy(tmp_path)
    edit_json(folder / "ledger.json", lambda d: d["entries"].pop())
    reseal(folder, sample)
    assert wheres(verify(folder)) == {"dossier.json /verdicts/6", "index.html line 9"}


@pytest.mark.parametrize("name", ["ledger.json", "dossier.json", "index.html"])
def test_a_mix_of_two_projects_fails_even_when_sealed_again(sample, foreign, tmp_path, name):
    folder = sample.copy(tmp_path)
    (folder / name).write_bytes((foreign.folder / name).read_bytes())
    assert (name, "changed: size or SHA-256 is not that in the manifest") in faults(
        verify(folder)
    )
    reseal(folder, sample)
    assert not verify(folder).ok


def test_a_statement_of_another_project_fails_under_the_same_key(sample, foreign, tmp_path):
    folder = sample.copy(tmp_path)
    other = json.loads((foreign.folder / "ledger.json").read_bytes())

    def mix(document):
        document["entries"][3] = other["entries"][3]

    edit_json(folder / "ledger.json", mix)
    reseal(folder, sample)
    assert (
        "ledger.json entry 3",
        "of project 'heart-disease', the signed head is of 'chest-xray-triage'",
    ) in faults(verify(folder))


def test_a_number_that_differs_from_its_statement_is_named(sample, tmp_path):
    folder = sample.copy(tmp_path)

    def raise_it(document):
        document["verdicts"][2]["value"] = 0.99

    edit_json(folder / "dossier.json", raise_it)
    page = (folder / "index.html").read_text()
    (folder / "index.html").write_text(page.replace('value="0.5"', 'value="0.9"'))
    reseal(folder, sample)
    value = 18 / 70
    pointer = "/predicate/measurements/0/value"
    assert faults(verify(folder)) == {
        ("dossier.json /verdicts/2", f"shows 0.99 where {pointer} says {value}"),
        ("index.html line 3", f"shows 0.9 where {pointer} says 0.5"),
    }


@pytest.mark.parametrize(
    "change",
    [
        {"value": True},
        {"value": "0.5"},
        {"value": None},
        {"value": [0.5]},
        {"pointer": "/predicate/measurements/9/value"},
        {"pointer": "/predicate/measurements/00/value"},
        {"pointer": "predicate"},
        {"pointer": 7},
        {"pointer": None},
        {"statement": "0" * 64},
        {"statement": None},
        {"statement": []},
    ],
)
def test_a_reference_that_leads_elsewhere_or_nowhere_fails(sample, tmp_path, change):
    folder = sample.copy(tmp_path)
    edit_json(folder / "dossier.json", lambda d: d["verdicts"][0].update(change))
    reseal(folder, sample)
    assert wheres(verify(folder)) == {"dossier.json /verdicts/0"}


@pytest.mark.parametrize(
    "tag",
    [
        '<data value="null" data-statement="{0}" data-pointer="{1}">',
        '<data data-statement="{0}" data-pointer="{1}">',
        '<data value="0.5" data-statement="{0}">',
        '<data value="0.5" data-pointer="{1}">',
        '<span data-statement="{0}" data-pointer="{1}/x">',
        '<span data-statement="0{0}" data-pointer="{1}">',
        '<data value="0.4" value="0.5" data-statement="{0}" data-pointer="{1}">',
        '<DATA VALUE="0.4" DATA-STATEMENT="{0}" DATA-POINTER="{1}"/>',
    ],
)
def test_a_page_cannot_get_around_its_references(sample, tmp_path, tag):
    folder = sample.copy(tmp_path)
    digest = sample.ledger.entry(0).digest
    page = folder / "index.html"
    page.write_text(page.read_text() + tag.format(digest, "/predicate/measurements/0/value"))
    reseal(folder, sample)
    assert wheres(verify(folder)) == {"index.html line 11"}


def test_a_page_may_show_texts_and_unknown_numbers(sample, tmp_path):
    folder = sample.copy(tmp_path)
    digest = sample.ledger.entry(0).digest
    page = folder / "index.html"
    page.write_text(
        page.read_text()
        + f'<data value="annotate" data-statement="{digest}" data-pointer="/predicate/stage">'
        + f'<data value="" data-statement="{digest}" data-pointer="/predicate/site">'
        + f'<data data-statement="{digest}" data-pointer="/predicate/site">'
        + f'<span data-statement="{digest}" data-pointer="/predicate/site">not shown</span>'
        + '<data value="3">'
    )
    reseal(folder, sample)
    assert verify(folder).ok


def test_a_manifest_in_another_form_of_json_fails(sample, tmp_path):
    folder = sample.copy(tmp_path)
    path = folder / "manifest.json"
    path.write_bytes(json.dumps(json.loads(path.read_bytes())).encode())
    assert faults(verify(folder)) == {("manifest.json", "not canonical JSON (RFC 8785)")}


@pytest.mark.parametrize("what", ["rows", "order", "twice", "types", "self"])
def test_a_manifest_of_another_form_fails(sample, tmp_path, what):
    folder = sample.copy(tmp_path)
    files = read_folder(folder)
    rows = [{"name": n, "size_bytes": len(d), "sha256": "0" * 64} for n, d in files.items()]
    rows = {
        "rows": 3,
        "order": rows[::-1],
        "twice": [rows[0], *rows],
        "types": [rows[0] | {"size_bytes": "3"}],
        "self": rows,
    }[what]
    public = base64.b64encode(sample.key.public_key).decode()
    payload = {"files": rows, "public_key": public, "time": "2026-11-22T20:29:33Z"}
    (folder / "manifest.json").write_bytes(
        seal_payload(payload, module.MANIFEST_TYPE, sample.key)
    )
    assert "manifest.json" in wheres(verify(folder)) or what == "self"
    assert not verify(folder).ok


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 99999,
        b"PK\x03\x04" + b"\xff" * 40,
        b"1" * 5000,
    ],
)
@pytest.mark.parametrize("name", ["manifest.json", "ledger.json", "dossier.json", "index.html"])
def test_nonsense_is_answered_not_raised(sample, tmp_path, name, data):
    folder = sample.copy(tmp_path)
    (folder / name).write_bytes(data)
    assert not verify(folder).ok
    reseal(folder, sample)
    verify(folder).lines()
    (tmp_path / "nonsense.zip").write_bytes(data)
    report = verify(tmp_path / "nonsense.zip")
    assert wheres(report) == {"nonsense.zip"} or data[:2] == b"PK"
    assert not report.ok


@pytest.mark.parametrize("name", ["../evil", "/etc/x", "a//b", "a\\b", "x\x1b[2J", "./a"])
def test_names_that_leave_the_folder_are_refused(tmp_path, name):
    data = module.deterministic_zip({name: b"x"})
    (tmp_path / "x.zip").write_bytes(data)
    report = verify(tmp_path / "x.zip")
    assert not report.ok
    assert [what for _, what in faults(report)] == ["not a plain relative file name"]
    assert "\x1b" not in "".join(report.lines())


def test_the_archive_is_an_ordinary_zip_with_the_same_files(sample):
    with zipfile.ZipFile(sample.archive) as archive:
        assert archive.testzip() is None
        found = {name: archive.read(name) for name in archive.namelist()}
        assert all(info.date_time == (1980, 1, 1, 0, 0, 0) for info in archive.infolist())
    assert found == read_folder(sample.folder) == read_zip(sample.archive)


def test_sealing_twice_gives_the_same_bytes(sample, tmp_path):
    folder = sample.copy(tmp_path)
    assert reseal(folder, sample).read_bytes() == sample.archive.read_bytes()


def test_a_zip_that_was_packed_again_is_refused_with_the_way_out(sample, tmp_path):
    path = tmp_path / "again.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in read_folder(sample.folder).items():
            archive.writestr(name, data)
    assert faults(verify(path)) == {
        ("again.zip", "not the archive that Titian wrote; unpack it and verify that")
    }


def test_two_zips_in_one_file_and_trailing_bytes_are_refused(sample, tmp_path):
    data = sample.archive.read_bytes()
    for changed in (data + data, data + b"\0", b"#!" + data, data[:-1]):
        (tmp_path / "x.zip").write_bytes(changed)
        assert not verify(tmp_path / "x.zip").ok


def run_alone(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-I", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_bundled_verifier_runs_alone(sample, tmp_path):
    script = sample.folder / "verify.py"
    assert script.read_bytes() == Path(module.__file__).read_bytes()
    for target in (sample.folder, sample.archive):
        done = run_alone(script, target, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[-1] == "verified"
    keys = ["--key", sample.root / "lead.pem", "--key", sample.root / "other-private.pem"]
    done = run_alone(script, sample.archive, *keys, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    folder = sample.copy(tmp_path)
    (folder / "index.html").write_text("changed")
    done = run_alone(folder / "verify.py", folder, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert (
        "FAILED manifest index.html: changed: size or SHA-256 is not that in the manifest"
        in done.stdout.splitlines()
    )
    assert done.stdout.splitlines()[-1] == "NOT verified"


@pytest.mark.parametrize(
    "arguments",
    [[], ["nowhere"], [".", "--key", "nowhere.pem"], [".", "--key"], [".", "--key", "."]],
)
def test_a_wrong_call_exits_2_without_a_traceback(sample, tmp_path, arguments):
    done = run_alone(sample.folder / "verify.py", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr


def test_the_verifier_is_short_and_imports_only_what_it_says():
    text = Path(module.__file__).read_text()
    assert len(text.splitlines()) <= 500
    imports = {
        line.split()[1].partition(".")[0]
        for line in text.splitlines()
        if line.lstrip().startswith(("import ", "from "))
    }
    assert imports - set(sys.stdlib_module_names) == {"cryptography"}
