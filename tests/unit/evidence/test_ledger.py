"""The ledger: append-only, all or none, whatever the disk does."""

import contextlib
import errno
import random
from contextlib import contextmanager

import pytest

from titian.errors import CheckFailed, EnvironmentFault
from titian.evidence.ledger import Ledger
from titian.evidence.merkle import MerkleTree, proves_consistency
from titian.evidence.store import FolderStore, write_aside
from titian.evidence.verify import inclusion_root, leaf_hash


class Crash(Exception):
    """The machine stops here."""


class FaultyStore:
    """A store that loses, tears and garbles what was not synced when it crashes.

    Attributes:
        calls: writing operations so far.
        crash_at: the operation that crashes halfway; None never.
        full_at: the operation that finds the disk full, after half of its bytes.
    """

    def __init__(self, files=None, *, crash_at=None, full_at=None, seed=0):
        self.now = {name: bytearray(data) for name, data in (files or {}).items()}
        self.durable = {name: bytes(data) for name, data in self.now.items()}
        self.calls = 0
        self.crash_at, self.full_at = crash_at, full_at
        self.random = random.Random(seed)

    def _step(self, name=None, start=0, data=b""):
        self.calls += 1
        if self.calls in (self.crash_at, self.full_at):
            if name is not None:
                self._put(name, start, data[: self.random.randint(0, len(data))])
            if self.calls == self.crash_at:
                raise Crash
            raise OSError(errno.ENOSPC, "No space left on device")

    def _put(self, name, start, data):
        file = self.now.setdefault(name, bytearray())
        file[start : start + len(data)] = data

    def read(self, name, start, length):
        return bytes(self.now.get(name, b"")[start : start + length])

    def size(self, name):
        return len(self.now.get(name, b""))

    def write(self, name, start, data):
        self._step(name, start, data)
        self._put(name, start, data)

    def truncate(self, name, size):
        self._step()
        del self.now[name][size:]

    def sync(self, name):
        self._step()
        self.durable[name] = bytes(self.now[name])

    def replace(self, name, data):
        self._step()
        self.now[name] = bytearray(data)
        self.durable[name] = bytes(data)

    @contextmanager
    def lock(self):
        yield

    def after_power_loss(self):
        """Return the files as they may be found: synced bytes stand, others are anything."""
        found = {}
        for name in self.now.keys() | self.durable.keys():
            kept, written = self.durable.get(name, b""), bytes(self.now.get(name, b""))
            length = self.random.randint(min(len(kept), len(written)), len(written))
            tail = written[len(kept) : length]
            if self.random.random() < 0.5:  # the length was written, the blocks were not
                tail = bytes(len(tail))
            found[name] = kept[:length] + tail
        return found


def leaves(count, start=0):
    return [f"envelope {number} ".encode() * (number % 5 + 1) for number in range(start, count)]


def assert_is(ledger, expected):
    tree = MerkleTree(expected)
    assert len(ledger) == len(expected)
    assert [ledger.envelope(index) for index in range(len(ledger))] == expected
    assert ledger.root() == tree.root()
    ledger.check()


def test_what_is_appended_is_read_back_after_opening_again(tmp_path):
    ledger = Ledger.open(tmp_path)
    assert ledger.append(leaves(3)) == range(3)
    assert ledger.append([]) == range(3, 3)
    assert ledger.append(leaves(8, 3)) == range(3, 8)
    assert_is(ledger, leaves(8))
    assert_is(Ledger.open(tmp_path), leaves(8))
    assert Ledger.open(tmp_path).recovered == ""


@pytest.mark.parametrize("batches", [[1] * 33, [33], [2, 30, 1], [7, 9, 16, 1]])
def test_roots_and_proofs_are_those_of_the_tree_in_memory(tmp_path, batches):
    ledger, tree = Ledger.open(tmp_path), MerkleTree(leaves(33))
    for batch in batches:
        ledger.append(leaves(len(ledger) + batch, len(ledger)))
    for size in range(34):
        assert ledger.root(size) == tree.root(size)
        for index in range(0, size, 5):
            proof = ledger.proof(index, size)
            assert proof == tree.proof(index, size)
            leaf = leaf_hash(ledger.envelope(index))
            assert inclusion_root(leaf, index, size, proof) == ledger.root(size)
    proof = ledger.consistency(20)
    roots = {"old_root": ledger.root(20), "new_root": ledger.root()}
    assert proves_consistency(20, 33, proof, **roots)


