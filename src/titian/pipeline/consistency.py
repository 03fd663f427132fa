"""What spans several keys of `titian.yaml`.

Each check reads the plain tree and passes over what has the wrong shape, so that a slip in
one block hides none in another.
"""

from __future__ import annotations

import difflib
import math
import re
import zoneinfo
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from titian.pipeline.document import Place, value_at
from titian.pipeline.schema import GAPS, MEASURES, SPEEDS, scalar_text, shown, table_value

SHARES_TOLERANCE: Final = 1e-6
"""How far the three shares may be from 1: decimals such as 0.333333 are meant to add up."""

_FINDING_FORM: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+\Z")

Found: TypeAlias = "tuple[Place, str, str, str]"
"""Place, code, what is wrong and the rule, remedy."""


def contradictions(tree: Any) -> Iterator[Found]:  # noqa: ANN401 - plain YAML
    """Find what contradicts itself across keys of a project file."""
    yield from _data_problems(tree)
    yield from _requirement_problems(tree)
    yield from _site_problems(tree)
    if tree.get("training") is not None and tree.get("model") is not None:
        yield (
            ("model",),
            "T-P022",
            "both blocks 'training' and 'model' are given; a project trains its model or "
            "tests one that was made elsewhere",
            "Keep one of the two blocks.",
        )
    training = tree.get("training")
    if isinstance(training, Mapping) and "seed" in training:
        seed = given_seed(tree)
        if seed is None or not 0 <= seed < 2**63:
            yield (
                ("training", "seed"),
                "T-P013",
                f"expected a whole number from 0 to 2^63 - 1, found {shown(training['seed'])}",
                "Give a seed such as 7.",
            )


def _data_problems(tree: Any) -> Iterator[Found]:  # noqa: ANN401 - plain YAML
    columns = _attribute_columns(tree)
    for i, column in enumerate(columns):
        if column is not None and column in columns[:i]:
            yield (
                ("data", "attributes", i),
                "T-P023",
                f"the attribute '{column}' is listed twice",
                "Keep one of the two.",
            )
    yield from _role_problems(tree, columns)
    split = value_at(tree, ("data", "split"))
    if not isinstance(split, Mapping):
        return
    if "column" not in split:
        shares = [split.get(side) for side in ("train", "tune", "test")]
        numbers = [_number(share) for share in shares]
        if all(n is not None and 0 <= n <= 1 for n in numbers):
            total = math.fsum(n for n in numbers if n is not None)
            if abs(total - 1) > SHARES_TOLERANCE:
                yield (
                    ("data", "split"),
                    "T-P019",
                    f"the shares train {numbers[0]:g}, tune {numbers[1]:g} and test "
                    f"{numbers[2]:g} add up to {total:g}; shares add up to 1",
                    "Change a share.",
                )
        return
    seen: dict[str, str] = {}
    for side in ("train", "tune", "test"):
        values = split.get(side)
        for value in values if isinstance(values, list) else [values]:
            text = table_value(value)
            if not isinstance(text, str):
                continue
            if seen.setdefault(text, side) != side:
                yield (
                    ("data", "split", side),
                    "T-P020",
                    f"the value '{text}' of column '{split['column']}' stands on both sides "
                    f"{seen[text]} and {side}",
                    "Keep it on one side.",
                )


def _role_problems(tree: Any, columns: Sequence[str | None]) -> Iterator[Found]:  # noqa: ANN401 - plain YAML
    label = value_at(tree, ("data", "label"))
    if not isinstance(label, str):
        return
    for role in ("image", "subject"):
        if value_at(tree, ("data", role)) == label:
            yield (
                ("data", role),
                "T-P024",
                f"the column '{label}' is both label and {role}",
                "Name another column.",
            )
    if label in columns:
        yield (
            ("data", "attributes", columns.index(label)),
            "T-P024",
            f"the column '{label}' is both label and attribute; a measure by label says "
            "nothing about groups",
            "Take it out of the attributes.",
        )


def _attribute_columns(tree: Any) -> list[str | None]:  # noqa: ANN401 - plain YAML
    listed = value_at(tree, ("data", "attributes"))
    columns: list[str | None] = []
    for item in listed if isinstance(listed, list) else []:
        match item:
            case str():
                columns.append(item)
            case {**bands} if len(bands) == 1:
                columns.append(str(next(iter(bands))))
            case _:
                columns.append(None)
    return columns


def _requirement_problems(tree: Any) -> Iterator[Found]:  # noqa: ANN401 - plain YAML
    listed = value_at(tree, ("requirements",))
    columns = [column for column in _attribute_columns(tree) if column is not None]
    lines: dict[str, int] = {}
    for i, item in enumerate(listed if isinstance(listed, list) else []):
        if not isinstance(item, Mapping):
            continue
        place: Place = ("requirements", i)
        name = scalar_text(item.get("id"))
        if isinstance(name, str):
            if name in lines:
                yield (
                    (*place, "id"),
                    "T-P015",
                    f"the id '{name}' is that of $.requirements[{lines[name]}]; ids are unique",
                    "Give one of the two another id.",
                )
            lines.setdefault(name, i)
        yield from _subject_problems(item, place)
        yield from _bound_problems(item, place)
        for block, measures in (("disparity", GAPS), ("speed", SPEEDS)):
            if item.get("measure") in measures and block not in tree:
                yield (
                    (*place, "measure"),
                    "T-P030",
                    f"'{item['measure']}' is measured only with the block '{block}', which "
                    "the project lacks",
                    f"Add '{block}: {{}}' to the project file.",
                )
        wanted = item.get("for_each")
        listed_columns = wanted if isinstance(wanted, list) else [wanted]
        for column in listed_columns:
            if isinstance(column, str) and column not in columns:
                yield (
                    (*place, "for_each"),
                    "T-P018",
                    f"'{column}' is none of data.attributes ({', '.join(columns) or 'empty'})",
                    _nearest_remedy(column, columns, "List the column under data.attributes."),
                )


