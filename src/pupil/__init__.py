"""Pupil makes vision models smaller and better by knowledge distillation.

    from pupil import Distiller, FrozenTeacher, Tapped, Term, dense_outputs, supervised
    from pupil.losses import ICSDLoss

The names below load when they are first used, so that `import pupil` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "Activations": "lesson",
    "Classification": "recipes.options",
    "Detection": "recipes.options",
    "Distiller": "distiller",
    "FrozenTeacher": "teachers",
    "Lanes": "recipes.options",
    "Lesson": "lesson",
    "Run": "run",
    "Segmentation": "recipes.options",
    "Share": "schedules",
    "Tapped": "taps",
    "Term": "distiller",
    "UsageError": "errors",
    "balance": "engine.balance",
    "classification": "recipes.classification",
    "dense_outputs": "lesson",
    "detection": "recipes.detection",
    "dry_run": "taps",
    "features": "lesson",
    "lanes": "recipes.lanes",
    "load_model": "models",
    "load_trained": "recipes.trained",
    "outputs": "lesson",
    "segmentation": "recipes.segmentation",
    "supervised": "lesson",
}

__all__ = [
    "Activations",
    "Classification",
    "Detection",
    "Distiller",
    "FrozenTeacher",
    "Lanes",
    "Lesson",
    "Run",
    "Segmentation",
    "Share",
    "Tapped",
    "Term",
    "UsageError",
    "balance",
    "classification",
    "dense_outputs",
    "detection",
    "dry_run",
    "features",
    "lanes",
    "load_model",
    "load_trained",
    "outputs",
    "segmentation",
    "supervised",
]

if TYPE_CHECKING:
    from pupil.distiller import Distiller, Term
    from pupil.engine.balance import balance
    from pupil.errors import UsageError
    from pupil.lesson import Activations, Lesson, dense_outputs, features, outputs, supervised
    from pupil.models import load_model
    from pupil.recipes.classification import classification
    from pupil.recipes.detection import detection
    from pupil.recipes.lanes import lanes
    from pupil.recipes.options import Classification, Detection, Lanes, Segmentation
    from pupil.recipes.segmentation import segmentation
    from pupil.recipes.trained import load_trained
    from pupil.run import Run
    from pupil.schedules import Share
    from pupil.taps import Tapped, dry_run
    from pupil.teachers import FrozenTeacher


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'pupil' has no attribute {name!r}")
    return getattr(import_module(f"pupil.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
