"""The ledger: an append-only Merkle log of signed statements, in a folder.

Four files hold it. ``entries`` is the envelopes one after another; ``ends`` the end of each
in it (8 bytes, little-endian); ``hashes`` the hash of every complete subtree (32 bytes) in
the order in which appending completes them, so that an append writes about two hashes and
any node's place follows from its level and position; ``head`` (canonical JSON) is how many
entries count, and their root. An append writes and syncs the first three and then replaces
``head``: what lies beyond the head never happened and is cut off. See
docs/decisions/0002-ledger-storage.md.
"""

from __future__ import annotations

import hashlib
import itertools
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from titian.errors import CheckFailed, EnvironmentFault, Problem
from titian.evidence import verify
from titian.evidence.envelope import peek, seal_statement
from titian.evidence.keys import SigningKey
from titian.evidence.merkle import EMPTY_ROOT, consistency_proof, inclusion_proof, tree_root
from titian.evidence.store import FolderStore, Store
from titian.values import JsonValue

HASH_BYTES = 32
END_BYTES = 8
READ_ENTRIES = 4096  # at a time, when all are read


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One statement on the ledger.

    Attributes:
        index: place in the log, counted from 0.
        digest: SHA-256 of the statement's canonical bytes, in hex.
        statement: the in-toto Statement.
        key_id: its signer.
    """

    index: int
    digest: str
    statement: dict[str, Any]
    key_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    size: int = 0
    bytes: int = 0
    root: str = EMPTY_ROOT.hex()

    @property
    def lengths(self) -> dict[str, int]:
        """How much of each file counts."""
        return {
            "entries": self.bytes,
            "ends": END_BYTES * self.size,
            "hashes": HASH_BYTES * _completed(self.size),
        }


class Ledger:
    """An open ledger; it sees what others append when it appends or is opened again.

    Attributes:
        recovered: what `open` cut off, in words; empty when nothing was unfinished.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._head = _Head()
        self.recovered = ""
        with store.lock():
            self._refresh()
            self.recovered = self._cut_off_unfinished()

    @classmethod
    def open(cls, folder: Path) -> Ledger:
        """Open the ledger in `folder`, or begin one; cut off what a killed append left.

        Raises:
            CheckFailed: T-E020 a file is shorter than the head says, or the root differs.
            EnvironmentFault: T-E022 the folder cannot be written.
        """
        try:
            return cls(FolderStore(folder))
        except OSError as error:
            raise _disk_fault(error) from error

    def __len__(self) -> int:
        return self._head.size

    def append(
        self,
        envelopes: Sequence[bytes],
        *,
        expected_size: int | None = None,
        public_keys: Iterable[bytes] = (),
    ) -> range:
        """Append envelopes, all or none; durable when it returns.

        Args:
            envelopes: canonical DSSE envelopes.
            expected_size: refuse if the ledger does not have this many entries.
            public_keys: raw public keys of signers that the ledger should know.

        Returns:
            The indices of the new entries.

        Raises:
            EnvironmentFault: T-E021 the head is stale, T-E022 the disk is full or fails;
                then nothing was appended.
        """
        try:
            with self._store.lock():
                self._refresh()
                if expected_size is not None and expected_size != len(self):
                    raise EnvironmentFault(
                        Problem(
                            code="T-E021",
                            message=(
                                f"the ledger has {len(self)} entries where {expected_size}"
                                " were expected; another run appended in the meantime."
                            ),
                            remedy="Run again, one run at a time.",
                        )
                    )
                self._cut_off_unfinished()
                self._admit_keys(public_keys)
                if envelopes:
                    self._write(envelopes)
        except OSError as error:
            raise _disk_fault(error) from error
        return range(len(self) - len(envelopes), len(self))

    def record(
        self, statement: JsonValue, key: SigningKey, *, expected_size: int | None = None
    ) -> Entry:
        """Sign a statement, append it with its signer's public key, and return its entry."""
        (index,) = self.append(
            [seal_statement(statement, key)],
            expected_size=expected_size,
            public_keys=[key.public_key],
        )
        return self.entry(index)

    def envelope(self, index: int) -> bytes:
        """Return the envelope at `index`, exactly as appended."""
        self._check_index(index)
        start, end = self._end(index - 1), self._end(index)
        if not start <= end <= self._head.bytes:
            raise _damage(f"the file ends is not in order at entry {index}")
        return self._store.read("entries", start, end - start)

    def entry(self, index: int) -> Entry:
        """Return the statement at `index`; its signature is not checked here."""
        return _entry(index, self.envelope(index))

    def statements(self) -> Iterator[Entry]:
        """Yield every entry, oldest first; signatures are not checked here."""
        return itertools.starmap(_entry, enumerate(self.envelopes()))

    def public_keys(self) -> dict[str, bytes]:
        """Return the raw public keys that the ledger knows, by key id."""
        raw = self._store.read("keys", 0, self._store.size("keys"))
        keys = [raw[at : at + 32] for at in range(0, len(raw), 32)]
        return {verify.key_id(key): key for key in keys}

    def root(self, size: int | None = None) -> bytes:
        """Return the root over all or the first `size` entries."""
        return tree_root(self._checked(size), self._node)

    def proof(self, index: int, size: int | None = None) -> list[bytes]:
        """Return the inclusion proof of an entry: O(log n) look-ups."""
        return inclusion_proof(index, self._checked(size), self._node)

    def consistency(self, old: int, new: int | None = None) -> list[bytes]:
        """Return the proof that the first `old` entries are the beginning of the log."""
        return consistency_proof(old, self._checked(new), self._node)

    def envelopes(self) -> Iterator[bytes]:
        """Yield every envelope, oldest first, reading thousands at a time."""
        for part in self._parts():
            yield from part

    def check(self) -> None:
        """Hash everything again: every entry and every inner node up to the root.

        Raises:
            CheckFailed: T-E020 something was changed, naming the first entry concerned.
        """
        peaks: list[bytes] = []
        start = 0
        for part in self._parts():
            hashes = _grow(peaks, start, part)
            place = HASH_BYTES * _completed(start)
            if hashes != self._store.read("hashes", place, len(hashes)):
                self._name_changed_entry(start, part)
            start += len(part)

    def _parts(self) -> Iterator[list[bytes]]:
        begin = 0
        for start in range(0, len(self), READ_ENTRIES):
            count = min(READ_ENTRIES, len(self) - start)
            raw = self._store.read("ends", END_BYTES * start, END_BYTES * count)
            if len(raw) != END_BYTES * count:
                raise _damage(f"the file ends ends before entry {start + count - 1}")
            ends = struct.unpack(f"<{count}Q", raw)
            bounds = (begin, *ends, self._head.bytes)
            if any(after < before for before, after in itertools.pairwise(bounds)):
                raise _damage(f"the file ends is not in order after entry {start}")
            data = self._store.read("entries", begin, ends[-1] - begin)
            places = itertools.pairwise(end - begin for end in (begin, *ends))
            yield [data[left:right] for left, right in places]
            begin = ends[-1]

    def _name_changed_entry(self, start: int, part: Sequence[bytes]) -> NoReturn:
        for index, envelope in enumerate(part, start):
            if verify.leaf_hash(envelope) != self._node(0, index):
                raise _damage(f"entry {index} does not have the hash it was appended with")
        raise _damage(f"an inner hash over entries from {start} on was changed")

    def _refresh(self) -> None:
        raw = self._store.read("head", 0, self._store.size("head"))
        if not raw:
            if any(self._store.size(name) for name in _Head().lengths):
                raise _damage("the file head is missing")
            self._write_head(_Head())  # so that from now on a missing head is damage
            return
        try:
            self._head = _Head(**verify.parse(raw, exact=True))
        except (ValueError, TypeError):
            raise _damage("the file head cannot be read") from None
        for name, length in self._head.lengths.items():
            if self._store.size(name) < length:
                raise _damage(f"the file {name} has {self._store.size(name)} bytes of {length}")
        if self.root().hex() != self._head.root:
            raise _damage("the hashes do not give the root in the file head")

    def _cut_off_unfinished(self) -> str:
        cut = 0
        for name, length in self._head.lengths.items():
            if (size := self._store.size(name)) > length:
                self._store.truncate(name, length)
                cut += size - length
        if not cut:
            return ""
        return f"{cut} bytes of an append that never finished were cut off the ledger"

    def _admit_keys(self, public_keys: Iterable[bytes]) -> None:
        known = self.public_keys()
        new = {verify.key_id(key): key for key in public_keys}
        if new.keys() - known.keys():
            self._store.replace("keys", b"".join((known | new).values()))

    def _write(self, envelopes: Sequence[bytes]) -> None:
        head = self._head
        lengths = itertools.accumulate(map(len, envelopes), initial=head.bytes)
        ends = list(lengths)[1:]
        peaks = self._peaks(head.size)
        hashes = _grow(peaks, head.size, envelopes)
        root = peaks[-1]
        for peak in reversed(peaks[:-1]):
            root = verify.node_hash(peak, root)
        parts = {
            "entries": b"".join(envelopes),
            "ends": struct.pack(f"<{len(ends)}Q", *ends),
            "hashes": hashes,
        }
        for name, data in parts.items():
            self._store.write(name, head.lengths[name], data)
        for name in parts:
            self._store.sync(name)
        size = head.size + len(envelopes)
        self._write_head(_Head(size=size, bytes=ends[-1], root=root.hex()))

    def _write_head(self, head: _Head) -> None:
        fields = {"size": head.size, "bytes": head.bytes, "root": head.root}
        self._store.replace("head", verify.canonical(fields))
        self._head = head

    def _peaks(self, size: int) -> list[bytes]:
        """Return the roots of the complete subtrees that `size` entries fall into."""
        peaks, start = [], 0
        for level in range(size.bit_length() - 1, -1, -1):
            if size >> level & 1:
                peaks.append(self._node(level, start >> level))
                start += 1 << level
        return peaks

    def _node(self, level: int, position: int) -> bytes:
        last_leaf = (position + 1 << level) - 1  # appending it completes the subtree
        place = _completed(last_leaf) + level
        value = self._store.read("hashes", HASH_BYTES * place, HASH_BYTES)
        if len(value) != HASH_BYTES:
            raise _damage(f"the file hashes ends before hash {place}")
        return value

    def _end(self, index: int) -> int:
        if index < 0:
            return 0
        raw = self._store.read("ends", END_BYTES * index, END_BYTES)
        if len(raw) != END_BYTES:
            raise _damage(f"the file ends ends before entry {index}")
        return int.from_bytes(raw, "little")

    def _check_index(self, index: int) -> None:
        if not 0 <= index < len(self):
            raise IndexError(f"entry {index} of a ledger of {len(self)}")

    def _checked(self, size: int | None) -> int:
        if size is None:
            return len(self)
        if not 0 <= size <= len(self):
            raise IndexError(f"size {size} of a ledger of {len(self)}")
        return size


