"""ONNX models: inspect, load, run; what a model says of itself lies in its metadata."""

from titian.models.adaptation import adapt, find_ports
from titian.models.card import Card, order_classes, read_card, with_card
from titian.models.facts import ModelFacts, model_facts
from titian.models.inspection import parse_model
from titian.models.model import OnnxModel, decide, load_model
from titian.models.session import resize_images

__all__ = [
    "Card",
    "ModelFacts",
    "OnnxModel",
    "adapt",
    "decide",
    "find_ports",
    "load_model",
    "model_facts",
    "order_classes",
    "parse_model",
    "read_card",
    "resize_images",
    "with_card",
]
