"""Check a Titian dossier: ``python verify.py DOSSIER [--key FILE]...`` (a folder or its zip).

Needs Python 3.11 and `cryptography`, nothing of Titian. Exit 0: every check passed; 1: a
check failed; 2: wrong call. With ``--key`` every signer must be one of the given keys;
without it the signers are *not* checked and the answer says so. `titian.evidence` imports
RFC 8785 (canonical JSON), DSSE (envelopes), RFC 6962 (Merkle proofs) and the archive here.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import math
import re
import struct
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

try:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    sys.stderr.write("verify.py needs the package cryptography: pip install cryptography\n")
    raise SystemExit(2) from None

STATEMENT_TYPE = "application/vnd.in-toto+json"
HEAD_TYPE = "application/vnd.titian.tree-head+json"
MANIFEST_TYPE = "application/vnd.titian.manifest+json"
IN_TOTO = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:titian:stage-run:1"
MANIFEST, LEDGER, NUMBERS, PAGE = "manifest.json", "ledger.json", "dossier.json", "index.html"
MAX_INTEGER = 2**53  # up to here every integer is a double, so all readers of JSON agree
MAX_TOTAL_BYTES = 512 << 20  # a dossier is read into memory
MAX_JSON_BYTES = 64 << 20  # JSON takes about ten times its text when parsed
Keys = Mapping[str, bytes]  # raw public keys by key id


class Fault(ValueError):
    """Something that does not check: what, and where."""

    def __init__(self, what: str, where: str = "") -> None:
        super().__init__(f"{where}: {what}" if where else what)
        self.what, self.where = what, where


# --- canonical JSON (RFC 8785)
def canonical(value: object) -> bytes:
    """Return the bytes that RFC 8785 gives for a JSON value; a ValueError if it has none."""
    return _text(value).encode()


def _text(value: object) -> str:
    if isinstance(value, str):
        return json.encoder.encode_basestring(value)
    if isinstance(value, float):
        return number(value)
    if value is None or (isinstance(value, int) and abs(value) <= MAX_INTEGER):
        return json.dumps(value)
    if isinstance(value, list | tuple):
        return f"[{','.join([_text(item) for item in value])}]"
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return f"{{{','.join([f'{_text(key)}:{_text(value[key])}' for key in keys])}}}"
    raise Fault(f"{value!r:.60} ({type(value).__name__}) has no canonical form in JSON")


def number(value: float) -> str:
    """Write a double as ECMAScript does (ECMA-262, Number::toString)."""
    if not math.isfinite(value):
        raise Fault(f"{value} is not a number of JSON")
    if "e" not in (plain := repr(value)):  # the same shortest digits as ECMAScript's
        return plain.removesuffix(".0") if value else "0"
    digits = Decimal(plain).normalize()
    return format(digits, "f" if 1e-6 <= abs(value) < 1e21 else "e")


def parse(data: bytes, where: str = "", *, exact: bool = False) -> Any:  # noqa: ANN401 - JSON
    """Read JSON strictly (UTF-8, no key twice, no NaN); if `exact`, only canonical JSON."""
    if len(data) > MAX_JSON_BYTES:
        raise Fault(f"{len(data)} bytes of JSON; at most {MAX_JSON_BYTES} are read", where)
    try:
        value = _DECODER.decode(data.decode())
        if not exact or canonical(value) == data:
            return value
    except (ValueError, RecursionError) as error:
        raise Fault(f"not strict JSON ({error!s:.200})", where) from None
    raise Fault("not canonical JSON (RFC 8785)", where)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(found := dict(pairs)) != len(pairs):
        raise Fault("an object has the same key twice")
    return found


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    # Beyond 2**53 other readers see a double, and so do we.
    parse_int=lambda text: int(text) if abs(float(text)) <= MAX_INTEGER else float(text),
    parse_constant=lambda text: number(float(text)),
)


def members(value: object, where: str, **kinds: type) -> list[Any]:
    """Return the members of an object that has exactly these, of these types."""
    if type(value) is not dict or {name: type(value[name]) for name in value} != kinds:
        expected = ", ".join(f"{name} ({kind.__name__})" for name, kind in kinds.items())
        raise Fault(f"expected an object of {expected}", where)
    return [value[name] for name in kinds]


# --- Merkle trees (RFC 6962)
def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf's bytes."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def inclusion_root(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """Return the root that a proof gives for a leaf hash at `index` of `size` leaves."""
    if not 0 <= index < size or (size == 1 and proof) or (size > 1 and not proof):
        raise Fault(f"no proof for entry {index} of {size}")
    if size == 1:
        return leaf
    left = 1 << (size - 1).bit_length() - 1  # leaves of the left half, which is complete
    if index < left:
        return node_hash(inclusion_root(leaf, index, left, proof[:-1]), proof[-1])
    return node_hash(proof[-1], inclusion_root(leaf, index - left, size - left, proof[:-1]))


# --- signatures (Ed25519 in DSSE v1)
def key_id(public_key: bytes) -> str:
    """Return the SHA-256 of a raw Ed25519 public key in hex."""
    return hashlib.sha256(public_key).hexdigest()


def read_public_key(path: Path) -> bytes:
    """Return the raw public key of a PEM file; of a private key, its public part."""
    try:
        with path.open("rb") as file:
            text = file.read(1 << 16)
        if b"PRIVATE KEY" in text:
            key: Any = serialization.load_pem_private_key(text, None)
            key = key.public_key()
        else:
            key = serialization.load_pem_public_key(text)
        if isinstance(key, Ed25519PublicKey):
            return key.public_bytes_raw()
        reason = "another kind of key"
    except (OSError, ValueError, TypeError, AttributeError, UnsupportedAlgorithm) as error:
        reason = str(error)
    raise Fault(f"not an unencrypted Ed25519 key in PEM form ({reason:.200})", str(path))


def pre_authentication(payload_type: str, payload: bytes) -> bytes:
    """Return the bytes that a DSSE v1 signature covers."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def open_envelope(envelope: object, kind: str, keys: Keys, where: str) -> tuple[bytes, str]:
    """Return the payload of a parsed envelope and its signer, once the signature checks."""
    kinds = {"payload": str, "payloadType": str, "signatures": list}
    text, named, signatures = members(envelope, where, **kinds)
    if named != kind or len(signatures) != 1:
        raise Fault(f"expected one signature over {kind}", where)
    signer, signature = members(signatures[0], where, keyid=str, sig=str)
    if signer not in keys:
        raise Fault(f"there is no public key of its signer {signer:.64}", where)
    payload = decode(text, where)
    try:
        public = Ed25519PublicKey.from_public_bytes(keys[signer])
        public.verify(decode(signature, where), pre_authentication(kind, payload))
    except InvalidSignature:
        raise Fault(f"the signature by {signer} does not fit the content", where) from None
    return payload, signer