def _entry(index: int, envelope: bytes) -> Entry:
    try:
        payload, signer = peek(envelope)
        statement = verify.parse(payload)
    except (ValueError, KeyError, TypeError, IndexError):
        raise _damage(f"entry {index} is not an envelope") from None
    digest = hashlib.sha256(payload).hexdigest()
    return Entry(index=index, digest=digest, statement=statement, key_id=signer)


def _grow(peaks: list[bytes], size: int, envelopes: Sequence[bytes]) -> bytes:
    """Append to the tree of `size` leaves: change its peaks, return the hashes completed."""
    hashes = []
    for place, envelope in enumerate(envelopes, size):
        value = verify.leaf_hash(envelope)
        hashes.append(value)
        while place & 1:
            value = verify.node_hash(peaks.pop(), value)
            hashes.append(value)
            place >>= 1
        peaks.append(value)
    return b"".join(hashes)


def _completed(size: int) -> int:
    """Return how many complete subtrees `size` leaves give: 2 * size - popcount(size)."""
    return 2 * size - size.bit_count()


def _damage(what: str) -> CheckFailed:
    return CheckFailed(
        Problem(
            code="T-E020",
            message=f"the ledger is damaged: {what}.",
            remedy="Restore the folder .titian/ledger from a copy; do not repair it by hand.",
        )
    )


def _disk_fault(error: OSError) -> EnvironmentFault:
    return EnvironmentFault(
        Problem(
            code="T-E022",
            message=f"the ledger cannot be written ({error.strerror}); nothing was appended.",
            remedy="Free disk space or fix the folder's permissions, then run again.",
        )
    )
