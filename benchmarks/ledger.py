"""The ledger against pymerkle: appending, proving, verifying, signing.

Run by `make bench`. Both trees are in memory, get the same pre-encoded leaves in the same
run, and use SHA-256 as RFC 6962 says. Our ledger on disk is reported apart: it has no peer
here, since pymerkle's SQLite tree keeps entries but no signed head.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pymerkle

from titian.evidence import verify
from titian.evidence.bundle import ledger_document
from titian.evidence.envelope import seal_payload
from titian.evidence.keys import make_key
from titian.evidence.ledger import Ledger
from titian.evidence.merkle import MerkleTree

GOAL_APPEND = 4.0
GOAL_PROOFS = 2.0
GOAL_VERIFY_S = 60.0
LEAF_BYTES = 256
BATCH = 10_000


def cpu(function: Callable[[], object]) -> float:
    """Return the CPU seconds that a call takes."""
    before = time.process_time()
    function()
    return time.process_time() - before


def make_leaves(count: int) -> list[bytes]:
    """Return distinct leaves of the size of a small envelope."""
    filler = "x" * (LEAF_BYTES - 40)
    return [b'{"n":%011d,"payload":"%b"}' % (n, filler.encode()) for n in range(count)]


def trees(leaves: list[bytes], proofs: int) -> None:
    ours, peer = MerkleTree(), pymerkle.InmemoryTree(algorithm="sha256")
    name = f"pymerkle {version('pymerkle')}"
    n = len(leaves)

    def append_ours() -> None:
        append = ours.append
        for leaf in leaves:
            append(leaf)

    def append_peer() -> None:
        append = peer.append_entry
        for leaf in leaves:
            append(leaf)

    ours_s, peer_s = cpu(append_ours), cpu(append_peer)
    at_once_s = cpu(lambda: MerkleTree(leaves))
    if ours.root() != peer.get_root():
        raise SystemExit("the two trees have different roots")
    line("append, one by one", f">= {GOAL_APPEND:.0f}x", ours_s, peer_s, n, name)
    line("append, all at once", "", at_once_s, peer_s, n, name)
    places = [random.Random(7).randrange(n) for _ in range(proofs)]  # noqa: S311 - a sample
    prove_peer = peer.prove_inclusion

    def prove_theirs() -> None:
        for place in places:
            prove_peer(place + 1)

    proof_s = cpu(lambda: [ours.proof(place) for place in places])
    cold_s, warm_s = cpu(prove_theirs), cpu(prove_theirs)
    line("inclusion proofs", f">= {GOAL_PROOFS:.0f}x", proof_s, warm_s, proofs, f"{name}, warm")
    line("inclusion proofs", "", proof_s, cold_s, proofs, f"{name}, cold")
    print(
        f"  {name} does more: it keeps the leaves' data and the root after every append, takes"
        "\n  a lock per call and wraps each proof with its rule; ours keeps hashes alone."
    )


def line(what: str, goal: str, ours_s: float, peer_s: float, n: int, peer: str) -> None:
    print(
        f"{what:<22} {goal:>6} {n / ours_s:>12,.0f}/s {n / peer_s:>12,.0f}/s"
        f" {peer_s / ours_s:>7.1f}x   {ours_s:>7.2f} s {peer_s:>8.2f} s   {peer}"
    )


def single(what: str, goal: str, n: int, cpu_s: float, wall_s: float) -> None:
    rate = f"{n / wall_s:,.0f}/s"
    print(f"{what:<46} {goal:>8} {cpu_s:>8.2f} s CPU {wall_s:>8.2f} s {rate:>14}")


def timed(what: str, goal: str, n: int, function: Callable[[], object]) -> None:
    wall = time.perf_counter()
    cpu_s = cpu(function)
    single(what, goal, n, cpu_s, time.perf_counter() - wall)


def on_disk(leaves: list[bytes], folder: Path) -> None:
    ledger, key, n = Ledger.open(folder), make_key(), len(leaves)

    def append_batches() -> None:
        for start in range(0, n, BATCH):
            ledger.append(leaves[start : start + BATCH])

    def verify_all() -> None:
        Ledger.open(folder).check()
        head = verify.parse(signed, exact=True)
        payload, _ = verify.open_envelope(head, verify.HEAD_TYPE, keys, "head")
        if json.loads(payload)["root"] != ledger.root().hex():
            raise SystemExit("the signed head is of another root")

    timed(f"append on disk, durable, {BATCH:,} at a time", "", n, append_batches)
    timed("append on disk, durable, one by one", "", 200, lambda: one_by_one(folder, 200))
    ledger = Ledger.open(folder)
    head = {"size": len(ledger), "root": ledger.root().hex(), "project": "bench", "time": ""}
    signed, keys = seal_payload(head, verify.HEAD_TYPE, key), {key.key_id: key.public_key}
    timed("verify all leaf hashes and the signed head", "< 60 s", len(ledger), verify_all)
    timed(
        "inclusion proofs from disk", "", 2000, lambda: [ledger.proof(i) for i in range(2000)]
    )
    timed("open", "", 1, lambda: Ledger.open(folder))


def one_by_one(folder: Path, count: int) -> None:
    ledger = Ledger.open(folder)
    for number in range(count):
        ledger.append([b"single %d" % number])


def signatures(folder: Path, count: int) -> None:
    key, message = make_key(), b"x" * 4096
    statement = {
        "_type": verify.IN_TOTO,
        "subject": [],
        "predicateType": verify.PREDICATE_TYPE,
        "predicate": {"project": "bench", "actor": key.key_id, "text": message.decode()},
    }
    made: list[bytes] = []
    timed("encode and sign statements of 4 KiB", "", count, lambda: made.extend(
        seal_payload(statement | {"subject": [n]}, verify.STATEMENT_TYPE, key)
        for n in range(count)
    ))  # fmt: skip
    ledger = Ledger.open(folder)
    ledger.append(made)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    document = ledger_document(ledger, list(ledger.statements()), key, project="bench", now=now)
    timed(
        "check form, signature and proof of statements", "", count, lambda: ok(document, count)
    )
    envelope = json.loads(made[0])
    payload = base64.b64decode(envelope["payload"])
    signed = verify.pre_authentication(envelope["payloadType"], payload)
    timed("  of that: signing alone", "", count, lambda: [key.sign(signed) for _ in made])
    public, signature = key.private.public_key(), key.sign(signed)
    timed("  of that: checking signatures alone", "", count, lambda: [
        public.verify(signature, signed) for _ in made
    ])  # fmt: skip


def ok(document: bytes, count: int) -> None:
    part = verify.read_ledger(document)
    if part.faults or len(part.entries) != count:
        raise SystemExit("the statements do not check")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leaves", type=int, default=1_000_000)
    call = parser.parse_args()
    leaves = make_leaves(call.leaves)
    print(f"Ledger: {call.leaves:,} pre-encoded leaves of {LEAF_BYTES} bytes; CPU time")
    print(
        f"{'':<22} {'goal':>6} {'ours':>14} {'peer':>14} {'ratio':>8}"
        f"   {'ours':>9} {'peer':>10}   peer"
    )
    trees(leaves, min(50_000, call.leaves))
    with tempfile.TemporaryDirectory(prefix="titian-bench-") as name:
        on_disk(leaves, Path(name) / "ledger")
        signatures(Path(name) / "signed", 5000)


if __name__ == "__main__":
    main()