def decode(text: object, where: str) -> bytes:
    """Return what base64 text stands for; a Fault unless it is the one text for it."""
    try:
        data = base64.b64decode(str(text).encode())
    except ValueError:
        data = b""
    if base64.b64encode(data).decode() != text:
        raise Fault("not canonical base64", where)
    return data


# --- the ledger part: statements with proofs, a signed tree head, the signers' public keys
@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One signed statement and its place in the log."""

    index: int
    digest: str
    statement: dict[str, Any]
    signer: str
    envelope: bytes


@dataclass(frozen=True, slots=True)
class LedgerPart:
    """What `read_ledger` found: the entries that check, and the faults of those that do not."""

    head: dict[str, Any]
    head_signer: str
    keys: dict[str, bytes]
    entries: tuple[LedgerEntry, ...]
    faults: tuple[Fault, ...]


def read_ledger(data: bytes, where: str = LEDGER) -> LedgerPart:
    """Read `ledger.json` or an export; a Fault if form, keys or signed head do not check."""
    document = parse(data, where, exact=True)
    rows, signed, listed = members(document, where, entries=list, head=dict, keys=dict)
    keys = {name: decode(text, f"{where} keys") for name, text in listed.items()}
    if any(key_id(public) != name for name, public in keys.items()):
        raise Fault("a key id is not the SHA-256 of its public key", f"{where} keys")
    payload, head_signer = open_envelope(signed, HEAD_TYPE, keys, f"{where} head")
    head = parse(payload, f"{where} head", exact=True)
    members(head, f"{where} head", size=int, root=str, project=str, time=str)
    entries: list[LedgerEntry] = []
    faults: list[Fault] = []
    for place, row in enumerate(rows):
        try:
            entries.append(_read_entry(row, head, keys, f"{where} entry {place}"))
            if len(entries) > 1 and entries[-2].index >= entries[-1].index:
                faults.append(Fault("out of order", f"{where} entry {place}"))
        except Fault as fault:
            faults.append(fault)
    return LedgerPart(head, head_signer, keys, tuple(entries), tuple(faults))


def _read_entry(row: object, head: dict[str, Any], keys: Keys, where: str) -> LedgerEntry:
    index, envelope, proof = members(row, where, index=int, envelope=dict, proof=list)
    payload, signer = open_envelope(envelope, STATEMENT_TYPE, keys, where)
    statement = parse(payload, where, exact=True)
    kinds = {"_type": str, "subject": list, "predicateType": str, "predicate": dict}
    *types, predicate = members(statement, where, **kinds)
    if [types[0], types[2]] != [IN_TOTO, PREDICATE_TYPE] or predicate.get("actor") != signer:
        raise Fault(f"not the statement of a stage's run by its signer {signer}", where)
    if (project := predicate.get("project")) != head["project"]:
        named = f"{head['project']!r:.60}"
        raise Fault(f"of project {project!r:.60}, the signed head is of {named}", where)
    data, path = canonical(envelope), [decode(text, where) for text in proof]
    if inclusion_root(leaf_hash(data), index, head["size"], path).hex() != head["root"]:
        raise Fault(f"not proven to be entry {index} of the signed log", where)
    return LedgerEntry(index, hashlib.sha256(payload).hexdigest(), statement, signer, data)


# --- numbers: each is a reference {statement digest, JSON pointer} with the value shown
def resolve(statement: object, pointer: str) -> object:
    """Return what a JSON pointer (RFC 6901) points to; KeyError if there is nothing."""
    value = statement
    for token in (pointer if pointer.startswith("/") else "/").split("/")[1:]:
        place = int(token) if re.fullmatch("0|[1-9][0-9]{0,8}", token) else MAX_INTEGER
        if isinstance(value, list) and place < len(value):
            value = value[place]
        elif isinstance(value, dict):
            value = value[token.replace("~1", "/").replace("~0", "~")]
        else:
            raise KeyError(pointer)
    return value


Reference = tuple[str, Any, Any, "str | None"]  # where, digest, pointer, text of the value


def _json_references(value: object, where: str) -> Iterator[Reference]:
    if isinstance(value, dict) and {"statement", "pointer"} <= value.keys():
        text = canonical(value["value"]).decode() if "value" in value else None
        yield where, value["statement"], value["pointer"], text
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _json_references(item, f"{where}/{key}")


class _Page(HTMLParser):
    """Collects what has ``data-statement`` and ``data-pointer``; ``<data>`` has a value too."""

    found: list[Reference]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(reversed(attrs))  # like a browser, of two the first
        digest, pointer = names.get("data-statement"), names.get("data-pointer")
        if digest is not None or pointer is not None:
            text = names.get("value") or "" if tag == "data" else None
            self.found.append((f"{PAGE} line {self.getpos()[0]}", digest, pointer, text))


def _check_numbers(name: str, data: bytes, part: LedgerPart) -> Iterator[Fault | str]:
    statements = {entry.digest: entry.statement for entry in part.entries}
    page = _Page()
    page.found = [] if name == PAGE else list(_json_references(parse(data, name), f"{name} "))
    page.feed(data.decode() if name == PAGE else "")
    page.close()
    for where, digest, pointer, text in page.found:
        try:
            value = resolve(statements[digest], pointer)
        except (KeyError, TypeError, AttributeError):
            yield Fault(f"{pointer!r:.90} of {digest!r:.70} is not in the ledger", where)
            continue
        true = canonical(value).decode()  # a page shows text bare and nothing for null
        bare = true if not isinstance(value, str | None) else value or ""
        if text not in [true, None, *([bare] if name == PAGE else [])]:
            yield Fault(f"shows {text:.60} where {pointer:.90} says {true:.60}", where)
    yield f"{len(page.found)} numbers lead to their statements"


# --- the archive: stored, sorted and dated 1980, so that its files determine every byte
def deterministic_zip(files: Mapping[str, bytes]) -> bytes:
    """Return the one zip archive that these files give."""
    body, directory = bytearray(), bytearray()
    for name, data in sorted(files.items(), key=lambda item: item[0].encode()):
        raw, size, check = name.encode(), len(data), zlib.crc32(data)
        shared = struct.pack("<5H3L2H", 20, 0x800, 0, 0, 33, check, size, size, len(raw), 0)
        place = struct.pack("<3H2L", 0, 0, 0, 0o100644 << 16, len(body))
        directory += b"PK\x01\x02\x14\x03" + shared + place + raw
        body += b"PK\x03\x04" + shared + raw + data
    end = struct.pack("<4H2LH", 0, 0, len(files), len(files), len(directory), len(body), 0)
    return bytes(body + directory + b"PK\x05\x06" + end)


def read_zip(path: Path) -> dict[str, bytes]:
    """Return the files of an archive; a Fault unless it is the one that they give."""
    if not path.is_file() or path.stat().st_size > 2 * MAX_TOTAL_BYTES:
        raise Fault(f"not a file of at most {2 * MAX_TOTAL_BYTES} bytes", path.name)
    data, at = path.read_bytes(), 0
    files: dict[str, bytes] = {}
    while data[at : at + 4] == b"PK\x03\x04" and at + 30 <= len(data):
        size, length = struct.unpack_from("<LH", data, at + 22)
        start = at + 30 + length
        name = _safe(data[at + 30 : start].decode(errors="replace"))
        files[name] = data[start : start + size]
        at = start + size
    if not files or deterministic_zip(files) != data:
        raise Fault("not the archive that Titian wrote; unpack it and verify that", path.name)
    return files


def read_folder(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder by its relative name; refuse links and giants."""
    files, room = dict[str, bytes](), MAX_TOTAL_BYTES
    for path in sorted(folder.rglob("*")):
        name = _safe(path.relative_to(folder).as_posix())
        if path.is_dir() and not path.is_symlink() and any(path.iterdir()):
            continue
        if path.is_symlink() or not path.is_file():
            raise Fault("a link, a special file or an empty folder", name)
        if (room := room - path.stat().st_size) < 0:
            raise Fault(f"with it there are more than {MAX_TOTAL_BYTES} bytes", name)
        files[name] = path.read_bytes()
    return files