def test_a_proof_takes_few_lookups(tmp_path):
    store = FolderStore(tmp_path)
    ledger = Ledger(store)
    ledger.append(leaves(1000))
    reads = []
    read = store.read
    store.read = lambda *args: reads.append(args) or read(*args)
    ledger.proof(123)
    assert len(reads) <= 20


def test_append_rejects_a_stale_head(tmp_path):
    first, second = Ledger.open(tmp_path), Ledger.open(tmp_path)
    first.append(leaves(2), expected_size=0)
    with pytest.raises(EnvironmentFault) as caught:
        second.append(leaves(1), expected_size=0)
    assert str(caught.value) == (
        "T-E021: the ledger has 2 entries where 0 were expected; another run appended in the"
        " meantime. Run again, one run at a time."
    )
    assert_is(Ledger.open(tmp_path), leaves(2))


def test_two_open_ledgers_append_one_after_the_other(tmp_path):
    first, second = Ledger.open(tmp_path), Ledger.open(tmp_path)
    first.append(leaves(3))
    assert second.append(leaves(5, 3)) == range(3, 5)
    assert_is(second, leaves(5))


def test_an_unfinished_tail_is_cut_off_and_told(tmp_path):
    Ledger.open(tmp_path).append(leaves(4))
    with (tmp_path / "entries").open("ab") as file:
        file.write(b"half an envel")
    ledger = Ledger.open(tmp_path)
    assert ledger.recovered == (
        "13 bytes of an append that never finished were cut off the ledger"
    )
    assert_is(ledger, leaves(4))
    assert Ledger.open(tmp_path).recovered == ""


def test_a_crash_at_any_operation_leaves_all_or_nothing_and_the_next_run_goes_on():
    base = FaultyStore()
    Ledger(base).append(leaves(5))
    before = base.after_power_loss()
    trials = 0
    for crash_at in range(1, 12):
        for seed in range(12):
            store = FaultyStore(before, crash_at=crash_at, seed=seed)
            try:
                Ledger(store).append(leaves(9, 5), public_keys=[b"k" * 32])
            except Crash:
                found = FaultyStore(store.after_power_loss())
            else:
                found = FaultyStore(store.durable)
                assert len(Ledger(found)) == 9
            ledger = Ledger(found)
            assert len(ledger) in (5, 9)
            assert_is(ledger, leaves(len(ledger)))
            ledger.append(leaves(12, len(ledger)))
            assert_is(ledger, leaves(12))
            trials += store.calls == crash_at
    assert trials >= 8 * 12  # every operation of the append was hit


def test_a_crash_in_the_very_first_append_leaves_a_ledger_that_goes_on():
    for crash_at in range(1, 12):
        for seed in range(6):
            store = FaultyStore(crash_at=crash_at, seed=seed)
            with contextlib.suppress(Crash):
                Ledger(store).append(leaves(4))
            ledger = Ledger(FaultyStore(store.after_power_loss()))
            assert len(ledger) in (0, 4)
            ledger.append(leaves(6, len(ledger)))
            assert_is(ledger, leaves(6))


@pytest.mark.parametrize("full_at", range(1, 8))
def test_a_full_disk_appends_nothing_and_the_ledger_goes_on(full_at):
    store = FaultyStore()
    ledger = Ledger(store)
    ledger.append(leaves(5))
    store.calls, store.full_at = 0, full_at
    with pytest.raises(EnvironmentFault) as caught:
        ledger.append(leaves(9, 5))
    assert str(caught.value) == (
        "T-E022: the ledger cannot be written (No space left on device); nothing was appended."
        " Free disk space or fix the folder's permissions, then run again."
    )
    store.full_at = None
    assert_is(Ledger(FaultyStore(store.now)), leaves(5))
    ledger.append(leaves(9, 5))
    assert_is(ledger, leaves(9))


@pytest.mark.parametrize("name", ["entries", "ends", "hashes", "head"])
def test_a_shortened_file_is_damage_not_a_fresh_start(tmp_path, name):
    Ledger.open(tmp_path).append(leaves(6))
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[:-1])
    with pytest.raises(CheckFailed, match=r"^T-E020: the ledger is damaged: the file "):
        Ledger.open(tmp_path)


