"""Merkle trees as RFC 6962 draws them: roots and proofs from the hashes of complete subtrees.

Node (level, position) is the hash over leaves ``[position << level, (position + 1) << level)``.
Where a complete subtree's hash is looked up is the caller's affair (`Node`), so the tree in
memory and the ledger on disk share these functions. `verify.inclusion_root` checks a proof.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from titian.evidence.verify import node_hash

Node: TypeAlias = Callable[[int, int], bytes]
EMPTY_ROOT = hashlib.sha256(b"").digest()


def tree_root(size: int, node: Node) -> bytes:
    """Return the root over the first `size` leaves."""
    return range_root(0, size, node) if size else EMPTY_ROOT


def range_root(start: int, end: int, node: Node) -> bytes:
    """Return the root over leaves ``[start, end)`` of a subtree that begins at `start`.

    Args:
        start: a multiple of the smallest power of two that is at least ``end - start``.
        end: greater than `start`.
        node: hash of a complete subtree.
    """
    root: bytes | None = None
    remaining = end - start
    while remaining:  # complete subtrees from the right, that is from the smallest
        level = (remaining & -remaining).bit_length() - 1
        remaining &= remaining - 1
        peak = node(level, (start + remaining) >> level)
        root = peak if root is None else node_hash(peak, root)
    if root is None:
        raise ValueError("a range needs at least one leaf")
    return root


def inclusion_proof(index: int, size: int, node: Node) -> list[bytes]:
    """Return the audit path of leaf `index` in the tree of `size` leaves, leaf side first."""
    if not 0 <= index < size:
        raise IndexError(f"leaf {index} of a tree of {size}")
    proof = []
    level, position, last = 0, index, size - 1
    while last:
        sibling = position ^ 1
        if sibling < last:
            proof.append(node(level, sibling))
        elif sibling == last:  # the right edge, complete or not
            proof.append(range_root(last << level, size, node))
        level += 1
        position >>= 1
        last >>= 1
    return proof


def consistency_proof(old: int, new: int, node: Node) -> list[bytes]:
    """Return the proof that the tree of `old` leaves begins the tree of `new` leaves.

    Source: RFC 6962, 2.1.2.
    """
    if not 0 < old <= new:
        raise IndexError(f"no consistency proof from {old} to {new} leaves")
    proof = []
    start, end, whole = 0, new, True
    while old != end:
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        if old <= middle:
            proof.append(range_root(middle, end, node))
            end = middle
        else:
            proof.append(range_root(start, middle, node))
            start, whole = middle, False
    if not whole:
        proof.append(range_root(start, end, node))
    return proof[::-1]


def proves_consistency(
    old: int, new: int, proof: Sequence[bytes], *, old_root: bytes, new_root: bytes
) -> bool:
    """Tell whether `proof` shows that the tree of `old` leaves begins the one of `new`."""
    path = list(proof)

    def roots(old: int, new: int, known: bytes | None) -> tuple[bytes, bytes]:
        """Return both roots of a subtree, reading the proof from its end."""
        if old == new:
            root = path.pop() if known is None else known
            return root, root
        left = 1 << (new - 1).bit_length() - 1  # leaves of the left half
        last = path.pop()
        if old <= left:
            before, after = roots(old, left, known)
            return before, node_hash(after, last)
        before, after = roots(old - left, new - left, None)
        return node_hash(last, before), node_hash(last, after)

    try:
        return 0 < old <= new and roots(old, new, old_root) == (old_root, new_root) and not path
    except IndexError:  # the proof is too short
        return False


class MerkleTree:
    """A growing tree in memory: one list of hashes a level, about two hashes an append."""

    __slots__ = ("_levels",)

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self._levels: list[list[bytes]] = [[]]
        self.extend(leaves)

    def __len__(self) -> int:
        return len(self._levels[0])

    def append(self, leaf: bytes) -> int:
        """Append a leaf's bytes and return its index."""
        sha256 = hashlib.sha256  # inlined hashes: calls cost as much as hashing here
        levels = self._levels
        row = levels[0]
        value = sha256(b"\x00" + leaf).digest()
        row.append(value)
        index = position = len(row) - 1
        level = 0
        while position & 1:
            value = sha256(b"\x01" + levels[level][position - 1] + value).digest()
            level += 1
            position >>= 1
            if level == len(levels):
                levels.append([])
            levels[level].append(value)
        return index

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Append many leaves, level by level."""
        sha256 = hashlib.sha256
        levels = self._levels
        levels[0].extend([sha256(b"\x00" + leaf).digest() for leaf in leaves])
        level = 0
        while len(levels[level]) > 1:
            if level + 1 == len(levels):
                levels.append([])
            below, above = levels[level], levels[level + 1]
            pairs = range(2 * len(above), len(below) - 1, 2)
            above.extend([sha256(b"\x01" + below[at] + below[at + 1]).digest() for at in pairs])
            level += 1

    def node(self, level: int, position: int) -> bytes:
        """Return the hash of a complete subtree."""
        return self._levels[level][position]

    def root(self, size: int | None = None) -> bytes:
        """Return the root over all or the first `size` leaves."""
        return tree_root(self._checked(size), self.node)

    def proof(self, index: int, size: int | None = None) -> list[bytes]:
        """Return the inclusion proof of leaf `index`."""
        return inclusion_proof(index, self._checked(size), self.node)

    def consistency(self, old: int, new: int | None = None) -> list[bytes]:
        """Return the proof that the first `old` leaves are the beginning of the tree."""
        return consistency_proof(old, self._checked(new), self.node)

    def _checked(self, size: int | None) -> int:
        if size is None:
            return len(self)
        if not 0 <= size <= len(self):
            raise IndexError(f"size {size} of a tree of {len(self)}")
        return size