def _safe(name: str) -> str:
    unsafe = any(not c.isprintable() or c in "\\\ufffd" for c in name)
    if unsafe or {"", ".", ".."} & set(name.split("/")):
        raise Fault("not a plain relative file name", ascii(name)[:100])
    return name


# --- the whole dossier
@dataclass(frozen=True, slots=True)
class Check:
    """One check and its outcome; a check that failed stands once for each fault."""

    name: str
    ok: bool
    what: str
    where: str


@dataclass(frozen=True, slots=True)
class Report:
    """What verifying a dossier came to; `signers` are key ids."""

    project: str
    checks: tuple[Check, ...]
    signers: tuple[str, ...]
    signer_checked: bool

    @property
    def ok(self) -> bool:
        """Whether every check passed."""
        return all(check.ok for check in self.checks)

    def lines(self) -> list[str]:
        """Return the report as lines of printable text."""
        marks = {True: "ok", False: "FAILED"}
        lines = [f"{marks[c.ok]:7}{c.name:9}{c.where}: {c.what}" for c in self.checks]
        if not self.signer_checked:
            lines.append("the signer was not checked; name keys you trust with --key FILE")
        lines.append("verified" if self.ok else "NOT verified")
        return ["".join(c if c.isprintable() else ascii(c)[1:-1] for c in x) for x in lines]


