"""Reading `titian.yaml`: every problem of the file is found and reported together.

Three readings of one document: its syntax (`titian.pipeline.document`), the shape of each
block (`titian.pipeline.schema`), and here what spans several blocks. The last reads the
plain tree, not the shaped one, so that a slip in one block hides none in another.
"""

from __future__ import annotations

import difflib
import json
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from titian.errors import InputError, Problem
from titian.pipeline.consistency import contradictions, given_seed
from titian.pipeline.document import Document, Place, read_document, value_at
from titian.pipeline.schema import (
    SPLIT_FORMS,
    ColumnSplitBlock,
    DataBlock,
    DossierBlock,
    FeaturesBlock,
    ProjectFile,
    RequirementBlock,
    SharesBlock,
    SiteBlock,
    field_names,
    project_model,
    shown,
)
from titian.stage import Stage
from titian.values import Data, DossierOptions, Project, Requirement, Site, Split

FILE_NAME: Final = "titian.yaml"

_BLOCKS: Final[Mapping[Place, type[BaseModel]]] = {
    ("data",): DataBlock,
    ("data", "features"): FeaturesBlock,
    ("requirements", 0): RequirementBlock,
    ("sites", 0): SiteBlock,
    ("dossier",): DossierBlock,
}


def read_project(path: Path, *, stages: Sequence[Stage[Any]] | None = None) -> Project:
    """Read a project.

    Args:
        path: the project's folder, or the file itself.
        stages: whose blocks are known; all registered stages by default.

    Raises:
        InputError: all problems of the file, T-P001 to T-P029, in the order of its lines.
    """
    if stages is None:
        from titian.pipeline.registry import STAGES

        stages = STAGES
    document = read_document(path / FILE_NAME if path.is_dir() else path)
    model = project_model(stages)
    problems = [(0, problem) for problem in document.problems]
    shaped: ProjectFile | None = None
    try:
        # JSON mode: strict about types, yet lists may become tuples and objects dataclasses.
        text = json.dumps(_prepared(document.tree, stages))
        shaped = model.model_validate_json(text, strict=True)
    except ValidationError as error:
        problems += _shape_problems(error, document, model)
    problems += [_at(document, *found) for found in contradictions(document.tree)]
    if problems or shaped is None:
        raise InputError(
            *(problem for _, problem in sorted(problems, key=lambda item: item[0]))
        )
    return _project(shaped, document.tree, stages)


def _project(shaped: ProjectFile, tree: Any, stages: Sequence[Stage[Any]]) -> Project:  # noqa: ANN401 - plain YAML
    data = shaped.data
    blocks = {
        stage.block: block
        for stage in stages
        if stage.block is not None and (block := getattr(shaped, stage.block, None)) is not None
    }
    return Project(
        name=shaped.name,
        intended_use=shaped.intended_use,
        data=Data(
            table=data.table,
            label=data.label,
            image=data.image,
            positive=data.positive,
            subject=data.subject,
            attributes=tuple(data.attributes),
            exclude=tuple(data.features.exclude),
            split=_split(data),
            missing=tuple(data.missing),
            unreadable=data.unreadable,
            readings=getattr(blocks.get("annotate"), "files", ()),
        ),
        alpha=shaped.alpha,
        requirements=tuple(
            Requirement(
                id=item.id,
                measure=item.measure,
                finding=item.finding,
                at_least=item.at_least,
                at_most=item.at_most,
                for_each=tuple(item.for_each),
                min_count=item.min_count,
            )
            for item in shaped.requirements
        ),
        sites=tuple(
            Site(name=item.name, country=item.country, time_zone=item.time_zone)
            for item in shaped.sites
        ),
        site=shaped.site or (shaped.sites[0].name if len(shaped.sites) == 1 else ""),
        key=shaped.key,
        seed=given_seed(tree) or 0,
        dossier=DossierOptions(
            case_images=shaped.dossier.case_images, cases=shaped.dossier.cases
        ),
        blocks=blocks,
    )


def _split(data: DataBlock) -> Split:
    split = data.split
    if isinstance(split, SharesBlock):
        return Split(train=split.train, tune=split.tune, test=split.test)
    return Split(
        column=split.column,
        train_values=tuple(split.train),
        tune_values=tuple(split.tune),
        test_values=tuple(split.test),
    )


# The seed has a fixed place, `training.seed`, whether or not the stage declares it.


def _prepared(tree: Any, stages: Sequence[Stage[Any]]) -> Any:  # noqa: ANN401 - plain YAML
    """Return the tree as the model reads it: no lone seed, no empty stage block."""
    owned = {stage.block for stage in stages}
    # `training:` with nothing after it asks for the stage with every default.
    tree = {key: {} if v is None and key in owned else v for key, v in tree.items()}
    training = tree.get("training")
    if isinstance(training, Mapping) and "seed" not in _stage_keys("training", stages):
        tree["training"] = {key: v for key, v in training.items() if key != "seed"}
    return tree


