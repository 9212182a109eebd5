"""Models: our own small nets, and the doors to everybody else's."""

from pupil.models.load import FAMILIES, count_parameters, load_model, model_names
from pupil.models.preprocessing import CIFAR, IMAGENET, PLAIN, Preprocessing, attach

__all__ = [
    "CIFAR",
    "FAMILIES",
    "IMAGENET",
    "PLAIN",
    "Preprocessing",
    "attach",
    "count_parameters",
    "load_model",
    "model_names",
]
