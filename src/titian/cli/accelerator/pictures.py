"""Pictures of the accelerator commands as SVG files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from titian.errors import InputError, Problem

if TYPE_CHECKING:
    from titian.values import Figure


def write_figures(figures: Iterable[Figure], folder: Path) -> list[str]:
    """Write each figure as ``NAME.svg`` and return the paths.

    Raises:
        InputError: T-C026, the folder cannot be written to.
    """
    from titian.dossier.svg import PRINT, draw

    written = []
    for figure in figures:
        path = folder / f"{figure.name}.svg"
        text = draw(figure, PRINT, figure.name)
        if "xmlns=" not in text[:300]:
            text = text.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise InputError(
                Problem(
                    code="T-C026",
                    message=f"{path} cannot be written ({error.strerror or error}).",
                    remedy="Name a folder that can be written to with --figures.",
                )
            ) from error
        written.append(str(path))
    return written
