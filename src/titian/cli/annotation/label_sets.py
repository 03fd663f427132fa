"""Label sets that a command writes: whole or not at all, and never an empty shell."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from titian.errors import InputError, Problem

if TYPE_CHECKING:
    from titian.annotation.formats import Format, Loss
    from titian.annotation.shapes import LabelSet


def write_label_set(
    writing: Format, label_set: LabelSet, target: Path, media: Path | None
) -> tuple[Loss, ...]:
    """Write beside the target and rename, so that a failure leaves nothing half done.

    Raises:
        InputError: T-A413 the format has no place for any of the annotations; as the writer.
    """
    from tempfile import mkdtemp

    aside = Path(mkdtemp(prefix=".titian-", dir=target.resolve().parent))
    try:
        losses = writing.write(label_set, aside / target.name, media)
        _require_some(writing, label_set, losses)
        (aside / target.name).rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return losses


def _require_some(writing: Format, label_set: LabelSet, losses: tuple[Loss, ...]) -> None:
    whole = len(label_set.annotations)
    left_out = [loss for loss in losses if loss.what.startswith("annotations (")]
    if not whole or sum(loss.count for loss in left_out) < whole:
        return
    kinds = [loss.what.removeprefix("annotations (").removesuffix(")") for loss in left_out]
    what = ", ".join(f"{x.count} {kind}" for x, kind in zip(left_out, kinds, strict=True))
    raise InputError(
        Problem(
            code="T-A413",
            message=f"{writing.title} has no place for any of {whole} annotations ({what}): "
            "nothing was written.",
            remedy="Choose a format for what they are about: images, text or recordings.",
        )
    )
