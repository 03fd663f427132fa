"""The statement of a stage's run: in-toto Statement v1, as docs/explanation/architecture.md."""

from __future__ import annotations

import getpass
import hashlib
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache

from titian.errors import InputError, Problem
from titian.evidence import verify
from titian.values import (
    Artifact,
    Control,
    Figure,
    Finding,
    JsonValue,
    Measurement,
    Replay,
    Verdict,
    to_json,
)

# A slash that begins a path of two parts or more, or a text that is nothing but a path, or
# a drive, a share, a home folder. JSON pointers and pictures are exempt by their key.
_ABSOLUTE_PATH = re.compile(
    r"(?<![\w./)\]%<>&;+-])/[\w.+@-]+/[\w.+@-]|^/[\w.+@-]+$|file:/|(?<![\w.~/])~(?:[A-Za-z_][\w-]*)?/\w"
    r"|(?<!\w)[A-Za-z]:\\|(?<!\\)\\\\[\w.-]+\\"
)
_EXEMPT_KEYS = frozenset({"pointer", "png_base64"})
# Names that tell nothing about a person or a machine and that honest texts contain.
_GENERIC_NAMES = frozenset(
    """
    admin administrator app build builder ci container data demo dev docker git guest home
    host jovyan localdomain localhost mambauser me node nobody none operator root runner
    sandbox server service study test tester ubuntu unknown user vagrant work worker
    """.split()  # noqa: SIM905 - one word a line would fill a screen
)


def build_statement(
    *,
    project: str,
    stage: str,
    key: str,
    settings: Mapping[str, object],
    seed: int,
    inputs: Sequence[Artifact],
    outputs: Sequence[Artifact],
    measurements: Sequence[Measurement] = (),
    findings: Sequence[Finding] = (),
    figures: Sequence[Figure] = (),
    controls: Sequence[Control] = (),
    verdicts: Sequence[Verdict] = (),
    environment: Mapping[str, object],
    actor: str,
    site: str | None,
    start: datetime,
    end: datetime,
    replay: Replay,
    private_names: frozenset[str] | None = None,
) -> dict[str, JsonValue]:
    """Return the statement of one run, ready to be signed.

    Args:
        project: the project's name.
        stage: the stage's name.
        key: the cache key, hex.
        settings: the stage's settings, plain JSON or dataclasses.
        seed: the run's seed.
        inputs: what was read.
        outputs: what was written: the statement's subjects.
        measurements: see `titian.values`; likewise findings, figures, controls, verdicts.
        findings: what a person should look at.
        figures: pictures as values.
        controls: planted faults and whether they were found.
        verdicts: of the verdict stage.
        environment: interpreter, platform and versions of libraries.
        actor: key id of the signer.
        site: name of the site, or None.
        start: with its zone.
        end: with its zone.
        replay: how closely the run can be derived again.
        private_names: names that no statement may hold; default this machine's host name
            and the user's name.

    Raises:
        InputError: T-E004 a text holds an absolute path, the host name or the user name;
            T-E005 a number is NaN or infinite, or another value has no canonical form.
    """
    statement: dict[str, JsonValue] = {
        "_type": verify.IN_TOTO,
        "subject": [_descriptor(output) for output in outputs],
        "predicateType": verify.PREDICATE_TYPE,
        "predicate": {
            "project": project,
            "stage": stage,
            "key": key,
            "settings": to_json(settings),
            "seed": seed,
            "inputs": [_descriptor(artifact) for artifact in inputs],
            "measurements": to_json(list(measurements)),
            "findings": to_json(list(findings)),
            "figures": to_json(list(figures)),
            "controls": to_json(list(controls)),
            "verdicts": to_json(list(verdicts)),
            "environment": to_json(environment),
            "actor": actor,
            "site": site or None,
            "start": timestamp(start),
            "end": timestamp(end),
            "replay": to_json(replay),
        },
    }
    problems = [
        *_unwritable(statement),
        *_private(statement, local_names() if private_names is None else private_names),
    ]
    if problems:
        raise InputError(*problems)
    return statement


def statement_digest(statement: JsonValue) -> str:
    """Return the SHA-256 of a statement's canonical bytes in hex."""
    return hashlib.sha256(verify.canonical(statement)).hexdigest()


def timestamp(time: datetime) -> str:
    """Return a time with its zone as ``2026-11-22T20:29:33Z``."""
    if time.tzinfo is None:
        raise ValueError("a time in evidence needs its zone")
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@cache
def local_names() -> frozenset[str]:
    """Return this machine's host name and the user's name, unless they tell nothing."""
    host = socket.gethostname()
    names = {host, host.partition(".")[0]}
    try:
        names.add(getpass.getuser())
    except (KeyError, OSError):  # a user id without a name
        names.discard("")
    return frozenset(n for n in names if len(n) > 2 and n.lower() not in _GENERIC_NAMES)


def _descriptor(artifact: Artifact) -> JsonValue:
    return {
        "name": artifact.name,
        "digest": {"sha256": artifact.digest},
        "annotations": {"kind": artifact.kind, "size_bytes": artifact.size_bytes},
    }


def _texts(value: JsonValue, pointer: str) -> Iterator[tuple[str, str]]:
    """Yield every text and key with its place."""
    if isinstance(value, str):
        yield pointer, value
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _texts(item, f"{pointer}/{place}")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield pointer, key
            if key not in _EXEMPT_KEYS:
                yield from _texts(item, f"{pointer}/{key}")


def _private(statement: JsonValue, names: frozenset[str]) -> Iterator[Problem]:
    words = "|".join(re.escape(name) for name in sorted(names))
    name = re.compile(rf"(?<![\w-])(?:{words})(?![\w-])") if names else None
    for pointer, text in _texts(statement, ""):
        if found := _ABSOLUTE_PATH.search(text):
            what = "an absolute path"
        elif name is not None and (found := name.search(text)):
            what = "this machine's or this user's name"
        else:
            continue
        yield Problem(
            code="T-E004",
            message=(
                f"the text {text[max(0, found.start() - 20) : found.end() + 40]!r} at"
                f" {pointer} of the statement holds {what}; a statement leaves the site."
            ),
            remedy="Use a path relative to the data folder, or another word.",
        )


def _unwritable(statement: JsonValue, pointer: str = "") -> Iterator[Problem]:
    if isinstance(statement, dict):
        for key, item in statement.items():
            yield from _unwritable(item, f"{pointer}/{key}")
    elif isinstance(statement, list):
        for place, item in enumerate(statement):
            yield from _unwritable(item, f"{pointer}/{place}")
    else:
        try:
            verify.canonical(statement)
        except ValueError as error:
            yield Problem(
                code="T-E005",
                message=f"{error}, at {pointer} of the statement.",
                remedy="Leave an unknown number out as None and say why in `reason`.",
            )
