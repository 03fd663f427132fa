"""A made-up run with everything that is hard to draw, signed by nobody.

Not measured: the numbers are invented, so that every block of a page has something to
show. `sample_run` returns the project and its statements, judged by the real verdict stage.
"""

from __future__ import annotations

import base64
import hashlib
import math
import struct
import zlib
from dataclasses import replace
from typing import Any

from titian.dossier.faults import verdict_controls
from titian.dossier.judge import Witness, judge
from titian.dossier.reference import StatementRef
from titian.dossier.stage import VERDICT, tally
from titian.evidence.verify import canonical
from titian.values import (
    Attribute,
    BarFigure,
    Control,
    Data,
    DossierOptions,
    Figure,
    Finding,
    FlowFigure,
    ForestFigure,
    HeatMapFigure,
    ImagesFigure,
    Interval,
    LineFigure,
    Measurement,
    Project,
    Requirement,
    Severity,
    Site,
    TableFigure,
    Verdict,
    to_json,
)
from titian.values.figure import ForestRow, Series

ALPHA = 0.05
ACTOR = hashlib.sha256(b"a signer").hexdigest()
LONG = "Hospital Universitari de la Santa Creu i Sant Pau, Servei de Radiodiagnòstic"
SITES = ("Kuala Lumpur", "Johor Bahru", LONG)

PROJECT = Project(
    name="chest-x-ray triage",
    intended_use="Flag abnormal chest X-rays for a second reader; phantom study.",
    data=Data(
        table="labels.csv",
        label="abnormal",
        image="image",
        positive="1",
        subject="patient_id",
        attributes=(
            Attribute(column="sex"),
            Attribute(column="age", bands=(0, 40, 65, 120)),
            Attribute(column="site"),
        ),
    ),
    alpha=ALPHA,
    requirements=(
        Requirement(id="R1", measure="sensitivity", at_least=0.80),
        Requirement(
            id="R2",
            measure="sensitivity",
            at_least=0.70,
            for_each=("sex", "age", "site"),
            min_count=30,
        ),
        Requirement(id="R3", measure="auc", at_least=0.75),
        Requirement(id="R4", measure="expected_calibration_error", at_most=0.08),
        Requirement(id="R5", finding="data.subject_leak", at_most=0),
        Requirement(id="R6", finding="data.near_copy", at_most=0),
        Requirement(id="R7", measure="latency", at_most=250.0),
    ),
    sites=(Site(name="Kuala Lumpur", country="MY", time_zone="Asia/Kuala_Lumpur"),),
    site="Kuala Lumpur",
    seed=7,
    dossier=DossierOptions(cases=True, case_images=True),
)


def measurement(name, value, n, *, subgroup=None, ladder=8, method="Wilson", unit="1"):
    """A measurement whose interval follows the normal approximation."""
    if value is None:
        return Measurement(name=name, value=None, n=n, subgroup=subgroup, reason="no positives")
    half = [
        (1.96 + 0.25 * math.log2(k + 1)) * math.sqrt(max(value * (1 - value), 0.002) / n)
        for k in range(ladder)
    ]
    return Measurement(
        name=name,
        value=value,
        n=n,
        subgroup=subgroup,
        method=method,
        unit=unit,
        intervals=tuple(
            Interval(
                alpha=ALPHA / (k + 1), low=max(value - reach, 0.0), high=min(value + reach, 1.0)
            )
            for k, reach in enumerate(half)
        ),
    )


def measurements() -> tuple[Measurement, ...]:
    """What the validate stage of the sample measured."""
    groups = [
        ({"sex": "F"}, 0.913, 160),
        ({"sex": "M"}, 0.884, 148),
        ({"age": "[0,40)"}, 0.79, 71),
        ({"age": "[40,65)"}, 0.925, 181),
        ({"age": "[65,120)"}, 0.86, 12),
        ({"site": SITES[0]}, 0.94, 150),
        ({"site": SITES[1]}, 0.51, 90),
        ({"site": SITES[2]}, None, 0),
    ]
    return (
        measurement("sensitivity", 0.9012345678901234, 308),
        *(measurement("sensitivity", v, n, subgroup=g) for g, v, n in groups),
        measurement("specificity", 0.83, 512),
        measurement("ppv", 0.76, 365),
        measurement("npv", 0.934, 455),
        measurement("accuracy", 0.857, 820),
        measurement("balanced_accuracy", 0.866, 820, method="BCa bootstrap by subject"),
        measurement("f1", 0.825, 820, method="BCa bootstrap by subject"),
        measurement("auc", 0.7712, 820, method="DeLong by subject"),
        measurement("average_precision", 0.88, 820, method="BCa bootstrap by subject"),
        measurement("brier", 0.0934, 820, method="BCa bootstrap by subject"),
        measurement(
            "expected_calibration_error", 0.0721, 820, method="debiased, bootstrap by subject"
        ),
    )


