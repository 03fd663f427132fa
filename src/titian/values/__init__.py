"""Frozen values that the domains share: no I/O, no third-party import."""

from titian.values.artifact import Artifact
from titian.values.control import Control
from titian.values.figure import (
    BarFigure,
    Figure,
    FlowFigure,
    ForestFigure,
    HeatMapFigure,
    ImagesFigure,
    LineFigure,
    TableFigure,
)
from titian.values.finding import Finding, Severity
from titian.values.json import JsonValue, from_json, to_json
from titian.values.measurement import ALL_GROUPS, Interval, Measurement
from titian.values.project import (
    Attribute,
    Data,
    DossierOptions,
    Project,
    Requirement,
    Site,
    Split,
)
from titian.values.replay import Replay
from titian.values.verdict import Verdict, VerdictValue

__all__ = [
    "ALL_GROUPS",
    "Artifact",
    "Attribute",
    "BarFigure",
    "Control",
    "Data",
    "DossierOptions",
    "Figure",
    "Finding",
    "FlowFigure",
    "ForestFigure",
    "HeatMapFigure",
    "ImagesFigure",
    "Interval",
    "JsonValue",
    "LineFigure",
    "Measurement",
    "Project",
    "Replay",
    "Requirement",
    "Severity",
    "Site",
    "Split",
    "TableFigure",
    "Verdict",
    "VerdictValue",
    "from_json",
    "to_json",
]
