"""The store gives back what it was given, or says that it cannot."""

from __future__ import annotations

import pytest

from titian.errors import EnvironmentFault, InputError
from titian.pipeline.store import (
    Store,
    project_lock,
    replace_folder,
    restore_folder,
)


def stored(tmp_path, content=b"numbers"):
    path = tmp_path / "x.bin"
    path.write_bytes(content)
    store = Store(tmp_path / "store")
    return store, store.put(path, kind="records")


def test_what_was_put_is_found_under_its_digest(tmp_path):
    store, artifact = stored(tmp_path)
    assert store.holds(artifact)
    assert store.path(artifact).read_bytes() == b"numbers"
    assert not (tmp_path / "x.bin").exists()


def test_a_changed_file_is_refused_and_dropped(tmp_path):
    store, artifact = stored(tmp_path)
    store.path(artifact).write_bytes(b"numberz")
    with pytest.raises(EnvironmentFault, match=r"^T-X020: the stored records \(x\.bin, "):
        store.path(artifact)
    assert not store.holds(artifact)


def test_a_truncated_file_does_not_count_as_held(tmp_path):
    store, artifact = stored(tmp_path)
    store.path(artifact).write_bytes(b"num")
    assert not store.holds(artifact)


def test_two_runs_exclude_each_other(tmp_path):
    state = tmp_path / ".titian"
    state.mkdir()
    with (
        project_lock(state),
        pytest.raises(InputError) as caught,
        project_lock(state),
    ):
        pass
    assert str(caught.value) == (
        f"T-X021: another run is at work in {tmp_path}; one project takes one run at a time. "
        "Wait for it, or stop it, then run again."
    )


def test_the_lock_is_free_after_a_run(tmp_path):
    with project_lock(tmp_path):
        pass
    with project_lock(tmp_path):
        pass


def folder(path, text):
    path.mkdir()
    (path / "page").write_text(text)
    return path


def test_a_folder_is_replaced_whole(tmp_path):
    place = folder(tmp_path / "dossier", "old")
    replace_folder(folder(tmp_path / "new", "new"), place)
    assert (place / "page").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["dossier"]


def test_a_kill_between_the_two_renames_loses_nothing(tmp_path):
    folder(tmp_path / ".dossier.old", "old")
    restore_folder(tmp_path / "dossier")
    assert (tmp_path / "dossier" / "page").read_text() == "old"


def test_a_kill_before_the_old_folder_is_removed_keeps_the_new(tmp_path):
    folder(tmp_path / ".dossier.old", "old")
    folder(tmp_path / "dossier", "new")
    restore_folder(tmp_path / "dossier")
    assert (tmp_path / "dossier" / "page").read_text() == "new"
    assert not (tmp_path / ".dossier.old").exists()
