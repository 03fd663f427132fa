"""A YAML document as plain values, with the line of every value.

Only what JSON can say is read: mappings with text keys, lists and scalars. Scalars follow
YAML 1.2's core schema, because under YAML 1.1 the country code ``NO`` is false, ``yes`` is
true and ``12:30`` is 750. Nothing is ever constructed from a tag.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

from titian.errors import InputError, Problem
from titian.values import JsonValue

Place: TypeAlias = "tuple[str | int, ...]"

# A project file is written by hand. The limits keep a hostile one ("billion laughs": few
# bytes, exponentially many values) from eating the machine.
LARGEST_FILE_BYTES: Final = 200_000
MOST_BRACKETS: Final = 2_000
LARGEST_VALUE_COUNT: Final = 50_000
DEEPEST_NESTING: Final = 30

_REFUSED: Final = "?"
"""Stands for a scalar that was refused, so that the type check does not refuse it again."""

_TAG: Final = "tag:yaml.org,2002:"
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a YAML file says and where it says it.

    Attributes:
        path: the file.
        tree: plain values.
        lines: line (from 1) of each value, by its place; of a key for a mapping's values.
        problems: keys given twice and values that a project file cannot hold; the tree
            holds the first of two keys, and a stand-in for such a value.
    """

    path: Path
    tree: JsonValue
    lines: Mapping[Place, int]
    problems: tuple[Problem, ...] = ()

    def where(self, place: Place) -> str:
        """Return the path of a place and the line it is on, for a message."""
        known = place
        while known and known not in self.lines:
            known = known[:-1]
        line = self.lines.get(known, 1)
        return f"{json_path(place)} (line {line} of {self.path.name})"


def json_path(place: Place) -> str:
    """Return a place as a JSON path, such as ``$.data.attributes[2].age``."""
    text = "$"
    for step in place:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _IDENTIFIER.match(step):
            text += f".{step}"
        else:
            text += f"[{step!r}]"
    return text


def value_at(tree: Any, place: Place) -> Any:  # noqa: ANN401 - plain YAML
    """Return the value at a place of a tree, None where there is none."""
    for step in place:
        try:
            tree = tree[step]
        except (KeyError, IndexError, TypeError):
            return None
    return tree


def read_document(path: Path) -> Document:
    """Read a YAML file.

    Raises:
        InputError: T-P001 no such file, T-P002 not UTF-8 text, T-P003 not YAML, T-P004
            empty, too large or not a mapping. (T-P005 and T-P006 are left in `problems`.)
    """
    text = _text(path)
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise InputError(_syntax_problem(path, error)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise InputError(
            Problem(
                code="T-P002",
                message=f"line {line} of {path.name} holds the control character "
                f"#x{int(error.character):02x}; a project file is plain UTF-8 text.",
                remedy="Delete the character.",
            )
        ) from None
    except RecursionError:
        raise InputError(_too_large(path, f"nests deeper than {DEEPEST_NESTING}")) from None
    if not isinstance(node, yaml.MappingNode):
        found = "is empty" if node is None else "is not a mapping of keys to values"
        raise InputError(
            Problem(
                code="T-P004",
                message=f"{path.name} {found}; a project file has at least the keys "
                "'name' and 'data'.",
                remedy="Start from the file that `titian new DIR` writes.",
            )
        )
    walk = _Walk(path)
    tree = walk.value(node, ())
    return Document(path=path, tree=tree, lines=walk.lines, problems=tuple(walk.problems))


def _text(path: Path) -> str:
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= LARGEST_FILE_BYTES else b""
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise InputError(
            Problem(
                code="T-P001",
                message=f"the project file {path} cannot be read: {reason}.",
                remedy="Name a folder that holds a titian.yaml, or make one with "
                "`titian new DIR`.",
            )
        ) from None
    if size > LARGEST_FILE_BYTES:
        raise InputError(_too_large(path, f"has {size:,} bytes, over {LARGEST_FILE_BYTES:,}"))
    if data.count(b"[") + data.count(b"{") > MOST_BRACKETS:
        # The scanner's time grows with the square of the nesting.
        raise InputError(_too_large(path, f"holds over {MOST_BRACKETS:,} brackets"))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            Problem(
                code="T-P002",
                message=f"line {line} of {path.name} is not UTF-8 text "
                f"(byte 0x{data[error.start]:02x} at offset {error.start}).",
                remedy="Save the file as UTF-8.",
            )
        ) from None