def _stage_keys(block: str, stages: Sequence[Stage[Any]]) -> tuple[str, ...]:
    return next(
        (field_names(s.block_type) for s in stages if s.block == block and s.block_type), ()
    )


# Shape: pydantic's errors in our words.


def _shape_problems(
    error: ValidationError, document: Document, model: type[ProjectFile]
) -> Iterator[tuple[int, Problem]]:
    for item in error.errors(include_url=False):
        place = _yaml_place(item["loc"])
        context = item.get("ctx", {})
        match item["type"]:
            case "titian":
                code, what, remedy = context["code"], context["message"], context["remedy"]
            case "extra_forbidden" | "unexpected_keyword_argument":
                yield _unknown_key(document, place, _known_keys(place[:-1], document, model))
                continue
            case "missing":
                yield _at(
                    document,
                    place,
                    "T-P011",
                    f"the required key '{place[-1]}' is missing",
                    f"Add '{place[-1]}: ...'{_inside(place)}.",
                )
                continue
            case "value_error":
                code, what = "T-P025", str(context["error"])
                remedy = "Mend the value."
            case kind if kind in _RANGES:
                code = "T-P013"
                what = f"expected {_range_words(kind, context)}, found {shown(item['input'])}"
                remedy = "Give a value within the range."
            case kind:
                expected = _TYPES.get(kind, item["msg"][:1].lower() + item["msg"][1:])
                code, what = "T-P012", f"expected {expected}, found {shown(item['input'])}"
                quote = kind == "string_type" and isinstance(item["input"], int | float)
                remedy = "Put the value in quotes." if quote else "Mend the value."
        yield _at(document, place, code, what, remedy)


_TYPES: Final = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a block of keys",
    "model_type": "a block of keys",
    "dataclass_type": "a block of keys",
}
_RANGES: Final = (
    "greater_than",
    "greater_than_equal",
    "less_than",
    "less_than_equal",
    "string_too_short",
    "too_short",
    "literal_error",
    "enum",
)


def _range_words(kind: str, context: Mapping[str, Any]) -> str:
    match kind:
        case "greater_than":
            return f"a number over {context['gt']:g}"
        case "greater_than_equal":
            return f"a number of at least {context['ge']:g}"
        case "less_than":
            return f"a number under {context['lt']:g}"
        case "less_than_equal":
            return f"a number of at most {context['le']:g}"
        case "string_too_short":
            return "text that is not empty"
        case "too_short":
            return f"a list of at least {context['min_length']}"
        case _:
            return f"one of {context['expected']}"


def _yaml_place(loc: Sequence[str | int]) -> Place:
    """Drop the tags that a union puts into pydantic's place of an error."""
    place = tuple(loc)
    if place[:2] == ("data", "split") and len(place) > 2 and place[2] in SPLIT_FORMS:
        place = place[:2] + place[3:]
    return place


def _known_keys(place: Place, document: Document, model: type[ProjectFile]) -> tuple[str, ...]:
    """Return the keys that the block at a place knows."""
    if place == ("data", "split"):
        split = value_at(document.tree, place)
        form: type[BaseModel] = ColumnSplitBlock if "column" in split else SharesBlock
        return tuple(form.model_fields)
    if place and place[0] not in ProjectFile.model_fields:
        return _stage_block_keys(place, model)
    block = _BLOCKS.get(tuple(0 if isinstance(step, int) else step for step in place), model)
    return tuple(block.model_fields)


def _stage_block_keys(place: Place, model: type[ProjectFile]) -> tuple[str, ...]:
    kind: Any = model.model_fields[str(place[0])].annotation
    for step in place[1:]:
        if isinstance(step, int):
            kind = typing.get_args(kind)[0]
        else:
            kind = typing.get_type_hints(kind)[step]
    names = field_names(kind)
    return tuple(dict.fromkeys((*names, "seed"))) if place == ("training",) else names


def _unknown_key(document: Document, place: Place, known: Sequence[str]) -> tuple[int, Problem]:
    key = str(place[-1])
    given = value_at(document.tree, place[:-1])
    near = _nearest(key, [name for name in known if name not in given]) or _nearest(key, known)
    if near:
        rule, remedy = f"the nearest known key is '{near}'", f"Write '{near}', or take it out."
    else:
        rule, remedy = f"known here are {', '.join(known)}", "Take it out, or use a known key."
    return _at(document, place, "T-P010", f"unknown key {key!r}; {rule}", remedy)


def _nearest(word: str, known: Sequence[str]) -> str | None:
    return next(iter(difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.5)), None)


def _inside(place: Place) -> str:
    return (
        f" to the block '{place[-2]}'" if len(place) > 1 and isinstance(place[-2], str) else ""
    )


def _at(
    document: Document, place: Place, code: str, what: str, remedy: str
) -> tuple[int, Problem]:
    known = place
    while known and known not in document.lines:
        known = known[:-1]
    message = f"{document.where(place)}: {what}."
    return document.lines.get(known, 1), Problem(code=code, message=message, remedy=remedy)
