"""Every stage that Titian knows, one line each.

To add a stage, write it in its domain and name it here; ports decide the order of a run,
this list only the order among stages that are ready at once.
"""

from __future__ import annotations

from typing import Any

from titian.annotation.stage import ANNOTATE
from titian.dataset.stage import INGEST, INGEST_ANNOTATED, SPLIT
from titian.dossier.stage import VERDICT
from titian.stage import Stage
from titian.training.stage import TRAIN
from titian.validation.disparity.stage import DISPARITY
from titian.validation.predict import PREDICT
from titian.validation.speed.stage import SPEED
from titian.validation.stage import VALIDATE
from titian.validation.vendor import ADMIT

STAGES: tuple[Stage[Any], ...] = (
    ANNOTATE,
    INGEST,
    INGEST_ANNOTATED,
    SPLIT,
    TRAIN,
    ADMIT,
    PREDICT,
    VALIDATE,
    DISPARITY,
    SPEED,
    VERDICT,
)
