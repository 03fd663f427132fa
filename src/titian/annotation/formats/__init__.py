"""Formats of labels: each is read into a `LabelSet` and written from one.

One module a format, with ``read(path) -> LabelSet`` and
``write(label_set, path) -> tuple[Loss, ...]``; `FORMATS` lists them by name.
"""

from titian.annotation.formats.loss import Loss
from titian.annotation.formats.registry import FORMATS, Format, format_named

__all__ = ["FORMATS", "Format", "Loss", "format_named"]
