"""The allow-list and the limits: data of a stated version, with what a file of policy adds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from titian.errors import InputError, Problem
from titian.validation.scan.pickle_values import Global

_FILE: Final = Path(__file__).with_name("allow.json")
_ADDED: Final = {"allow": {"type", "data", "estimator"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a file may do.

    Attributes:
        version: of the allow-list; names the policy file's digest where there is one.
        globals: names that a pickle may ask for, with their rules.
        storages: torch storage types: dtype's name, bytes per element.
        domains: ONNX operator domains.
        depth: archives within archives.
        members: files in one archive.
        unpacked_bytes: what compressed data may come to, per file.
        json_bytes: the largest JSON document that is read.
        header_bytes: the largest header that is read.
    """

    version: str
    globals: dict[str, Global]
    storages: dict[str, tuple[str, int]]
    domains: frozenset[str]
    depth: int
    members: int
    unpacked_bytes: int
    json_bytes: int
    header_bytes: int


@cache
def standard() -> Policy:
    """Return the policy that ships with Titian."""
    table = json.loads(_FILE.read_text(encoding="utf-8"))
    known: dict[str, Global] = {}
    for name in table["type"]:
        known[name] = Global(name, "type")
    for name in table["storage type"]:
        known[name] = Global(name, "storage type")
    for rule in ("data", "mapping"):
        for name, state in table[rule].items():
            known[name] = Global(name, rule, state)
    for name, rule in table["call"].items():
        known[name] = Global(name, rule)
    for name in table["estimator"]:
        known[name] = Global(name, "estimator", "dict")
    for name in list(known):
        # Protocols 0 to 2 write Python 2's names.
        if name.startswith("builtins."):
            known["__builtin__." + name.removeprefix("builtins.")] = known[name]
    storages = {name: (dtype, size) for name, (dtype, size) in table["storage type"].items()}
    return Policy(
        version=table["version"],
        globals=known,
        storages=storages,
        domains=frozenset(table["onnx domains"]),
        **table["limits"],
    )


def read(path: Path) -> Policy:
    """Return the standard policy with what a JSON file adds to it.

    The file holds ``allow`` (a dict of name to "type", "data" or "estimator"), ``domains``
    (a list of ONNX operator domains) and ``limits``.

    Raises:
        InputError: ``T-S102``, naming every key that is wrong.
    """
    from dataclasses import replace
    from hashlib import sha256

    policy = standard()
    try:
        content = path.read_bytes()
        table = json.loads(content)
    except (OSError, ValueError, RecursionError) as error:
        raise _wrong(f"{path} cannot be read as JSON: {error}.") from None
    if not isinstance(table, dict):
        raise _wrong(f"{path} holds no JSON object.")
    limits = {"depth", "members", "unpacked_bytes", "json_bytes", "header_bytes"}
    problems = [
        f"{path} has the unknown key {key!r}; it may hold allow, domains and limits."
        for key in sorted(set(table) - {"allow", "domains", "limits"})
    ]
    allow = _object(table, "allow", problems)
    for name, rule in allow.items():
        if rule not in _ADDED["allow"] or "." not in name:
            problems.append(
                f"{path} gives {name!r} the rule {rule!r}; rules are type, data and estimator."
            )
    given = _object(table, "limits", problems)
    for key, value in given.items():
        if (
            key not in limits
            or not isinstance(value, int)
            or isinstance(value, bool)
            or value < 1
        ):
            problems.append(f"{path} has the limit {key!r}: {value!r}; expected a count.")
    domains = table.get("domains", [])
    if not isinstance(domains, list) or not all(isinstance(d, str) for d in domains):
        problems.append(f"{path} has domains that are no list of names.")
    if problems:
        raise InputError(*(_wrong(problem).problems[0] for problem in problems))
    added = {
        name: Global(name, rule, "" if rule == "type" else "dict")
        for name, rule in allow.items()
    }
    return replace(
        policy,
        version=f"{policy.version}+{sha256(content).hexdigest()[:12]}",
        globals=policy.globals | added,
        domains=policy.domains | set(domains),
        **given,
    )


def _object(table: dict[str, Any], key: str, problems: list[str]) -> dict[str, Any]:
    value = table.get(key, {})
    if isinstance(value, dict):
        return value
    problems.append(f"policy key {key!r} holds no object.")
    return {}


def _wrong(message: str) -> InputError:
    return InputError(
        Problem(code="T-S102", message=message, remedy="Correct the policy file.")
    )
