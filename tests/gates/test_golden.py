"""Pages that are generated from the code say what the code says; `make golden` writes them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from typing import Any

from tests.gates.hygiene import ROOT
from titian.stage import Stage

STAGES_PAGE = ROOT / "docs" / "reference" / "stages.md"
HEAD = """# Stages

<!-- Written by `make golden` from src/titian/pipeline/registry.py. -->

A stage turns artifacts into artifacts, measurements and findings. Stages are joined by the
*kinds* of artifact they read and write: a run orders them so that each kind is made before
it is read. [Architecture](../explanation/architecture.md#kinds-of-artifact) says what each
kind holds, [Add a stage](../howto/add-a-stage.md) how to write one.

`source` is the data folder, `statements` the run's earlier statements and `vendor` the file
that `model.onnx` names; the run itself gives these three.
"""


def kinds(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "nothing"


def section(stage: Stage[Any]) -> Iterator[str]:
    yield f"\n## {stage.name}\n"
    yield f"{stage.summary.strip()}\n"
    yield "| | |\n|---|---|"
    yield f"| reads | {kinds(stage.reads)} |"
    yield f"| writes | {kinds(stage.writes)} |"
    yield f"| block | {f'`{stage.block}`' if stage.block else 'none of its own'} |"
    if stage.block_type is not None and dataclasses.is_dataclass(stage.block_type):
        keys = ", ".join(f"`{field.name}`" for field in dataclasses.fields(stage.block_type))
        yield f"| keys | {keys} |"


def stages_page() -> str:
    from titian.pipeline.registry import STAGES

    return HEAD + "\n".join(line for stage in STAGES for line in section(stage)) + "\n"


def test_golden_page_of_stages() -> None:
    page = stages_page()
    if os.environ.get("TITIAN_GOLDEN") == "write":
        STAGES_PAGE.write_text(page)
    assert STAGES_PAGE.read_text() == page, "run `make golden` and review the difference"
