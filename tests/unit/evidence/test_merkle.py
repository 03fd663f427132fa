"""Merkle trees: the certificate-transparency vectors, another library, and what must fail."""

import hashlib

import pymerkle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from titian.evidence.merkle import MerkleTree, proves_consistency
from titian.evidence.verify import Fault, inclusion_root, leaf_hash, node_hash

LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def leaves(count):
    return [str(number).encode() for number in range(count)]


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_certificate_transparency(size):
    tree = MerkleTree(LEAVES)
    assert tree.root(size).hex() == ROOTS[size]
    assert MerkleTree(LEAVES[:size]).root().hex() == ROOTS[size]


def test_a_tree_of_three_worked_by_hand():
    a, b, c = (hashlib.sha256(b"\x00" + leaf).digest() for leaf in (b"a", b"b", b"c"))
    ab = hashlib.sha256(b"\x01" + a + b).digest()
    tree = MerkleTree([b"a", b"b", b"c"])
    assert tree.root() == hashlib.sha256(b"\x01" + ab + c).digest()
    assert tree.proof(0) == [b, c]
    assert tree.proof(2) == [ab]
    assert tree.consistency(2) == [c]


@given(st.lists(st.binary(max_size=8), max_size=40), st.lists(st.binary(max_size=8)))
def test_appending_one_by_one_or_at_once_gives_one_tree(first, second):
    single, bulk = MerkleTree(), MerkleTree(first)
    for leaf in first + second:
        single.append(leaf)
    bulk.extend(second)
    assert len(single) == len(bulk) == len(first + second)
    assert single.root() == bulk.root()


def test_roots_and_proofs_agree_with_pymerkle_at_every_size():
    oracle, tree = pymerkle.InmemoryTree(algorithm="sha256"), MerkleTree()
    for leaf in leaves(70):
        oracle.append_entry(leaf)
        tree.append(leaf)
        size = len(tree)
        assert tree.root() == oracle.get_root()
        for index in (0, size // 3, size - 1):
            path = oracle.prove_inclusion(index + 1).path
            assert [leaf_hash(str(index).encode()), *tree.proof(index)] == list(path)


@given(st.integers(1, 200), st.data())
def test_every_inclusion_proof_gives_the_root(size, data):
    index = data.draw(st.integers(0, size - 1))
    tree = MerkleTree(leaves(200))
    leaf = leaf_hash(str(index).encode())
    assert inclusion_root(leaf, index, size, tree.proof(index, size)) == tree.root(size)


@given(st.integers(1, 70), st.data())
def test_a_proof_shows_no_other_place_size_or_leaf(size, data):
    tree = MerkleTree(leaves(size))
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(-2, size + 2).filter(lambda place: place != index))
    proof, leaf = tree.proof(index), leaf_hash(str(index).encode())

    def shows(leaf, index, size, proof):
        try:
            return inclusion_root(leaf, index, size, proof) == tree.root()
        except Fault:
            return False

    assert shows(leaf, index, size, proof)
    assert not shows(leaf, other, size, proof)
    assert not shows(leaf_hash(b"x"), index, size, proof)
    assert not shows(leaf, index, size, [*proof, leaf])
    assert not shows(leaf, index, size, proof[:-1]) or not proof
    for place in range(len(proof)):
        assert not shows(leaf, index, size, [*proof[:place], leaf, *proof[place + 1 :]])


def test_an_inner_node_does_not_pass_for_a_leaf():
    tree = MerkleTree(leaves(4))
    inner = node_hash(tree.node(0, 0), tree.node(0, 1))
    assert inclusion_root(inner, 0, 2, [tree.node(1, 1)]) == tree.root()
    assert leaf_hash(tree.node(0, 0) + tree.node(0, 1)) != inner


@given(st.integers(1, 130), st.integers(1, 130))
def test_every_consistency_proof_holds_and_no_other(first, second):
    old, new = sorted((first, second))
    tree = MerkleTree(leaves(130))
    proof = tree.consistency(old, new)
    roots = {"old_root": tree.root(old), "new_root": tree.root(new)}
    assert proves_consistency(old, new, proof, **roots)
    assert not proves_consistency(old, new, [*proof, tree.root()], **roots)
    if proof:
        assert not proves_consistency(old, new, proof[:-1], **roots)
        assert not proves_consistency(old, new, proof[1:], **roots)
    if old < new:
        assert not proves_consistency(old, new, proof, **roots | {"old_root": tree.root(new)})
        assert not proves_consistency(old, new, proof, **roots | {"new_root": tree.root(old)})
        rewritten = MerkleTree([b"x", *leaves(130)[1:]])
        roots["new_root"] = rewritten.root(new)
        assert not proves_consistency(old, new, rewritten.consistency(old, new), **roots)


@pytest.mark.parametrize(
    ("old", "new", "proof"),
    [
        (1, 1, []),
        (
            1,
            8,
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            6,
            8,
            [
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (
            2,
            5,
            [
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
    ],
)
def test_consistency_proofs_are_those_of_certificate_transparency(old, new, proof):
    assert [value.hex() for value in MerkleTree(LEAVES).consistency(old, new)] == proof


@pytest.mark.parametrize("bad", [-1, 3])
def test_places_outside_the_tree_are_refused(bad):
    tree = MerkleTree(leaves(3))
    with pytest.raises(IndexError, match=f"^leaf {bad} of a tree of 3$"):
        tree.proof(bad)
    with pytest.raises(IndexError, match=f"^size {bad + 1 or 4} of a tree of 3$|^no consist"):
        tree.consistency(1 if bad > 0 else 0, bad + 1 or None)
