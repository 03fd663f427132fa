"""ONNX models: inspect, load, run; what a model says of itself lies in its metadata."""

from titian.models.card import Card, read_card, with_card
from titian.models.facts import ModelFacts, model_facts
from titian.models.inspection import parse_model
from titian.models.model import OnnxModel, decide, load_model
from titian.models.session import resize_images

__all__ = [
    "Card",
    "ModelFacts",
    "OnnxModel",
    "decide",
    "load_model",
    "model_facts",
    "parse_model",
    "read_card",
    "resize_images",
    "with_card",
]