@contextmanager
def _check(checks: list[Check], name: str, where: str) -> Iterator[list[str | Fault]]:
    """Record a check from what its body lists: faults, or else what passed."""
    found: list[str | Fault] = []
    try:
        yield found
    except Fault as fault:
        found.append(fault)
    except Exception as error:  # noqa: BLE001 - a verifier answers whatever it is given
        what = f"cannot be checked ({type(error).__name__}: {error!s:.150})"
        found.append(Fault(what, where))
    faults = [item for item in found if isinstance(item, Fault)]
    checks += [Check(name, False, fault.what, fault.where or where) for fault in faults]
    if not faults:
        checks.append(Check(name, True, ", ".join(map(str, found)), where))


def verify(path: Path, keys: Sequence[bytes] = ()) -> Report:
    """Check a dossier, a folder or its zip.

    With `keys` (raw public keys) every signer must be one of them; else none is checked.
    """
    checks, files, signers = list[Check](), dict[str, bytes](), set[str]()
    part = LedgerPart({"project": ""}, "", {}, (), ())
    with _check(checks, "files", path.name) as found:
        files = read_folder(path) if path.is_dir() else read_zip(path)
        found.append(f"{len(files)} files, {sum(map(len, files.values()))} bytes")
    if not checks[0].ok:
        return Report("", tuple(checks), (), bool(keys))
    with _check(checks, "manifest", MANIFEST) as found:
        found.extend(_check_manifest(files, signers))
    with _check(checks, "ledger", LEDGER) as found:
        part = read_ledger(files.get(LEDGER, b""))
        signers |= {part.head_signer, *(entry.signer for entry in part.entries)}
        size = part.head["size"]
        found += [*part.faults, f"{len(part.entries)} statements, proven in a log of {size}"]
    for name in (NUMBERS, PAGE):
        with _check(checks, "numbers", name) as found:
            found += _check_numbers(name, files.get(name, b""), part)
    if keys:
        with _check(checks, "signers", path.name) as found:
            unknown = sorted(signers - {key_id(key) for key in keys})
            found += [Fault("signed, and is none of the given keys", name) for name in unknown]
            found.append(f"all {len(signers)} are among the given keys")
    return Report(part.head["project"], tuple(checks), tuple(sorted(signers)), bool(keys))


