"""``titian verify`` and ``titian ledger`` as a user calls them, in process."""

import json
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from titian.cli.app import app


@pytest.fixture
def titian(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return call


def test_verify_answers_in_words_and_exit_code(titian, sample):
    done = titian("verify", sample.folder)
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-2:] == [
        "the signer was not checked; name keys you trust with --key FILE",
        "verified",
    ]
    keys = ["--key", sample.root / "lead.pem", "--key", sample.root / "other.pem"]
    assert titian("verify", sample.archive, *keys).exit_code == 0
    done = titian("verify", sample.archive, *keys[:2])
    assert done.exit_code == 1
    assert "signed, and is none of the given keys" in done.stdout


def test_verify_answers_in_json(titian, sample, tmp_path):
    done = titian("verify", sample.folder, "--json")
    answer = json.loads(done.stdout)
    assert answer["ok"] is True
    assert answer["signer_checked"] is False
    assert answer["project"] == "chest-xray-triage"
    folder = sample.copy(tmp_path)
    (folder / "index.html").write_bytes(b"")
    done = titian("verify", folder, "--json")
    assert done.exit_code == 1
    failed = [check for check in json.loads(done.stdout)["checks"] if not check["ok"]]
    assert {check["where"] for check in failed} == {"index.html"}


@pytest.mark.parametrize("failed", [False, True])
def test_a_replay_that_differs_exits_1(titian, sample, tmp_path, monkeypatch, failed):
    row = SimpleNamespace(stage="validate", outcome="differs", detail="auc by 0.2")
    answer = SimpleNamespace(rows=[row], failed=failed, lines=["validate: differs"])
    calls = []
    monkeypatch.setattr(
        "titian.pipeline.replay.replay",
        lambda *args, **more: calls.append((args, more)) or answer,
    )
    done = titian("verify", sample.folder, "--replay", "--data", tmp_path)
    assert done.exit_code == int(failed)
    assert done.stdout.splitlines()[-1] == "validate: differs"
    document = json.loads(titian("verify", sample.folder, "--replay", "--json").stdout)
    assert document["ok"] is not failed
    assert document["replay"] == [vars(row)]
    assert calls == [((sample.folder,), {"data": tmp_path}), ((sample.folder,), {"data": None})]


def test_a_dossier_that_does_not_verify_is_not_replayed(titian, sample, tmp_path):
    folder = sample.copy(tmp_path)
    (folder / "index.html").write_bytes(b"")
    done = titian("verify", folder, "--replay")
    assert done.exit_code == 1
    assert done.stdout.splitlines()[-1] == "not replayed, since the dossier does not verify"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["nowhere"], "T-E030"), ([".", "--key", "nowhere.pem"], "T-E031")],
)
def test_a_wrong_call_of_verify_exits_2(titian, arguments, code):
    done = titian("verify", *arguments)
    assert done.exit_code == 2
    assert done.stderr.startswith(code)


@pytest.mark.parametrize("form", [["{0}"], ["{0}", "list"], ["list", "--project", "{0}"]])
def test_the_ledger_is_listed_in_every_order_of_words(titian, sample, form):
    done = titian("ledger", *[word.format(sample.root) for word in form])
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == len(sample.ledger) + 1
    rows = json.loads(titian("ledger", *[w.format(sample.root) for w in form], "--json").stdout)
    assert [row["stage"] for row in rows][:2] == ["annotate", "ingest"]
    assert [row["index"] for row in rows] == list(range(len(sample.ledger)))


def test_an_entry_is_shown_by_number_or_digest(titian, sample):
    digest = sample.ledger.entry(3).digest
    for name in ("3", digest, digest[:20]):
        answer = json.loads(titian("ledger", sample.root, "show", name, "--json").stdout)
        assert answer["digest"] == digest
        assert answer["statement"] == sample.ledger.entry(3).statement
    assert '"stage": "train"' in titian("ledger", sample.root, "show", "3").stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["show", "99"], "T-E035"),
        (["show", "zz"], "T-E035"),
        (["import", "nowhere.json"], "T-E033"),
        (["export", "--key", "nowhere"], "T-E001"),
    ],
)
def test_a_wrong_call_of_ledger_exits_2(titian, sample, arguments, code):
    done = titian("ledger", sample.root, *arguments)
    assert done.exit_code == 2
    assert done.stderr.startswith(code)


def test_a_folder_without_a_ledger_exits_2(titian, tmp_path):
    done = titian("ledger", tmp_path)
    assert (done.exit_code, done.stderr[:6]) == (2, "T-E034")
    (tmp_path / "titian.yaml").write_text("name: x")
    assert titian("ledger", tmp_path).stdout.startswith("0 statements")
    assert titian("ledger", tmp_path, "export").stderr.startswith("T-E032")


def test_an_export_is_imported_at_another_site_under_its_signers(titian, sample, tmp_path):
    there = tmp_path / "there"
    there.mkdir()
    (there / "titian.yaml").write_text("name: chest-xray-triage")
    done = titian("ledger", sample.root, "export", "-o", tmp_path / "x.json", "--json")
    assert json.loads(done.stdout)["statements"] == len(sample.ledger)
    done = titian("ledger", there, "import", tmp_path / "x.json")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "admitted 7 statements, 0 were known",
        "the signer was not checked; name keys you trust with --key FILE",
    ]
    again = json.loads(titian("ledger", there, "import", tmp_path / "x.json", "--json").stdout)
    assert (again["admitted"], again["known"]) == ([], 7)
    here, copy = (
        json.loads(titian("ledger", folder, "--json").stdout) for folder in (sample.root, there)
    )
    assert copy == here
    head = tmp_path / "config" / "titian" / "default.pem"
    keys = ["--key", sample.root / "lead.pem", "--key", sample.root / "other.pem"]
    done = titian("ledger", there, "import", tmp_path / "x.json", *keys, "--key", head)
    assert done.exit_code == 0
    assert "not checked" not in done.stdout
    done = titian("ledger", there, "import", tmp_path / "x.json", *keys)
    assert (done.exit_code, done.stderr[:6]) == (1, "T-E012")


def test_a_changed_export_and_one_of_another_project_are_refused(
    titian, sample, foreign, tmp_path
):
    titian("ledger", sample.root, "export", "-o", tmp_path / "x.json")
    data = (tmp_path / "x.json").read_bytes()
    (tmp_path / "y.json").write_bytes(data.replace(b'"index":2', b'"index":3'))
    done = titian("ledger", foreign.root, "import", tmp_path / "y.json")
    assert (done.exit_code, done.stderr[:6]) == (1, "T-E011")
    done = titian("ledger", foreign.root, "import", tmp_path / "x.json")
    assert done.exit_code == 1
    assert done.stderr.strip() == (
        "T-E013: the export is of project 'chest-xray-triage', this ledger of 'heart-disease';"
        " a ledger holds one project. Import it into the ledger of its own project."
    )
    assert len(foreign.ledger) == 7


def test_an_export_to_standard_output_is_the_document_itself(titian, sample, tmp_path):
    done = titian("ledger", sample.root, "export")
    assert json.loads(done.stdout)["head"]["payloadType"].startswith("application/vnd.titian")
