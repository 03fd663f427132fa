"""A file or folder, known by its SHA-256 digest."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One input or output of a stage.

    Attributes:
        kind: typed port, such as ``records``, ``split``, ``model.fp32``, ``predictions``.
        name: file name within the stage's folder.
        digest: SHA-256 in lower-case hex; of a folder, the root of its manifest.
        size_bytes: length of the file, or the sum over the folder.
    """

    kind: str
    name: str
    digest: str
    size_bytes: int