def _syntax_problem(path: Path, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "an unknown line"
    said = ", ".join(part for part in (error.context, error.problem) if part)
    return Problem(
        code="T-P003",
        message=f"{path.name} is not valid YAML at {place}: {said}.",
        remedy="Mend the line; often a colon, a quote, a bracket or the indentation before "
        "it is wrong.",
    )


def _too_large(path: Path, what: str) -> Problem:
    return Problem(
        code="T-P004",
        message=f"{path.name} {what}; a project file is a page of text.",
        remedy="Check that it is the right file.",
    )


class _Loader(yaml.SafeLoader):
    """Resolves plain scalars as YAML 1.2's core schema does."""

    # PyYAML copies the table of the parent on the first addition: start from an empty one.
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as PyYAML declares it


for _name, _pattern, _first in (
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)\Z", "tTfF"),
    ("null", r"(?:~|null|Null|NULL|)\Z", ["~", "n", "N", ""]),
    # A leading zero stays text: `007` is an identifier, not seven.
    ("int", r"[-+]?(?:0|[1-9][0-9]{0,99})\Z", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+"
        r"|\.(?:inf|Inf|INF))\Z|\.(?:nan|NaN|NAN)\Z",
        "-+.0123456789",
    ),
):
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(_pattern), list(_first))


class _Walk:
    """Turns nodes into plain values and remembers their lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[Place, int] = {}
        self.problems: list[Problem] = []
        self.count = 0

    def value(self, node: yaml.Node, place: Place) -> JsonValue:
        self.lines.setdefault(place, node.start_mark.line + 1)
        self.count += 1
        if self.count > LARGEST_VALUE_COUNT:
            raise InputError(
                _too_large(self.path, f"holds over {LARGEST_VALUE_COUNT:,} values")
            )
        if len(place) > DEEPEST_NESTING:
            raise InputError(_too_large(self.path, f"nests deeper than {DEEPEST_NESTING}"))
        match node:
            case yaml.MappingNode(tag=tag) if tag == _TAG + "map":
                return self._mapping(node, place)
            case yaml.SequenceNode(tag=tag) if tag == _TAG + "seq":
                return [self.value(item, (*place, i)) for i, item in enumerate(node.value)]
            case yaml.ScalarNode(tag=tag, value=text):
                return self._scalar(tag, text, place)
            case _:
                self._refuse(place, f"has the tag '{_tag_words(node.tag)}'")
                return None

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, JsonValue]:
        result: dict[str, JsonValue] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._refuse(place, f"has a list or a block as a key on line {line}")
                continue
            key = str(key_node.value)
            inner = (*place, key)
            if key in result:
                self.problems.append(
                    Problem(
                        code="T-P005",
                        message=f"key '{key}' is given twice at {json_path(inner)} (lines "
                        f"{self.lines[inner]} and {line} of {self.path.name}).",
                        remedy="Keep one of the two.",
                    )
                )
                continue
            self.lines[inner] = line
            result[key] = self.value(value_node, inner)
        return result

    def _scalar(self, tag: str, text: str, place: Place) -> JsonValue:
        kind = tag.removeprefix(_TAG)
        try:
            match kind:
                case "str":
                    text.encode()
                    if _CONTROL.search(text):
                        self._refuse(place, "holds a control character")
                        return _REFUSED
                    return text
                case "bool":
                    return {"true": True, "false": False}[text.lower()]
                case "null":
                    return None
                case "int":
                    return int(text)
                case "float":
                    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
                case _:
                    self._refuse(place, f"has the tag '{_tag_words(tag)}'")
                    return _REFUSED
        except (ValueError, KeyError):
            self._refuse(place, f"is {text!r}, which is no {kind}")
            return _REFUSED

    def _refuse(self, place: Place, what: str) -> None:
        line = self.lines.get(place, 1)
        self.problems.append(
            Problem(
                code="T-P006",
                message=f"{json_path(place)} (line {line} of {self.path.name}) {what}; a "
                "project file holds text, numbers, true, false, lists and blocks.",
                remedy="Write it as plain text, in quotes if need be.",
            )
        )


def _tag_words(tag: str) -> str:
    return "!!" + tag.removeprefix(_TAG) if tag.startswith(_TAG) else tag