def _subject_problems(item: Mapping[str, Any], place: Place) -> Iterator[Found]:
    measure, finding = item.get("measure"), item.get("finding")
    if (measure is None) == (finding is None):
        neither = measure is None
        has = "neither 'measure' nor 'finding'" if neither else "both 'measure' and 'finding'"
        yield (
            place,
            "T-P016",
            f"the requirement has {has}; it bounds one measure or counts one finding",
            "Keep exactly one of the two keys.",
        )
    known = (*MEASURES, *GAPS, *SPEEDS)
    if isinstance(measure, str) and measure not in known:
        yield (
            (*place, "measure"),
            "T-P014",
            f"unknown measure '{measure}'; measures are {', '.join(MEASURES)}, and the gaps "
            "and speeds in the reference of measures",
            _nearest_remedy(measure, known, "Use one of these."),
        )
    if measure in GAPS and not item.get("for_each"):
        yield (
            place,
            "T-P018",
            f"'{measure}' is a gap between the groups of a column, and for_each names none",
            "Name the columns under for_each.",
        )
    if measure in SPEEDS and item.get("for_each"):
        yield (
            (*place, "for_each"),
            "T-P018",
            f"for_each divides a measure by groups; '{measure}' has none",
            "Take for_each out.",
        )
    if isinstance(finding, str) and not _FINDING_FORM.match(finding):
        yield (
            (*place, "finding"),
            "T-P026",
            f"'{finding}' is no finding code; codes are dotted, such as data.subject_leak",
            "Take a code from the reference of findings.",
        )
    if finding is not None and item.get("for_each"):
        yield (
            (*place, "for_each"),
            "T-P018",
            "for_each divides a measure by groups; a count of findings has none",
            "Take for_each out.",
        )


def _bound_problems(item: Mapping[str, Any], place: Place) -> Iterator[Found]:
    given = [key for key in ("at_least", "at_most") if item.get(key) is not None]
    if len(given) != 1:
        has = (
            "neither 'at_least' nor 'at_most'" if not given else "both 'at_least' and 'at_most'"
        )
        yield (
            place,
            "T-P017",
            f"the requirement has {has}; it has one bound",
            "Keep exactly one of the two keys; write two requirements for two bounds.",
        )
    for key in given:
        bound = _number(item[key])
        if bound is None:
            continue
        if item.get("finding") is not None and not (bound >= 0 and bound.is_integer()):
            yield (
                (*place, key),
                "T-P013",
                f"expected a whole number of findings, 0 or more, found {shown(item[key])}",
                "Give a count such as 0.",
            )
        elif item.get("measure") in SPEEDS:
            if bound < 0:
                yield (
                    (*place, key),
                    "T-P013",
                    f"the bound {shown(item[key])} is negative; speeds are 0 or more",
                    "Give a latency in ms or a throughput in samples a second.",
                )
        elif item.get("finding") is None and not 0 <= bound <= 1:
            yield (
                (*place, key),
                "T-P013",
                f"the bound {shown(item[key])} lies outside [0, 1], the range of the measure",
                "Write 80 % as 0.80.",
            )


def _site_problems(tree: Any) -> Iterator[Found]:  # noqa: ANN401 - plain YAML
    listed = value_at(tree, ("sites",))
    names: list[str] = []
    for i, item in enumerate(listed if isinstance(listed, list) else []):
        if not isinstance(item, Mapping):
            continue
        name, zone = item.get("name"), item.get("time_zone")
        if isinstance(name, str):
            if name in names:
                yield (
                    ("sites", i, "name"),
                    "T-P027",
                    f"the site '{name}' is listed twice",
                    "Give one of the two another name.",
                )
            names.append(name)
        if isinstance(zone, str) and zone and not _is_time_zone(zone):
            yield (
                ("sites", i, "time_zone"),
                "T-P027",
                f"'{zone}' is no time zone of the IANA list",
                "Write for example Asia/Kuala_Lumpur.",
            )
    site = tree.get("site")
    if isinstance(site, str) and site not in names:
        yield (
            ("site",),
            "T-P027",
            f"'{site}' is not one of the sites ({', '.join(names) or 'none'})",
            _nearest_remedy(site, names, "List it under sites."),
        )


def _is_time_zone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _nearest_remedy(word: str, known: Sequence[str], otherwise: str) -> str:
    near = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return f"Did you mean '{near[0]}'?" if near else otherwise


def _number(value: object) -> float | None:
    whole = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if whole else None  # type: ignore[arg-type] # narrowed by `whole`


def given_seed(tree: Any) -> int | None:  # noqa: ANN401 - plain YAML
    """Return `training.seed`, the fixed place of the seed; None when absent or no integer."""
    training = tree.get("training")
    seed = training.get("seed") if isinstance(training, Mapping) else None
    return seed if isinstance(seed, int) and not isinstance(seed, bool) else None
