"""External data: bytes without a format of their own, which a model beside them describes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from titian.validation.scan.examination import Outside
from titian.validation.scan.reason import REMEDIES, Reason, Report

_NOTHING_ELSE: Final = "T-S001"  # the one reason that a description by a model answers


def settled(
    found: Mapping[str, tuple[Report, tuple[Outside, ...]]],
) -> dict[str, tuple[Report, tuple[Outside, ...]]]:
    """Return the reports with models and their external data held against each other.

    Args:
        found: absolute path to the report and to what the file takes from others.
    """
    result = dict(found)
    asked: dict[str, list[str]] = {}
    for path, (report, outside) in found.items():
        reasons = list(report.reasons)
        for one in outside:
            target = str(Path(os.path.normpath(Path(path).parent / one.location)))
            what = _lacking(target, one, found)
            if what:
                reasons.append(
                    Reason(
                        code="T-S040", where=f"{one.where}: {what}", remedy=REMEDIES["T-S040"]
                    )
                )
            asked.setdefault(target, []).append(path)
        result[path] = (
            replace(report, allowed=not reasons, reasons=tuple(reasons[:50])),
            outside,
        )
    for target, models in asked.items():
        if target in result and all(result[model][0].allowed for model in models):
            report, outside = result[target]
            codes = {reason.code for reason in report.reasons}
            if codes == {_NOTHING_ELSE}:
                data = replace(report, format="onnx data", allowed=True, reasons=())
                result[target] = (data, outside)
    return result


def _lacking(
    target: str, one: Outside, found: Mapping[str, tuple[Report, tuple[Outside, ...]]]
) -> str:
    """Return what is wrong with external data, or nothing."""
    if target not in found:
        return f"external data at {one.location!r:.200} are not among the files given"
    report = found[target][0]
    codes = {reason.code for reason in report.reasons}
    if codes - {_NOTHING_ELSE}:
        return f"external data at {one.location!r:.200} are refused"
    size = os.lstat(target).st_size
    end = one.offset + (one.length if one.length is not None else 0)
    if end > size:
        return f"external data at {one.location!r:.200}: {end} bytes are claimed of {size}"
    return ""