def _check_manifest(files: Mapping[str, bytes], signers: set[str]) -> Iterator[Fault | str]:
    envelope = parse(files.get(MANIFEST, b""), MANIFEST, exact=True)
    payload = decode(envelope.get("payload") if type(envelope) is dict else "", MANIFEST)
    kinds = {"files": list, "public_key": str, "time": str}
    rows, named, _ = members(parse(payload, MANIFEST, exact=True), MANIFEST, **kinds)
    public = decode(named, MANIFEST)  # believed only as far as --key confirms its id
    _, signer = open_envelope(envelope, MANIFEST_TYPE, {key_id(public): public}, MANIFEST)
    signers.add(signer)
    fields = [members(row, MANIFEST, name=str, size_bytes=int, sha256=str) for row in rows]
    listed = {name: rest for name, *rest in fields}
    if [name for name, _, _ in fields] != sorted(listed):
        yield Fault("a file is listed twice or out of order", MANIFEST)
    for name in sorted({*files, *listed, NUMBERS, PAGE, LEDGER, "verify.py"} - {MANIFEST}):
        data = files.get(name, b"")
        if name not in files or name not in listed:
            yield Fault("missing" if name not in files else "not in the manifest", name)
        elif [len(data), hashlib.sha256(data).hexdigest()] != listed[name]:
            yield Fault("changed: size or SHA-256 is not that in the manifest", name)
    yield f"{len(listed)} files, signed by {signer}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(prog="verify.py", description="Check a Titian dossier.")
    parser.add_argument("dossier", type=Path, help="folder or zip")
    parser.add_argument("--key", type=Path, action="append", default=[], help="PEM, to trust")
    call = parser.parse_args(arguments)
    try:
        call.dossier.stat()
        keys = [read_public_key(path) for path in call.key]
    except (OSError, ValueError) as error:
        sys.stderr.write(f"verify.py: {error}\n")
        return 2
    report = verify(call.dossier, keys)
    text = "\n".join([*report.lines(), ""])
    sys.stdout.write(text.encode("ascii", "backslashreplace").decode())
    return 0 if report.ok else 1


if __name__ == "__main__":
    raise SystemExit(main())