def png(shade: int, *, width: int = 24, height: int = 16) -> str:
    """A small grey PNG as base64 text."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    rows = b"".join(
        b"\0" + bytes((shade + 7 * x + 3 * y) % 256 for x in range(width))
        for y in range(height)
    )
    data = b"\x89PNG\r\n\x1a\n"
    data += chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    data += chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return base64.b64encode(data).decode()


def validation_figures() -> tuple[Figure, ...]:
    """One of each kind that validation draws."""
    steps = [at / 60 for at in range(61)]
    roc = [min(1.0, x**0.28) for x in steps]
    bins = tuple((at + 0.5) / 10 for at in range(10))
    shares = (0.03, 0.11, 0.22, 0.3, 0.52, None, 0.7, 0.74, 0.9, 0.97)
    return (
        LineFigure(
            name="roc",
            title="ROC curve",
            caption="The further the curve is above the diagonal, the better the ranking; "
            "the cross is the operating threshold.",
            x_label="1 - specificity",
            y_label="sensitivity",
            x_range=(0.0, 1.0),
            y_range=(0.0, 1.0),
            series=(
                Series(
                    label="all cases",
                    x=tuple(steps),
                    y=tuple(roc),
                    low=tuple(max(0.0, y - 0.05) for y in roc),
                    high=tuple(min(1.0, y + 0.05) for y in roc),
                ),
                Series(label="operating threshold", x=(0.17,), y=(0.62,), style="dots"),
                Series(label="chance", x=(0.0, 1.0), y=(0.0, 1.0), style="reference"),
            ),
        ),
        LineFigure(
            name="reliability",
            title="Reliability curve",
            caption="Dots on the diagonal: a score of 0.7 is right 7 times in 10.",
            x_label="mean score of the bin",
            y_label="share of positives",
            x_range=(0.0, 1.0),
            y_range=(0.0, 1.0),
            series=(
                Series(
                    label="bins with intervals",
                    x=bins,
                    y=shares,
                    low=tuple(None if y is None else max(0.0, y - 0.07) for y in shares),
                    high=tuple(None if y is None else min(1.0, y + 0.07) for y in shares),
                    style="dots",
                ),
                Series(label="calibrated", x=(0.0, 1.0), y=(0.0, 1.0), style="reference"),
            ),
        ),
        HeatMapFigure(
            name="confusion",
            title="Confusion matrix",
            caption="Rows are the truth, columns the answer at the operating threshold.",
            x_label="answer",
            y_label="truth",
            columns=("normal", "abnormal"),
            rows=("normal", "abnormal"),
            values=((425, 87), (30, 278)),
        ),
        ForestFigure(
            name="sensitivity_by_group",
            title="Sensitivity by group",
            caption="A filled square: the interval lies on one side of the bound. A ring: the "
            "bound lies within the interval.",
            x_label="sensitivity",
            bound=0.7,
            rows=tuple(
                ForestRow(
                    group=next(iter(m.subgroup)) if m.subgroup else "all",
                    label=next(iter(m.subgroup.values())) if m.subgroup else "all cases",
                    value=m.value,
                    low=m.low,
                    high=m.high,
                    n=m.n,
                )
                for m in measurements()
                if m.name == "sensitivity"
            ),
        ),
        ImagesFigure(
            name="misses",
            title="Cases that the model missed with the lowest scores",
            caption="Look for what they have in common.",
            labels=tuple(
                f"case {n}, score {s}" for n, s in ((12, 0.02), (87, 0.04), (140, 0.11))
            ),
            png_base64=(png(20), png(90, width=16, height=24), png(160)),
        ),
        TableFigure(
            name="thresholds",
            title="Other thresholds",
            caption="What a lower or higher threshold would have given on these cases.",
            columns=("threshold", "sensitivity", "specificity", "remark"),
            rows=(
                (0.2, 0.97, 0.61, "misses almost nothing"),
                (0.41, 0.9, 0.83, "chosen on tune"),
                (0.7, None, 0.95, "no positives above"),
            ),
        ),
    )


def statement(stage, *, inputs, outputs, minute, settings=None, replay=None, **rest):
    """A statement of the sample; `inputs` and `outputs` are (kind, name, size)."""

    def artifact(kind, name, size):
        digest = hashlib.sha256(f"{kind}/{name}".encode()).hexdigest()
        return {
            "name": name,
            "digest": {"sha256": digest},
            "annotations": {"kind": kind, "size_bytes": size},
        }

    body: dict[str, Any] = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [artifact(*item) for item in outputs],
        "predicateType": "urn:titian:stage-run:1",
        "predicate": {
            "project": PROJECT.name,
            "stage": stage,
            "key": hashlib.sha256(stage.encode()).hexdigest(),
            "settings": to_json(settings or {}),
            "seed": 7,
            "inputs": [artifact(*item) for item in inputs],
            "measurements": [],
            "findings": [],
            "figures": [],
            "controls": [],
            "verdicts": [],
            **{name: to_json(value) for name, value in rest.items()},
            "environment": {
                "python": "3.11.7",
                "platform": "linux-x86_64",
                "libraries": {"numpy": "2.4.6", "onnxruntime": "1.31.0", "torch": "2.13.0+cpu"},
            },
            "actor": ACTOR,
            "site": "Kuala Lumpur",
            "start": f"2026-11-22T20:{minute:02d}:03Z",
            "end": f"2026-11-22T20:{minute:02d}:41Z",
            "replay": replay
            or {"derivable": True, "tolerance": 0.0, "reason": "deterministic"},
        },
    }
    return StatementRef(digest=hashlib.sha256(canonical(body)).hexdigest(), statement=body)


SOURCE = ("source", "source", 2_700_000)
RECORDS = ("records", "records.parquet", 18_233)
SPLIT = ("split", "split.parquet", 4_120)
MODEL = ("model.fp32", "model.onnx", 412_008)
PREDICTIONS = ("predictions", "predictions.parquet", 61_233)
CASES = ("cases", "cases.parquet", 55_001)
STATEMENTS = ("statements", "statements.json", 88_213)
VERDICTS = ("verdicts", "verdicts.json", 9_001)


def control(check, fault, *, found=True, rate=0.0):
    """A control's outcome."""
    detail = "reported with the planted cases" if found else "no finding"
    return Control(check=check, fault=fault, found=found, detail=detail, false_alarm_rate=rate)


