"""Recipes that make a model from the training part, and say how it was made."""

from titian.training.block import TrainingBlock, TrainSettings
from titian.training.stage import TRAIN

__all__ = ["TRAIN", "TrainSettings", "TrainingBlock"]
