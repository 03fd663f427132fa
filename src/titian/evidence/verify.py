"""Check a Titian dossier: ``python verify.py DOSSIER [--key FILE]...`` (folder or zip).

Needs Python 3.11 and `cryptography`, nothing else; Titian itself is not imported. Exit 0:
every check passed; 1: a check failed; 2: wrong call. With ``--key`` every signer must be one
of the given keys; without it the signers are *not* checked and the answer says so.

The one implementation of RFC 8785 (canonical JSON), DSSE v1 (signed envelopes), RFC 6962 and
RFC 9162 (Merkle proofs), the manifest and the archive. `titian.evidence` uses it too.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import math
import re
import stat
import struct
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, TypeVar

try:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ed25519
    from cryptography.hazmat.primitives.serialization import (
        load_pem_private_key,
        load_pem_public_key,
    )
except ImportError:
    sys.stderr.write("verify.py needs the package cryptography: pip install cryptography\n")
    raise SystemExit(2) from None

STATEMENT_TYPE = "application/vnd.in-toto+json"
HEAD_TYPE = "application/vnd.titian.tree-head+json"
MANIFEST_TYPE = "application/vnd.titian.manifest+json"
IN_TOTO = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:titian:stage-run:1"
REQUIRED = ("dossier.json", "index.html", "ledger.json", "verify.py")
MAX_INTEGER = 2**53  # every integer up to here is a double, so all JSON readers agree on it
MAX_TOTAL_BYTES = 512 << 20  # a dossier is read into memory
MAX_JSON_BYTES = 64 << 20  # parsed JSON takes about ten times its text
MAX_KEY_BYTES = 1 << 16
T = TypeVar("T")


class Fault(ValueError):
    """Something that does not check: what, and where."""

    def __init__(self, what: str, where: str = "") -> None:
        super().__init__(f"{where}: {what}" if where else what)
        self.what, self.where = what, where


# Canonical JSON (RFC 8785)


def canonical(value: object) -> bytes:
    """Return the one byte string that RFC 8785 gives for a JSON value.

    Raises:
        Fault: NaN, an infinity, an integer beyond 2**53, half a surrogate pair, a key that
            is no string, or a type that JSON lacks.
    """
    parts: list[str] = []
    try:
        _write(value, parts)
        return "".join(parts).encode()
    except UnicodeEncodeError:
        raise Fault("text with half a surrogate pair has no canonical form") from None
    except RecursionError:
        raise Fault("JSON is nested too deeply") from None


def _write(value: object, parts: list[str]) -> None:
    if value is None or value is True or value is False:
        parts.append({None: "null", True: "true", False: "false"}[value])
    elif isinstance(value, str):
        parts.append(json.dumps(str(value), ensure_ascii=False))
    elif isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise Fault(f"integer {value} is beyond 2**53")
        parts.append(format(int(value), "d"))
    elif isinstance(value, float):
        parts.append(number(value))
    elif isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise Fault("an object's keys must be text")
        opening = "{"
        for key in sorted(value, key=lambda key: key.encode("utf-16-be")):
            parts.append(f"{opening}{json.dumps(str(key), ensure_ascii=False)}:")
            _write(value[key], parts)
            opening = ","
        parts.append("}" if value else "{}")
    elif isinstance(value, list | tuple):
        opening = "["
        for item in value:
            parts.append(opening)
            _write(item, parts)
            opening = ","
        parts.append("]" if value else "[]")
    else:
        raise Fault(f"{type(value).__name__} is not a JSON type")


def number(value: float) -> str:
    """Write a double as ECMAScript's Number::toString does (ECMA-262, 6.1.6.1.20)."""
    if not math.isfinite(value):
        raise Fault(f"{value} is not a JSON number")
    if value == 0:
        return "0"
    mantissa, _, power = repr(abs(value)).partition("e")  # shortest digits, as in ECMAScript
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(power or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if len(digits) <= point <= 21:
        text = digits.ljust(point, "0")
    elif 0 < point <= 21:
        text = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        text = f"0.{'0' * -point}{digits}"
    else:
        tail = f".{digits[1:]}" if len(digits) > 1 else ""
        text = f"{digits[0]}{tail}e{point - 1:+d}"
    return f"-{text}" if value < 0 else text


def parse(data: bytes, where: str = "") -> Any:  # noqa: ANN401 - any JSON value
    """Read JSON strictly: UTF-8, no duplicate key, no NaN, no infinity, bounded size."""
    if len(data) > MAX_JSON_BYTES:
        raise Fault(f"{len(data)} bytes of JSON; at most {MAX_JSON_BYTES} are read", where)
    try:
        return json.loads(
            data.decode(),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_finite,
            parse_constant=_finite,
        )
    except RecursionError:
        raise Fault("JSON is nested too deeply", where) from None
    except ValueError as error:  # Fault, JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise Fault(f"not strict JSON ({error})", where) from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Fault("an object has the same key twice")
    return members


def _integer(text: str) -> int | float:
    return int(text) if len(text) < 16 or abs(float(text)) <= MAX_INTEGER else _finite(text)


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise Fault(f"{text[:30]} is not a JSON number")
    return value


def parse_canonical(data: bytes, where: str = "") -> Any:  # noqa: ANN401 - any JSON value
    """Read JSON that must equal its canonical encoding byte for byte."""
    value = parse(data, where)
    if canonical(value) != data:
        raise Fault("not canonical JSON (RFC 8785)", where)
    return value


def members(value: object, where: str, **kinds: type) -> list[Any]:
    """Return the members of an object that has exactly these, of these types."""
    if type(value) is not dict or set(value) != set(kinds):
        raise Fault(f"expected an object of {', '.join(sorted(kinds))}", where)
    for name, kind in kinds.items():
        if type(value[name]) is not kind:
            raise Fault(f"'{name}' is not of type {kind.__name__}", where)
    return [value[name] for name in kinds]


# Merkle trees (RFC 6962; the checks follow RFC 9162, 2.1.3.2 and 2.1.4.2)


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf's bytes."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def proves_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """Tell whether `proof` shows that the leaf hash stands at `index` of `size` leaves."""
    if not 0 <= index < size:
        return False
    position, last, value = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            value = node_hash(sibling, value)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            value = node_hash(value, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and value == root


def proves_consistency(
    old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> bool:
    """Tell whether `proof` shows that the tree of `old` leaves begins the one of `new`."""
    if not 0 < old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        return False
    position, last = old - 1, new - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    older = newer = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            older, newer = node_hash(sibling, older), node_hash(sibling, newer)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            newer = node_hash(newer, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and older == old_root and newer == new_root


# Signatures (Ed25519 in DSSE v1)


def key_id(public_key: bytes) -> str:
    """Return the SHA-256 of a raw Ed25519 public key in hex."""
    return hashlib.sha256(public_key).hexdigest()


def read_public_key(path: Path) -> bytes:
    """Return the raw public key of a PEM file; of a private key, its public part."""
    try:
        if (size := path.stat().st_size) > MAX_KEY_BYTES:
            raise Fault(f"{size} bytes is no key file", str(path))
        text = path.read_bytes()
        if b"PRIVATE KEY" in text:
            loaded = load_pem_private_key(text, password=None)
            public = getattr(loaded, "public_key", lambda: None)()
        else:
            public = load_pem_public_key(text)
    except OSError as error:
        raise Fault(f"cannot be read ({error.strerror})", str(path)) from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Fault("not an unencrypted PEM key", str(path)) from None
    if not isinstance(public, ed25519.Ed25519PublicKey):
        raise Fault("not an Ed25519 key", str(path))
    return public.public_bytes_raw()


def pre_authentication(payload_type: str, payload: bytes) -> bytes:
    """Return the bytes that a DSSE v1 signature covers."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def open_envelope(
    envelope: object, payload_type: str, keys: Mapping[str, bytes], where: str
) -> tuple[bytes, str]:
    """Return an envelope's payload and signer's key id, once the signature checks.

    Args:
        envelope: parsed DSSE envelope with exactly one signature.
        payload_type: the only type that is let through.
        keys: raw public keys by key id.
        where: place named in faults.
    """
    payload, kind, signatures = members(
        envelope, where, payload=str, payloadType=str, signatures=list
    )
    if kind != payload_type:
        raise Fault(f"payload type {kind!r} where {payload_type!r} is due", where)
    if len(signatures) != 1:
        raise Fault(f"{len(signatures)} signatures where one is due", where)
    signer, signature = members(signatures[0], where, keyid=str, sig=str)
    if signer not in keys:
        raise Fault(f"no public key is given for signer {signer[:64]}", where)
    content = _base64(payload, where)
    try:
        public = ed25519.Ed25519PublicKey.from_public_bytes(keys[signer])
        public.verify(_base64(signature, where), pre_authentication(kind, content))
    except InvalidSignature:
        raise Fault(f"the signature by {signer} does not fit the content", where) from None
    return content, signer


def _base64(text: str, where: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        data = b""
    if base64.b64encode(data) != text.encode(errors="replace"):
        raise Fault("not canonical base64", where)
    return data


def _from_hex(text: object, where: str) -> bytes:
    if not (isinstance(text, str) and re.fullmatch("[0-9a-f]{64}", text)):
        raise Fault("expected 64 lower-case hex digits", where)
    return bytes.fromhex(text)


# The ledger part: statements with proofs, a signed tree head, the signers' public keys


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One signed statement and its place in the log."""

    index: int
    digest: str
    statement: dict[str, Any]
    signer: str
    envelope: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPart:
    """What `read_ledger` found; `faults` are of single entries."""

    head: dict[str, Any]
    head_signer: str
    keys: dict[str, bytes]
    entries: tuple[LedgerEntry, ...]
    faults: tuple[Fault, ...]


def read_ledger(data: bytes, where: str = "ledger.json") -> LedgerPart:
    """Read `ledger.json` or an export; check signatures, proofs and the one project.

    Raises:
        Fault: form, keys or signed tree head do not check, so that nothing can be read.
    """
    document = parse_canonical(data, where)
    raw_entries, raw_head, raw_keys = members(
        document, where, entries=list, head=dict, keys=dict
    )
    keys = {name: _from_hex(text, f"{where} keys") for name, text in raw_keys.items()}
    for name, public in keys.items():
        if key_id(public) != name:
            raise Fault(
                f"the key id {name[:64]} is not that of its public key", f"{where} keys"
            )
    place = f"{where} head"
    payload, head_signer = open_envelope(raw_head, HEAD_TYPE, keys, place)
    head = parse_canonical(payload, place)
    size, root, project, _ = members(head, place, size=int, root=str, project=str, time=str)
    entries: list[LedgerEntry] = []
    faults: list[Fault] = []
    previous = -1
    for number_, raw in enumerate(raw_entries):
        try:
            entry = _read_entry(
                raw, (size, _from_hex(root, place)), keys, f"{where} entry {number_}"
            )
            if entry.index <= previous:
                raise Fault("entries are out of order", f"{where} entry {number_}")
            previous = entry.index
            if (named := entry.statement["predicate"]["project"]) != project:
                raise Fault(
                    f"of project {named!r}; the signed head is of {project!r}",
                    f"{where} entry {number_}",
                )
            entries.append(entry)
        except Fault as fault:
            faults.append(fault)
    idle = set(keys) - {head_signer} - {entry.signer for entry in entries}
    if idle and not faults:
        raise Fault(f"key {min(idle)} signed nothing here", f"{where} keys")
    return LedgerPart(
        head=head,
        head_signer=head_signer,
        keys=keys,
        entries=tuple(entries),
        faults=tuple(faults),
    )


def _read_entry(
    raw: object, tree: tuple[int, bytes], keys: Mapping[str, bytes], where: str
) -> LedgerEntry:
    index, envelope, proof = members(raw, where, index=int, envelope=dict, proof=list)
    payload, signer = open_envelope(envelope, STATEMENT_TYPE, keys, where)
    statement = parse_canonical(payload, where)
    predicate = statement.get("predicate") if type(statement) is dict else None
    if (
        type(predicate) is not dict
        or statement.get("_type") != IN_TOTO
        or statement.get("predicateType") != PREDICATE_TYPE
        or type(predicate.get("project")) is not str
    ):
        raise Fault("not the statement of a stage's run", where)
    if predicate.get("actor") != signer:
        raise Fault(f"signed by {signer}, which is not its actor", where)
    data = canonical(envelope)
    hashes = [_from_hex(text, f"{where} proof") for text in proof]
    if not proves_inclusion(leaf_hash(data), index, tree[0], hashes, tree[1]):
        raise Fault(f"not proven to stand at {index} of the signed tree", where)
    digest = hashlib.sha256(payload).hexdigest()
    return LedgerEntry(
        index=index, digest=digest, statement=statement, signer=signer, envelope=data
    )


# Numbers: each is a reference {statement digest, JSON pointer}


def resolve(statement: object, pointer: str) -> object:
    """Return what a JSON pointer (RFC 6901) points to; KeyError if there is nothing."""
    value = statement
    if not pointer.startswith("/"):
        raise KeyError(pointer)
    for raw in pointer[1:].split("/"):
        token = raw.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value[token]
        elif isinstance(value, list) and re.fullmatch("0|[1-9][0-9]{0,9}", token):
            if int(token) >= len(value):
                raise KeyError(pointer)
            value = value[int(token)]
        else:
            raise KeyError(pointer)
    return value


def _json_references(value: object, path: str) -> Iterator[tuple[str, dict[str, object]]]:
    if isinstance(value, dict):
        if {"statement", "pointer"} <= value.keys():
            yield path, value
        for key, item in value.items():
            yield from _json_references(item, f"{path}/{key}")
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _json_references(item, f"{path}/{place}")


class _HtmlReferences(HTMLParser):
    """Collects ``<data value data-statement data-pointer>``."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, object]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name.removeprefix("data-"): value for name, value in attrs}
        if tag == "data" and {"statement", "pointer"} & names.keys():
            where = f"index.html line {self.getpos()[0]}"
            if len(names) != len(attrs):
                raise Fault("a reference has the same attribute twice", where)
            self.found.append((where, {"value": "", **names}))


def check_reference(
    reference: Mapping[str, object], statements: Mapping[str, object], where: str
) -> None:
    """Raise a Fault unless a reference leads to exactly the value it shows."""
    digest, pointer = reference.get("statement"), reference.get("pointer")
    if digest is None and reference.get("value") is None:
        return  # printed as "not shown"
    if not isinstance(digest, str) or digest not in statements:
        raise Fault(
            f"refers to statement {str(digest)[:64]}, which is not in the ledger", where
        )
    try:
        value = resolve(statements[digest], str(pointer))
    except KeyError:
        raise Fault(f"{pointer} points to nothing in statement {digest}", where) from None
    if "value" not in reference:
        return
    shown = reference["value"]
    in_html = where.startswith("index.html") and isinstance(shown, str)
    fits = {canonical(value), value.encode() if isinstance(value, str) else b"null"}
    if canonical(shown) != canonical(value) and not (in_html and str(shown).encode() in fits):
        raise Fault(f"shows {shown!r} where {pointer} of {digest} says {value!r}"[:400], where)


# The archive: stored, sorted, dated 1980-01-01, so that its files determine every byte


def deterministic_zip(files: Mapping[str, bytes]) -> bytes:
    """Return the one zip archive that these files give."""
    if len(files) > 0xFFFF or sum(map(len, files.values())) > MAX_TOTAL_BYTES:
        raise Fault(f"too many files or more than {MAX_TOTAL_BYTES} bytes for one archive")
    body, directory = bytearray(), bytearray()
    for name, data in sorted(files.items(), key=lambda item: item[0].encode()):
        raw = name.encode()
        shared = struct.pack(
            "<5H3L2H",
            20,
            0x800,
            0,
            0,
            0x21,
            zlib.crc32(data),
            len(data),
            len(data),
            len(raw),
            0,
        )
        directory += b"PK\x01\x02" + struct.pack("<H", 0x314) + shared
        directory += struct.pack("<3H2L", 0, 0, 0, 0o100644 << 16, len(body)) + raw
        body += b"PK\x03\x04" + shared + raw + data
    end = (0, 0, len(files), len(files), len(directory), len(body), 0)
    return bytes(body + directory + b"PK\x05\x06" + struct.pack("<4H2LH", *end))


def read_zip(path: Path) -> dict[str, bytes]:
    """Return the files of an archive that `deterministic_zip` wrote, else raise a Fault."""
    data = _read_file(path, path.name, MAX_TOTAL_BYTES)
    files: dict[str, bytes] = {}
    at = 0
    while data[at : at + 4] == b"PK\x03\x04" and at + 30 <= len(data):
        size, length = struct.unpack_from("<LH", data, at + 22)
        start = at + 30 + length
        name = data[at + 30 : start].decode(errors="replace")
        files[_safe(name)] = data[start : start + size]
        at = start + size
    if not files or deterministic_zip(files) != data:
        raise Fault(
            "changed, truncated, or not an archive that Titian wrote (an archive that was"
            " packed again can be unpacked, and its folder verified)",
            f"{path.name} byte {_first_difference(deterministic_zip(files), data)}",
        )
    return files


def _first_difference(left: bytes, right: bytes) -> int:
    pairs = enumerate(zip(left, right, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(left), len(right)))


def _safe(name: str) -> str:
    if re.search(r"[\x00-\x1f\\\ufffd]", name) or {"", ".", ".."} & set(name.split("/")):
        raise Fault("not a plain relative file name", ascii(name)[:100])
    return name


def _read_file(path: Path, where: str, room: int) -> bytes:
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise Fault("a link or special file; a dossier holds plain files only", where)
    if status.st_size > room:
        raise Fault(f"{status.st_size} bytes; a dossier has at most {MAX_TOTAL_BYTES}", where)
    with path.open("rb") as file:
        return file.read(room + 1)[: room + 1]


def read_folder(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder by its relative name; refuse links and giants."""
    files: dict[str, bytes] = {}
    room = MAX_TOTAL_BYTES
    waiting = [folder]
    while waiting:
        found = sorted((parent := waiting.pop()).iterdir())
        if not found:
            raise Fault("an empty folder", parent.relative_to(folder).as_posix())
        for path in found:
            name = _safe(path.relative_to(folder).as_posix().encode(errors="replace").decode())
            if path.is_dir() and not path.is_symlink():
                waiting.append(path)
                continue
            files[name] = _read_file(path, name, room)
            room -= len(files[name])
    return files


# The whole dossier


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check and its outcome; `where` is empty when it passed."""

    name: str
    ok: bool
    what: str
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What verifying a dossier came to; `signers` are key ids."""

    dossier: str
    project: str
    checks: tuple[Check, ...]
    signers: tuple[str, ...]
    signer_checked: bool

    @property
    def ok(self) -> bool:
        """Whether every check passed."""
        return all(check.ok for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON."""
        return {"ok": self.ok, **asdict(self)}

    def lines(self) -> list[str]:
        """Return the report as text for a terminal."""
        lines = [
            f"{'ok    ' if check.ok else 'FAILED'}  {check.name:<9} "
            + (f"{check.where}: {check.what}" if check.where else check.what)
            for check in self.checks
        ]
        if not self.signer_checked:
            lines.append("the signer was not checked (name the keys you trust with --key FILE)")
        failed = sum(not check.ok for check in self.checks)
        lines.append(f"NOT verified: {failed} faults" if failed else "verified")
        return lines


class _Log:
    def __init__(self) -> None:
        self.checks: list[Check] = []

    def fault(self, name: str, fault: Fault) -> None:
        self.checks.append(Check(name=name, ok=False, what=fault.what, where=fault.where))

    @contextmanager
    def check(self, name: str, where: str) -> Iterator[list[str]]:
        """Record a check: what its body appends when it passes, its fault when it fails."""
        passed: list[str] = []
        before = len(self.checks)
        try:
            yield passed
        except Fault as fault:
            self.fault(name, fault)
        except Exception as error:  # noqa: BLE001 - a verifier answers whatever it is given
            self.fault(name, Fault(f"could not be checked ({error!r})"[:300], where))
        if passed and len(self.checks) == before:
            self.checks.append(Check(name=name, ok=True, what=passed[0]))


def verify(path: Path, keys: Sequence[bytes] = ()) -> Report:
    """Check a dossier, a folder or its zip.

    Args:
        path: the folder or archive.
        keys: raw public keys that are trusted; every signer must be one of them. Without
            any, integrity is checked and the signer is not.
    """
    log = _Log()
    files: dict[str, bytes] = {}
    signers: set[str] = set()
    part: LedgerPart | None = None
    with log.check("files", path.name) as passed:
        files = read_folder(path) if path.is_dir() else read_zip(path)
        passed.append(f"{len(files)} files, {sum(map(len, files.values()))} bytes")
    if files:
        with log.check("manifest", "manifest.json") as passed:
            signer, listed = _read_manifest(files)
            signers.add(signer)
            for fault in _compare(files, listed):
                log.fault("manifest", fault)
            passed.append(f"{len(listed)} files with size and SHA-256, signed by {signer}")
        with log.check("ledger", "ledger.json") as passed:
            part = read_ledger(_named(files, "ledger.json"))
            signers |= {part.head_signer} | {entry.signer for entry in part.entries}
            for fault in part.faults:
                log.fault("ledger", fault)
            passed.append(
                f"{len(part.entries)} signed statements of project {part.head['project']!r}"
                f" proven in a tree of {part.head['size']}"
            )
        with log.check("numbers", "dossier.json") as passed:
            if part is None:
                raise Fault("not checked, since the ledger cannot be read", "dossier.json")
            counts = [_check_numbers(log, name, files, part) for name in REQUIRED[:2]]
            passed.append(f"{counts[0]} in dossier.json and {counts[1]} in index.html resolve")
    if keys and signers:
        with log.check("signers", path.name) as passed:
            for unknown in sorted(signers - {key_id(key) for key in keys}):
                log.fault("signers", Fault("signed here with none of the given keys", unknown))
            passed.append(f"all {len(signers)} are among the given keys")
    return Report(
        dossier=str(path),
        project=part.head["project"] if part else "",
        checks=tuple(log.checks),
        signers=tuple(sorted(signers)),
        signer_checked=bool(keys),
    )


def _named(files: Mapping[str, bytes], name: str) -> bytes:
    if name not in files:
        raise Fault("missing", name)
    return files[name]


def _read_manifest(files: Mapping[str, bytes]) -> tuple[str, dict[str, dict[str, Any]]]:
    where = "manifest.json"
    envelope = parse_canonical(_named(files, where), where)
    try:
        untrusted = parse(base64.b64decode(envelope["payload"]), where)["public_key"]
    except (ValueError, KeyError, TypeError):
        raise Fault("not a signed manifest", where) from None
    public = _from_hex(untrusted, where)
    payload, signer = open_envelope(envelope, MANIFEST_TYPE, {key_id(public): public}, where)
    rows, _, _ = members(
        parse_canonical(payload, where), where, files=list, public_key=str, time=str
    )
    listed: dict[str, dict[str, Any]] = {}
    for row in rows:
        name, *_ = members(row, where, name=str, sha256=str, size_bytes=int)
        if name == where or (listed and name <= max(listed)):
            raise Fault(f"{name!r} is listed twice, out of order, or is itself", where)
        listed[name] = row
    return signer, listed


def _compare(files: Mapping[str, bytes], listed: Mapping[str, Any]) -> Iterator[Fault]:
    for name in sorted({*files, *listed, *REQUIRED} - {"manifest.json"}):
        if name not in files:
            yield Fault("missing", name)
        elif name not in listed:
            yield Fault("extra: the manifest does not list it", name)
        elif len(files[name]) != listed[name]["size_bytes"]:
            size = listed[name]["size_bytes"]
            yield Fault(f"changed: {len(files[name])} bytes, the manifest says {size}", name)
        elif hashlib.sha256(files[name]).hexdigest() != listed[name]["sha256"]:
            yield Fault("changed: its SHA-256 is not the one in the manifest", name)


def _check_numbers(log: _Log, name: str, files: Mapping[str, bytes], part: LedgerPart) -> int:
    statements = {entry.digest: entry.statement for entry in part.entries}
    data = _named(files, name)
    if name.endswith(".json"):
        document = parse(data, name)
        project = document.get("project") if isinstance(document, dict) else None
        if isinstance(project, str) and project != part.head["project"]:
            raise Fault(f"of project {project!r}; the ledger is of another", name)
        references = [*_json_references(document, f"{name} ")]
    else:
        parser = _HtmlReferences()
        parser.feed(data.decode())
        parser.close()
        references = parser.found
    for where, reference in references:
        try:
            check_reference(reference, statements, where)
        except Fault as fault:
            log.fault("numbers", fault)
    return len(references)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(prog="verify.py", description="Check a Titian dossier.")
    parser.add_argument("dossier", type=Path, help="folder or zip")
    parser.add_argument(
        "--key", type=Path, action="append", default=[], help="PEM key to trust"
    )
    call = parser.parse_args(arguments)
    try:
        if not call.dossier.exists():
            raise Fault("no such file or folder", str(call.dossier))
        keys = [read_public_key(path) for path in call.key]
    except Fault as fault:
        sys.stderr.write(f"{fault}\n")
        return 2
    report = verify(call.dossier, keys)
    sys.stdout.write("\n".join([str(call.dossier), *report.lines()]) + "\n")
    return 0 if report.ok else 1


if __name__ == "__main__":
    raise SystemExit(main())