def road() -> list[StatementRef]:
    """The statements before the verdict."""
    epochs = tuple(float(at) for at in range(1, 31))
    ingest = statement(
        "ingest",
        inputs=[SOURCE],
        outputs=[RECORDS],
        minute=29,
        settings={"table": "labels.csv", "missing": [], "unreadable": "exclude"},
        measurements=(
            Measurement(name="cases", value=3421.0, n=3421, unit="count", method="count"),
            Measurement(name="subjects", value=1207.0, n=1207, unit="count", method="count"),
        ),
        findings=(
            Finding(
                code="data.corrupt_file",
                severity=Severity.WARNING,
                what="One image cannot be decoded; its case is left out.",
                where="case 871",
                remedy="Fetch the file again, or accept the loss.",
            ),
            Finding(
                code="data.label_giveaway",
                severity=Severity.ERROR,
                what="The column 'operator' alone predicts the label (AUC 0.98).",
                where="column operator",
                remedy="Leave it out, or find out why it knows.",
            ),
            Finding(
                code="data.simulated",
                severity=Severity.INFO,
                what="The images say of themselves that they are simulated.",
                where="all cases",
                remedy="Do not take this dossier for evidence about people.",
            ),
        ),
        figures=(
            BarFigure(
                name="labels",
                title="Labels by site",
                caption="How many cases of each label each site gave; missing ones are named.",
                y_label="cases",
                categories=(*SITES, "missing"),
                series=("normal", "abnormal", "label missing"),
                values=((812, 640, 410, 20), (400, 333, 290, None), (3, 0, 12, 1)),
            ),
        ),
        controls=(
            control("data.corrupt_file", "an image cut off after 100 bytes"),
            control("data.label_giveaway", "a column that copies the label", rate=1e-4),
        ),
    )
    split = statement(
        "split",
        inputs=[RECORDS],
        outputs=[SPLIT],
        minute=30,
        settings={"train": 0.6, "tune": 0.15, "test": 0.25},
        findings=(
            Finding(
                code="data.subject_leak",
                severity=Severity.ERROR,
                what="A subject stands on two sides of the split.",
                where="cases 12, 87",
                remedy="Give the column of subjects under data.subject.",
            ),
        ),
        controls=(
            control("data.subject_leak", "one case moved to the other side"),
            control("data.near_copy", "a case copied with noise", found=False),
        ),
    )
    train = statement(
        "train",
        inputs=[RECORDS, SPLIT],
        outputs=[MODEL],
        minute=31,
        settings={"recipe": "cnn", "epochs": 30, "learning_rate": 0.003, "width": [16, 32, 64]},
        measurements=(
            Measurement(
                name="operating_threshold",
                value=0.41,
                n=512,
                method="largest Youden index on tune",
            ),
            Measurement(name="temperature", value=1.37, n=512, method="likelihood on tune"),
        ),
        figures=(
            LineFigure(
                name="learning",
                title="Learning curves",
                caption="Training stops when the loss on tune no longer falls.",
                x_label="epoch",
                y_label="loss in nat",
                series=(
                    Series(
                        label="train",
                        x=epochs,
                        y=tuple(0.2 + 0.5 * math.exp(-e / 8) for e in epochs),
                    ),
                    Series(
                        label="tune",
                        x=epochs,
                        y=tuple(
                            None if e == 12 else 0.27 + 0.45 * math.exp(-e / 7) for e in epochs
                        ),
                    ),
                    Series(label="tune without augmentation", x=epochs, y=(None,) * 30),
                ),
            ),
        ),
        replay={"derivable": True, "tolerance": 0.002, "reason": "rounding of matrix products"},
    )
    predict = statement(
        "predict",
        inputs=[RECORDS, SPLIT, MODEL],
        outputs=[PREDICTIONS],
        minute=33,
    )
    validate = statement(
        "validate",
        inputs=[PREDICTIONS],
        outputs=[CASES],
        minute=34,
        settings={"alpha": ALPHA, "resamples": 2000},
        measurements=measurements(),
        figures=validation_figures(),
        controls=(
            control("validation.disparity", "a site whose answers are shuffled", rate=1e-4),
        ),
    )
    return [ingest, split, train, predict, validate]


