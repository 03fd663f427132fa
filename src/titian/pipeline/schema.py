"""The shape of `titian.yaml`: where bytes arrive, pydantic checks them.

Short forms (a column alone, a value in place of a list) are made long here; what spans
several blocks is checked in `titian.pipeline.project`.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    StringConstraints,
    Tag,
    WithJsonSchema,
    create_model,
)
from pydantic_core import PydanticCustomError

from titian.dataset.canonical import canonical
from titian.stage import Stage
from titian.values import Attribute

MEASURES: Final = (
    "sensitivity",
    "specificity",
    "ppv",
    "npv",
    "accuracy",
    "balanced_accuracy",
    "f1",
    "auc",
    "average_precision",
    "brier",
    "expected_calibration_error",
)
"""Measure ids, as requirements and verdicts name them. Every one lies in [0, 1]."""

GAPS: Final = (
    "demographic_parity",
    "equal_opportunity",
    "equalized_odds",
    "predictive_parity",
    "demographic_parity_ratio",
    "equal_opportunity_ratio",
    "equalized_odds_ratio",
    "predictive_parity_ratio",
    "accuracy_equality",
    "auc_gap",
    "calibration_gap",
)
"""Gaps between the groups of a column, as the block ``disparity`` measures them, in [0, 1]."""

SPEEDS: Final = (
    "latency_p50",
    "latency_p90",
    "latency_p95",
    "latency_p97",
    "latency_p99",
    "latency_p99_9",
    "throughput",
)
"""What the block ``speed`` measures: latencies in ms, throughput in samples a second."""

SCHEMA_ID: Final = "urn:titian:project-file:1"


def refusal(code: str, message: str, remedy: str) -> PydanticCustomError:
    """Return an error that carries its own code and remedy through pydantic."""
    return PydanticCustomError(
        "titian", "{message}", {"code": code, "message": message, "remedy": remedy}
    )


def scalar_text(value: object) -> object:
    """Return a scalar as text: ``1`` and ``1.0`` as ``1``, ``true`` as ``true``.

    What is no scalar is handed back for the type check to refuse.
    """
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            whole = math.isfinite(value) and value.is_integer() and abs(value) < 2**53
            return str(int(value)) if whole else repr(value)
        case _:
            return value


def table_value(value: object) -> object:
    """Return a scalar as the text that stands for it in a table, so that ``"1.0"`` is ``1``."""
    text = scalar_text(value)
    return canonical(text) if isinstance(text, str) else text


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str | int | float) else value


def _attribute(value: object) -> Attribute:
    match value:
        case str() if value:
            return Attribute(column=value)
        case {**bands} if len(bands) == 1:
            ((column, edges),) = bands.items()
            return Attribute(column=str(column), bands=_bands(str(column), edges))
    raise refusal(
        "T-P012",
        f"expected a column name or {{column: [edges of its bands]}}, found {shown(value)}",
        "Write for example 'sex' or '{age: [0, 40, 65, 120]}'.",
    )


def _bands(column: str, edges: object) -> tuple[float, ...]:
    numbers = [
        float(edge)
        for edge in (edges if isinstance(edges, list) else [])
        if isinstance(edge, int | float) and not isinstance(edge, bool) and math.isfinite(edge)
    ]
    if not isinstance(edges, list) or len(numbers) != len(edges) or len(numbers) < 2:
        raise refusal(
            "T-P021",
            f"the bands of '{column}' are {shown(edges)}; they are a list of two or more "
            "finite numbers",
            "Write for example {age: [0, 40, 65, 120]} for [0,40) [40,65) [65,120).",
        )
    for low, high in itertools.pairwise(numbers):
        if low >= high:
            raise refusal(
                "T-P021",
                f"the bands of '{column}' go from {low:g} to {high:g}; edges must increase",
                "Sort the edges and drop doubles.",
            )
    return tuple(numbers)


def shown(value: object) -> str:
    """Return a value as a message shows it: its kind, and itself when it is short."""
    match value:
        case None:
            return "nothing"
        case bool() | int() | float():
            return f"{json.dumps(value)}"
        case str():
            return repr(value if len(value) <= 40 else value[:37] + "...")
        case Mapping():
            return "a block of keys"
        case list() | tuple():
            text = json.dumps(value, default=str)
            return text if len(text) <= 40 else f"a list of {len(value)}"
        case _:
            return type(value).__name__


Text = Annotated[str, StringConstraints(min_length=1)]
_SCALAR: Final = WithJsonSchema({"type": ["string", "number", "boolean"]})
ScalarText = Annotated[str, BeforeValidator(scalar_text), _SCALAR]
TableValue = Annotated[str, BeforeValidator(table_value), _SCALAR]
TableValues = Annotated[list[TableValue], BeforeValidator(_as_list)]
ScalarTexts = Annotated[list[ScalarText], BeforeValidator(_as_list)]
AttributeItem = Annotated[
    Attribute,
    PlainValidator(_attribute),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {
                    "type": "object",
                    "minProperties": 1,
                    "maxProperties": 1,
                    "additionalProperties": {
                        "type": "array",
                        "items": {"type": "number"},
                        "minItems": 2,
                    },
                },
            ]
        }
    ),
]


class Block(BaseModel):
    """A block of known keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SharesBlock(Block):
    """Shares of the subjects; the three add up to 1."""

    train: float = Field(ge=0, le=1, description="Share of the subjects to learn from.")
    tune: float = Field(
        ge=0, le=1, description="Share that stops training and sets thresholds."
    )
    test: float = Field(gt=0, le=1, description="Share that is measured once, at the end.")