def test_a_ledger_that_lost_its_head_is_damaged_not_empty(tmp_path):
    Ledger.open(tmp_path).append(leaves(6))
    (tmp_path / "head").unlink()
    with pytest.raises(CheckFailed, match=r"^T-E020: the ledger is damaged: the file head is"):
        Ledger.open(tmp_path)


def test_a_changed_entry_is_found_and_named(tmp_path):
    Ledger.open(tmp_path).append(leaves(6))
    data = bytearray((tmp_path / "entries").read_bytes())
    data[len(b"".join(leaves(3))) + 2] ^= 1
    (tmp_path / "entries").write_bytes(data)
    with pytest.raises(CheckFailed) as caught:
        Ledger.open(tmp_path).check()
    assert str(caught.value) == (
        "T-E020: the ledger is damaged: entry 3 does not have the hash it was appended with."
        " Restore the folder .titian/ledger from a copy; do not repair it by hand."
    )


@pytest.mark.parametrize("place", range(10))
def test_a_changed_hash_is_found_by_the_check_or_on_opening(tmp_path, place):
    Ledger.open(tmp_path).append(leaves(6))
    data = bytearray((tmp_path / "hashes").read_bytes())
    assert len(data) == 10 * 32
    data[32 * place] ^= 1
    (tmp_path / "hashes").write_bytes(data)
    with pytest.raises(CheckFailed, match=r"^T-E020: the ledger is damaged: "):
        Ledger.open(tmp_path).check()


@pytest.mark.parametrize("byte", range(0, 48, 3))
def test_changed_ends_are_found_by_the_check_or_on_opening(tmp_path, byte):
    Ledger.open(tmp_path).append(leaves(6))
    data = bytearray((tmp_path / "ends").read_bytes())
    data[byte] ^= 1
    (tmp_path / "ends").write_bytes(data)
    with pytest.raises(CheckFailed, match=r"^T-E020: the ledger is damaged: "):
        Ledger.open(tmp_path).check()
    with pytest.raises(CheckFailed, match=r"^T-E020: the ledger is damaged: "):
        list(Ledger.open(tmp_path).statements())


def test_a_long_ledger_is_read_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("titian.evidence.ledger.READ_ENTRIES", 7)
    ledger = Ledger.open(tmp_path)
    ledger.append(leaves(40))
    ledger.check()
    assert list(ledger.envelopes()) == leaves(40)


def test_a_changed_root_is_found_on_opening(tmp_path):
    Ledger.open(tmp_path).append(leaves(6))
    data = bytearray((tmp_path / "hashes").read_bytes())
    data[-1] ^= 1
    (tmp_path / "hashes").write_bytes(data)
    with pytest.raises(CheckFailed, match="the hashes do not give the root in the file head"):
        Ledger.open(tmp_path)


def test_recorded_statements_come_back_with_digest_and_signer(tmp_path, key, make_statement):
    ledger = Ledger.open(tmp_path)
    entry = ledger.record(make_statement(actor=key.key_id), key)
    (again,) = Ledger.open(tmp_path).statements()
    assert again == entry
    assert (again.index, again.key_id) == (0, key.key_id)
    assert ledger.public_keys() == {key.key_id: key.public_key}


def test_bytes_that_are_no_envelope_are_named_when_read_as_one(tmp_path):
    ledger = Ledger.open(tmp_path)
    ledger.append([b"{}"])
    with pytest.raises(CheckFailed, match="entry 0 is not an envelope"):
        ledger.entry(0)


@pytest.mark.parametrize("index", [-1, 2])
def test_places_outside_the_ledger_are_refused(tmp_path, index):
    ledger = Ledger.open(tmp_path)
    ledger.append(leaves(2))
    with pytest.raises(IndexError, match=rf"^entry {index} of a ledger of 2$"):
        ledger.envelope(index)
    with pytest.raises(IndexError, match=r"^size 3 of a ledger of 2$"):
        ledger.root(3)


def test_a_folder_that_cannot_be_made_is_an_environment_fault(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault, match=r"^T-E022: "):
        Ledger.open(tmp_path / "file" / "ledger")


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "x"
    write_aside(path, b"old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        write_aside(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