def verdict_of(project: Project, earlier: list[StatementRef]) -> StatementRef:
    """The verdict stage's statement on earlier ones."""
    witnesses = [Witness(digest=item.digest, predicate=item.predicate) for item in earlier]
    settings: Any = VERDICT.configure(project)
    verdicts: tuple[Verdict, ...] = judge(
        project.requirements,
        witnesses,
        alpha=project.alpha,
        label=project.data.label,
        attributes=project.data.attributes,
    )
    controls = verdict_controls(project.alpha)
    return statement(
        "verdict",
        inputs=[STATEMENTS],
        outputs=[VERDICTS],
        minute=35,
        settings=settings,
        measurements=tally(verdicts, witnesses, controls),
        verdicts=verdicts,
        controls=controls,
    )


def sample_run(**changes) -> tuple[Project, list[StatementRef]]:
    """The project (with `changes`) and all its statements."""
    project = replace(PROJECT, **changes)
    earlier = road()
    return project, [*earlier, verdict_of(project, earlier)]


def large_forest(rows: int) -> ForestFigure:
    """A forest of many groups with long names and gaps."""
    return ForestFigure(
        name="many",
        title="Many groups",
        caption="All of them.",
        x_label="sensitivity",
        bound=0.8,
        rows=tuple(
            ForestRow(
                group=f"column {at // 10}",
                label=LONG if at % 7 == 0 else f"group {at}",
                value=None if at % 11 == 0 else 0.5 + at % 10 / 20,
                low=None if at % 11 == 0 else 0.4 + at % 10 / 20,
                high=None if at % 11 == 0 else 0.55 + at % 10 / 20,
                n=at * 137,
            )
            for at in range(rows)
        ),
    )


def free_flow() -> FlowFigure:
    """A flow with a long name, a loop back and a node without edges."""
    return FlowFigure(
        name="flow",
        title="A flow",
        caption="Any boxes.",
        nodes=(("a", "start"), ("b", LONG), ("c", "alone"), ("d", "end")),
        edges=(("a", "b", "x"), ("b", "d", "y"), ("d", "a", "back"), ("a", "d", "x")),
    )
