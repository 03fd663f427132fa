"""Fusion: one label set from the shapes, spans and segments that several workers drew."""

from titian.annotation.fusion.merge import merge
from titian.annotation.fusion.result import Merged, WorkerQuality

__all__ = ["Merged", "WorkerQuality", "merge"]
