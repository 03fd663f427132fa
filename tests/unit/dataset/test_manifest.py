"""The manifest names every file; what did not change is not hashed again."""

from __future__ import annotations

import hashlib
import os
import time

import numpy as np
import pytest

from titian.dataset import survey as module
from titian.dataset.index import RACY_NS, read_index
from titian.dataset.manifest import root_of
from titian.dataset.survey import source_manifest, survey
from titian.errors import InputError
from titian.values import Data

PAST_S = time.time() - 3600


def quiet(done: int, total: int) -> None:
    """Report to nobody."""


def look(root, paths, index):
    return source_manifest(root, paths, index_file=index, workers=2, progress=quiet)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "data"
    (root / "sub").mkdir(parents=True)
    for name in ("a.png", "b.png", "sub/c.png"):
        (root / name).write_bytes(name.encode() * 10)
    return root


@pytest.fixture
def settled(monkeypatch):
    """Look from far enough in the future that no file is racy."""
    later = time.time_ns() + 10 * RACY_NS
    monkeypatch.setattr(module.time, "time_ns", lambda: later)


@pytest.fixture
def hashed(monkeypatch):
    """Record which files are hashed."""
    seen: list[str] = []
    original = module.hash_files

    def spy(root, paths, sizes, **rest):
        seen.extend(paths)
        return original(root, paths, sizes, **rest)

    monkeypatch.setattr(module, "hash_files", spy)
    return seen


PATHS = ["sub/c.png", "a.png", "b.png"]


def test_root_is_the_digest_of_canonical_lines(folder, tmp_path):
    manifest = look(folder, PATHS, tmp_path / "index")
    lines = b""
    for name in sorted(PATHS):
        data = (folder / name).read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        lines += f"{digest} {len(data)} {len(name)}:{name}\n".encode()
        assert manifest.digest_of(name) == digest
    assert manifest.root == hashlib.sha256(lines).hexdigest()
    assert manifest.size_bytes == sum((folder / name).stat().st_size for name in PATHS)


def test_paths_with_blanks_and_line_feeds_do_not_collide():
    none = np.zeros((1, 32), np.uint8), np.ones(1, bool)
    one = root_of(["a 1:b"], np.array([1]), *none)
    two = root_of(["a"], np.array([1]), *none)
    assert len({one, two, root_of(["a\n"], np.array([1]), *none)}) == 3


def test_unchanged_files_are_not_hashed_again(folder, tmp_path, settled, hashed):
    first = look(folder, PATHS, tmp_path / "index")
    hashed.clear()
    assert look(folder, PATHS, tmp_path / "index").root == first.root
    assert hashed == []


def test_a_racily_clean_file_is_hashed_again(folder, tmp_path, hashed):
    first = look(folder, PATHS, tmp_path / "index")
    hashed.clear()
    second = look(folder, PATHS, tmp_path / "index")
    assert second.root == first.root
    assert sorted(hashed) == sorted(PATHS)


def test_a_change_is_noticed_when_its_time_is_put_back(folder, tmp_path, settled, hashed):
    first = look(folder, PATHS, tmp_path / "index")
    before = (folder / "a.png").stat()
    hashed.clear()
    (folder / "a.png").write_bytes(b"A" * before.st_size)
    os.utime(folder / "a.png", ns=(before.st_atime_ns, before.st_mtime_ns))
    second = look(folder, PATHS, tmp_path / "index")
    assert second.root != first.root
    assert hashed == ["a.png"]


def test_a_missing_file_is_recorded_and_its_return_noticed(folder, tmp_path, settled):
    first = look(folder, PATHS, tmp_path / "index")
    (folder / "b.png").rename(folder / "elsewhere")
    gone = look(folder, PATHS, tmp_path / "index")
    assert (gone.digest_of("b.png"), gone.missing) == ("", ("b.png",))
    assert gone.root != first.root
    (folder / "elsewhere").rename(folder / "b.png")
    assert look(folder, PATHS, tmp_path / "index").root == first.root


def test_a_damaged_index_is_rebuilt(folder, tmp_path, settled):
    index = tmp_path / "index"
    first = look(folder, PATHS, index)
    good = index.read_bytes()
    for place in range(0, len(good), 7):
        index.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        assert read_index(index) is None
        index.write_bytes(good[:place])
        assert read_index(index) is None
    assert look(folder, PATHS, index).root == first.root
    assert read_index(index) is not None


def test_a_link_out_of_the_folder_is_refused(folder, tmp_path):
    (tmp_path / "secret").write_text("x")
    (folder / "out.png").symlink_to(tmp_path / "secret")
    (folder / "in.png").symlink_to(folder / "a.png")
    assert look(folder, ["in.png"], tmp_path / "index").digest_of("in.png")
    with pytest.raises(InputError) as caught:
        look(folder, ["in.png", "out.png"], tmp_path / "index")
    assert str(caught.value) == (
        "T-D031: 'out.png' leads out of the data folder through a symbolic link. "
        "Copy the file into the data folder."
    )


def test_a_linked_folder_that_leads_out_is_refused(folder, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.png").write_text("x")
    (folder / "link").symlink_to(tmp_path / "other")
    with pytest.raises(InputError, match="T-D031"):
        look(folder, ["link/x.png"], tmp_path / "index")


def test_survey_reads_the_table_once_and_leaves_strays_out(
    folder, tmp_path, settled, monkeypatch
):
    (folder / "t.csv").write_text("image,y\na.png,0\nsub/c.png,1\nmissing.png,1\n")
    data = Data(table="t.csv", label="y", image="image")
    options = {"index_file": tmp_path / "index", "workers": 1, "progress": quiet}
    first = survey(folder, data, **options)
    assert list(first.paths) == ["a.png", "missing.png", "sub/c.png", "t.csv"]
    with monkeypatch.context() as patch:
        patch.setattr(module, "read_table", None)
        assert survey(folder, data, **options).root == first.root
    (folder / "t.csv").write_text("image,y\na.png,0\nb.png,1\n")
    assert list(survey(folder, data, **options).paths) == ["a.png", "b.png", "t.csv"]


def test_survey_refuses_a_bad_table_before_it_hashes(folder, tmp_path, hashed):
    (folder / "t.csv").write_text("image,y\n../a.png,0\nb.png,\n")
    data = Data(table="t.csv", label="y", image="image")
    with pytest.raises(InputError) as caught:
        survey(folder, data, index_file=tmp_path / "index", workers=1, progress=quiet)
    assert [p.code for p in caught.value.problems] == ["T-D011", "T-D012", "T-D030"]
    assert hashed == []


def test_survey_refuses_a_table_outside_the_folder(folder, tmp_path):
    with pytest.raises(InputError, match=r"T-D030: data\.table: the path '\.\./t\.csv' leaves"):
        survey(
            folder,
            Data(table="../t.csv", label="y"),
            index_file=tmp_path / "index",
            workers=1,
            progress=quiet,
        )


def test_a_pipe_counts_as_missing_and_is_not_waited_for(tmp_path):
    (tmp_path / "data").mkdir()
    os.mkfifo(tmp_path / "data" / "x.png")
    assert not look(tmp_path / "data", ["x.png"], tmp_path / "index").present.any()