class ColumnSplitBlock(Block):
    """A column whose values name the sides."""

    column: Text = Field(description="Column whose values name the sides.")
    train: Annotated[TableValues, Field(min_length=1, description="Values on the train side.")]
    tune: TableValues = Field(
        default=[], description="Values on the tune side; else carved out of train by subject."
    )
    test: Annotated[TableValues, Field(min_length=1, description="Values on the test side.")]


def _split_form(value: object) -> str:
    return "column" if isinstance(value, Mapping) and "column" in value else "shares"


SPLIT_FORMS: Final = {"shares": SharesBlock, "column": ColumnSplitBlock}


class FeaturesBlock(Block):
    """Which columns of a table are inputs."""

    exclude: ScalarTexts = Field(default=[], description="Columns that are not inputs.")


class DataBlock(Block):
    """The cases: a table, and images where it names them."""

    table: Text = Field(
        description="CSV or Parquet file, relative to --data (or to this file)."
    )
    label: Text = Field(description="Label column.")
    image: Text | None = Field(
        default=None,
        description="Column with the path of an image, relative to the table; leave out for "
        "tabular data.",
    )
    positive: TableValue | None = Field(
        default=None,
        description="The label's positive value; leave out for more than two classes.",
    )
    subject: Text | None = Field(
        default=None, description="Subject column; a split never divides a subject."
    )
    attributes: list[AttributeItem] = Field(
        default=[],
        description="Columns to report by; a numeric one with the edges of its bands.",
    )
    features: FeaturesBlock = Field(default=FeaturesBlock(), description="Tabular data only.")
    split: Annotated[
        Annotated[SharesBlock, Tag("shares")] | Annotated[ColumnSplitBlock, Tag("column")],
        Discriminator(_split_form),
    ] = Field(
        default=SharesBlock(train=0.6, tune=0.15, test=0.25),
        description="Who is tested on what.",
    )
    missing: ScalarTexts = Field(
        default=[], description="Texts that mean 'missing' besides the empty one, such as '?'."
    )
    unreadable: Literal["refuse", "exclude"] = Field(
        default="refuse",
        description="What to do with a case whose image is missing or corrupt.",
    )


class RequirementBlock(Block):
    """What the release needs: a measure within a bound, or a count of findings."""

    id: ScalarText = Field(description="Unique within the project.")
    measure: Text | None = Field(
        default=None,
        description="Measure id; a gap needs the block disparity and for_each, a speed the "
        "block speed.",
        json_schema_extra={"enum": [*MEASURES, *GAPS, *SPEEDS]},
    )
    finding: Text | None = Field(
        default=None, description="Finding code whose count is bounded."
    )
    at_least: float | None = Field(default=None, description="The value must be at least this.")
    at_most: float | None = Field(default=None, description="The value must be at most this.")
    for_each: Annotated[list[Text], BeforeValidator(_as_list)] = Field(
        default=[], description="Attribute columns: one row per group of each, in one family."
    )
    min_count: int = Field(
        default=1,
        ge=1,
        description="Smallest denominator of the measure that is judged at all.",
    )


class SiteBlock(Block):
    """Where people or computers are."""

    name: Text = Field(description="Unique within the project.")
    country: str = Field(default="", description="ISO 3166 code, such as MY.")
    time_zone: Text = Field(default="UTC", description="Such as Asia/Kuala_Lumpur.")


class DossierBlock(Block):
    """What about single cases may leave the site."""

    case_images: bool = Field(default=False, description="Show images of cases.")
    cases: bool = Field(
        default=False, description="Ship random case ids with labels, scores and groups."
    )


class ProjectFile(Block):
    """A Titian project: from raw data to a signed release dossier."""

    name: Text = Field(description="Short name of the system, such as chest-xray-triage.")
    intended_use: str = Field(default="", description="Who uses it on whom, for what.")
    data: DataBlock
    alpha: float = Field(
        default=0.05, gt=0, lt=0.5, description="One minus the coverage of the intervals."
    )
    requirements: list[RequirementBlock] = Field(default=[], description="What release needs.")
    sites: list[SiteBlock] = Field(default=[], description="Where people and computers are.")
    site: Text | None = Field(default=None, description="The site where this run happens.")
    key: Text | None = Field(default=None, description="Name or path of the signing key.")
    dossier: DossierBlock = Field(
        default=DossierBlock(), description="What may leave the site."
    )


def project_model(stages: Sequence[Stage[Any]]) -> type[ProjectFile]:
    """Return the project's model with one more field for each stage that owns a block."""
    fields: dict[str, Any] = {}
    for stage in stages:
        if stage.block is not None and stage.block_type is not None:
            kind: Any = stage.block_type
            fields[stage.block] = (
                kind,
                Field(default=None, description=stage.summary),
            )
    return create_model("Project", __base__=ProjectFile, __doc__=ProjectFile.__doc__, **fields)


def json_schema(stages: Sequence[Stage[Any]]) -> dict[str, Any]:
    """Return the JSON Schema of `titian.yaml`, for editors."""
    schema = project_model(stages).model_json_schema()
    for part in (schema, *schema.get("$defs", {}).values()):
        if "properties" in part:
            part["additionalProperties"] = False
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID}
    return {**head, **_without_titles(schema)}


def _without_titles(part: Any) -> Any:  # noqa: ANN401 - walks any JSON
    if isinstance(part, list):
        return [_without_titles(item) for item in part]
    if not isinstance(part, dict):
        return part
    return {
        key: _without_titles(item)
        for key, item in part.items()
        if not (key == "title" and isinstance(item, str))
    }


def field_names(kind: type[object]) -> tuple[str, ...]:
    """Return the keys that a block of a stage knows."""
    return (
        tuple(f.name for f in dataclasses.fields(kind))
        if dataclasses.is_dataclass(kind)
        else ()
    )
