"""Text: inert where nothing executes it; JSON is searched for remote code and templates."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from titian.validation.scan.examination import Examination, Part
from titian.validation.scan.reason import Refused
from titian.validation.scan.source import Source

INERT: Final = {
    "", ".txt", ".md", ".rst", ".csv", ".tsv", ".log", ".license", ".yaml", ".yml", ".toml",
    ".ini", ".cfg", ".vocab", ".merges", ".model", ".gitattributes", ".gitignore", ".bib",
    ".names", ".labels", ".sha256", ".sig", ".asc", ".pem", ".jsonl", ".cff", ".html", ".svg",
    ".xml", ".tex",
}  # fmt: skip
JSON: Final = {".json", ".jsonl", ".index", ".sig", ".sigstore", ".geojson", ""}
_BARE: Final = {
    "readme",
    "license",
    "licence",
    "notice",
    "authors",
    "changelog",
    "copying",
    "citation",
    "version",
    "requires",
    "merges",
    "vocab",
}
_ACTIVE: Final = re.compile(
    rb"<script|javascript:|\son\w+\s*=|<!ENTITY|!!python", re.IGNORECASE
)
_REMOTE: Final = {
    "auto_map", "custom_pipelines", "custom_pipeline", "__loader__", "__reduce__", "__module__",
    "py/object", "py/reduce", "py/function", "py/type", "__jsonclass__",
}  # fmt: skip
_WORDS: Final = re.compile(rb"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_PROGRAM: Final = re.compile(
    r"__import__|\bos\.(?:system|popen|exec)|\bsubprocess\.|\beval\(|\bexec\(|<script"
)
_TEMPLATE: Final = re.compile(
    r"__|\|\s*attr\b|\bmro\b|\bgetattr\b|\bglobals\b|\bpopen\b|\bsubprocess\b|\bbuiltins\b"
    r"|\bos\.|\bsys\.|\beval\b|\bexec\b|\{%-?\s*(?:include|import|from|extends)\b"
    r"|\blipsum\b|\bcycler\b|\bjoiner\b|\bself\.|\brequest\b|\bconfig\.|\bformat_map\b"
    r"|\\x5f|\\u005f",
    re.IGNORECASE,
)
_TOKEN: Final = re.compile(
    rb'[ \t\r\n]*+(?:("(?:[^"\\\x00-\x1f]|\\["\\/bfnrtu])*+")|([{}\[\],:])'
    rb"|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null|NaN|-?Infinity))"
)
_WINDOW: Final = 1 << 20
_DEEPEST: Final = 256


def program_breach(text: str) -> str | None:
    """Return what in a text of metadata reads as a program, or None."""
    found = _PROGRAM.search(text)
    return found[0] if found else None


def template_breach(text: str) -> str | None:
    """Return what in a Jinja template reaches beyond filling in words, or None."""
    found = _TEMPLATE.search(text)
    return found[0] if found else None


def looks_like(source: Source) -> bool:
    """Return whether the beginning is UTF-8 text without control characters."""
    head = source.read(0, 4096)
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head, source.size <= 4096)
    except UnicodeDecodeError:
        return False
    return not any((ord(c) < 32 and c not in "\t\r\n\f") or ord(c) == 127 for c in text)


def examine(part: Part, exam: Examination) -> None:
    """Read the text to its end, and say what kind it is."""
    source, prefix = part.source, part.prefix
    suffix = PurePosixPath(part.name).suffix.lower()
    head = source.read(0, 4096).lstrip(b"\xef\xbb\xbf \t\r\n")
    if head[:2] == b"#!":
        raise Refused("T-S095", f"{prefix}byte 0: a program for {head[2:60].split(b' ')[0]!r}")
    if head[:1] in (b"{", b"[") and suffix in JSON | {".safetensors"}:
        exam.name_format("json", part)
        json_keys(part, exam)
        return
    if suffix in {".jinja", ".jinja2", ".j2"}:
        exam.name_format("template", part)
        if source.size > exam.policy.json_bytes:
            raise Refused("T-S004", f"{prefix}a template of {source.size} bytes")
        breach = template_breach(source.read(0, source.size).decode("utf-8", "replace"))
        if breach:
            raise Refused("T-S091", f"{prefix}the template says {breach!r:.60}")
        return
    stem = PurePosixPath(part.name).name.lower().split(".")[0]
    if suffix not in INERT and stem not in _BARE:
        exam.name_format("text", part)
        raise Refused("T-S095", f"{prefix}text named {suffix!r:.20}: something may execute it")
    exam.name_format("text", part)
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset, tail = 0, b""
    for chunk in source.chunks():
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError as error:
            raise Refused("T-S001", f"{prefix}byte {offset + error.start}: no UTF-8") from None
        if b"\0" in chunk:
            raise Refused("T-S001", f"{prefix}byte {offset + chunk.index(0)}: no text")
        if suffix in {".yaml", ".yml"}:
            for words in _WORDS.findall(tail + chunk):
                breach = template_breach(words.decode("utf-8", "replace"))
                if breach:
                    raise Refused(
                        "T-S091", f"{prefix}byte {offset}: a template says {breach!r}"
                    )
        active = _ACTIVE.search(tail + chunk)
        if active and suffix in {".html", ".svg", ".xml", ".yaml", ".yml"}:
            raise Refused("T-S095", f"{prefix}byte {offset}: {active[0]!r:.40} may execute")
        tail = chunk[-1024:]
        offset += len(chunk)
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise Refused("T-S001", f"{prefix}byte {source.size}: no UTF-8") from None


def json_keys(part: Part, exam: Examination) -> None:
    """Read JSON token by token; refuse remote code, and templates that reach out."""
    key = ""
    for kind, start, token in json_tokens(part.source, part.prefix):
        if kind == "key":
            key = _unescaped(token)
            if key in _REMOTE:
                exam.refuse("T-S090", f"{part.prefix}byte {start}: {key!r} names code to fetch")
        elif key == "mediaType" and b"sigstore.bundle" in token:
            exam.notes.append(
                f"{part.prefix}an OpenSSF model signature is present; it was not checked, "
                "so who signed the model is not shown"
            )
        elif key == "trust_remote_code" and token == b"true":
            exam.refuse("T-S090", f"{part.prefix}byte {start}: trust_remote_code is set")
        elif "template" in key and token[:1] == b'"':
            breach = template_breach(_unescaped(token))
            if breach:
                exam.refuse("T-S091", f"{part.prefix}byte {start}: {key} says {breach!r:.60}")


def _unescaped(token: bytes) -> str:
    import json

    try:
        text = json.loads(token)
    except ValueError:
        return token[1:-1].decode("utf-8", "replace")
    return text if isinstance(text, str) else ""


def json_tokens(source: Source, prefix: str) -> Iterator[tuple[str, int, bytes]]:
    """Yield ("key" or "value", offset, token) of a JSON document, checking its grammar.

    Raises:
        Refused: it is no JSON.
    """
    # What may follow: a value, a key, a colon, a comma or an end.
    inside: list[bytes] = []
    state, base, at = "value", 0, 0
    buffer = source.read(0, _WINDOW)
    if buffer[:3] == b"\xef\xbb\xbf":
        at = 3
    seen = False
    while True:
        if len(buffer) - at < _WINDOW // 2 and base + len(buffer) < source.size:
            base += at
            at, buffer = 0, source.read(base, _WINDOW)
        found = _TOKEN.match(buffer, at)
        if not found:
            if not buffer[at:].strip(b" \t\r\n") and not inside and seen:
                return
            if base + len(buffer) < source.size:
                raise Refused("T-S004", f"{prefix}byte {base + at}: a JSON token beyond 0.5 MB")
            raise Refused("T-S002", f"{prefix}byte {base + at}: no JSON")
        token = found[found.lastindex or 0]
        start = base + found.start(found.lastindex or 0)
        at = found.end()
        wrong = Refused("T-S002", f"{prefix}byte {start}: no JSON")
        if not inside and seen and state == "end" and token not in b",:]}":
            state = "value"  # JSON lines
        if found.lastindex == 2:
            if token in (b"{", b"[") and state in ("value", "first"):
                inside.append(token)
                seen = True
                if len(inside) > _DEEPEST:
                    raise Refused("T-S004", f"{prefix}byte {start}: JSON nested too deep")
                state = "key or end" if token == b"{" else "first"
            elif (
                token in (b"}", b"]")
                and inside
                and inside[-1] == (b"{" if token == b"}" else b"[")
            ):
                if state not in ("end", "key or end", "first"):
                    raise wrong
                inside.pop()
                state = "end"
            elif token == b"," and state == "end" and inside:
                state = "key" if inside[-1] == b"{" else "value"
            elif token == b":" and state == "colon":
                state = "value"
            else:
                raise wrong
        elif state in ("key", "key or end") and found.lastindex == 1:
            yield "key", start, token
            state = "colon"
        elif state in ("value", "first"):
            seen = True
            yield "value", start, token
            state = "end"
        else:
            raise wrong
