"""What a dossier carries of the ledger, and what cannot be sealed."""

import pytest

from titian.errors import CheckFailed, InputError
from titian.evidence.bundle import ledger_document, seal, write_ledger_part
from titian.evidence.envelope import seal_statement
from titian.evidence.exchange import admit
from titian.evidence.keys import make_key
from titian.evidence.ledger import Ledger
from titian.evidence.verify import read_ledger


@pytest.fixture
def ledger(tmp_path, key, make_statement):
    ledger = Ledger.open(tmp_path / "ledger")
    for seed in range(5):
        ledger.record(make_statement(actor=key.key_id, seed=seed), key)
    return ledger


def test_the_ledger_part_proves_the_chosen_entries(tmp_path, ledger, key, now):
    entries = [ledger.entry(4), ledger.entry(1)]
    path = write_ledger_part(
        tmp_path, ledger, entries, key, project="chest-xray-triage", now=now
    )
    part = read_ledger(path.read_bytes())
    assert part.faults == ()
    assert [(e.index, e.digest, e.envelope) for e in part.entries] == [
        (1, ledger.entry(1).digest, ledger.envelope(1)),
        (4, ledger.entry(4).digest, ledger.envelope(4)),
    ]
    assert part.head == {
        "size": 5,
        "root": ledger.root().hex(),
        "project": "chest-xray-triage",
        "time": "2026-11-22T20:29:33Z",
    }


def test_entries_of_another_project_and_unknown_signers_are_told_together(
    ledger, key, now, make_statement
):
    other = make_key()
    statement = make_statement(actor=other.key_id, project="heart")
    ledger.append([seal_statement(statement, other)])
    with pytest.raises(InputError) as caught:
        ledger_document(
            ledger, list(ledger.statements()), key, project="chest-xray-triage", now=now
        )
    assert str(caught.value) == (
        "T-E006: entry 5 of the ledger is of project 'heart', not 'chest-xray-triage'. Choose"
        " the entries of one project.\n"
        f"T-E007: the public key of {other.key_id}, who signed entry 5, is not known. Import"
        " the statement with `titian ledger import`, which brings the key."
    )


def test_a_folder_with_a_link_cannot_be_sealed(tmp_path, key, now):
    folder = tmp_path / "dossier"
    folder.mkdir()
    (folder / "x").symlink_to(tmp_path)
    with pytest.raises(InputError) as caught:
        seal(folder, key, now=now)
    assert str(caught.value) == (
        "T-E008: the dossier cannot be sealed: x: a link, a special file or an empty folder."
        " Remove or rename it, and seal again."
    )
    assert not (tmp_path / "dossier.zip").exists()


def test_sealing_leaves_nothing_unfinished(tmp_path, key, now):
    folder = tmp_path / "dossier"
    folder.mkdir()
    (folder / "x").write_text("x")
    assert seal(folder, key, now=now) == tmp_path / "dossier.zip"
    assert sorted(p.name for p in folder.iterdir()) == ["manifest.json", "verify.py", "x"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["dossier", "dossier.zip"]


def test_an_export_of_statements_under_another_actors_name_is_refused(
    tmp_path, key, now, make_statement
):
    away = Ledger.open(tmp_path / "away")
    away.record(make_statement(actor="f" * 64), key)
    data = ledger_document(away, [away.entry(0)], key, project="chest-xray-triage", now=now)
    here = Ledger.open(tmp_path / "here")
    with pytest.raises(CheckFailed) as caught:
        admit(here, data)
    assert str(caught.value) == (
        "T-E011: export entry 0: not the statement of a stage's run by its signer"
        f" {key.key_id}. Ask the other site for a new export; nothing was imported."
    )
    assert len(here) == 0
