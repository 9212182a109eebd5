"""Methods: one function a method, wiring and sizing a distiller for any student, teacher and task."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from pupil.errors import unknown
from pupil.methods.plan import Plan
from pupil.paper import Paper

CONTROLS = ("none", "label-smoothing")  # no distillation
DETECTION = ("mimic", "fbkd", "aid", "aid-self", "pkd", "fgd")  # those that compare the pyramids of two detectors
SELF_DISTILLATION = ("tf-kd", "cs-kd", "ps-kd", "byot", "bake", "frskd", "sad")
# In the order in which they are listed to readers.
NAMES = (
    *CONTROLS,
    *("kd", "dkd", "dist", "stkd"),  # logits
    *("hint", "attention"),  # features of an image
    *("icsd", "aicsd", "pairwise", "cwd"),  # segmentation: classes and positions of an image
    *("similarity", "cckd", "rkd", "pkt"),  # relations between images
    *SELF_DISTILLATION,
    *DETECTION,
)
ALONE = (*CONTROLS, *SELF_DISTILLATION)  # those that ask no teacher
WHOLE = ("bake", "cs-kd")  # those that need one class for a whole image
ALIASES = {"at": "attention", "fitnet": "hint", "skd": "pairwise", "sp": "similarity"}

Method = Callable[..., Plan]


def method_name(name: str) -> str:
    """The one name of a method, from that name, from that of its function, or from a short name of the field.

    Raises:
        UsageError: for a name that is neither; the closest are listed.

    Example:
        >>> method_name("sp"), method_name("label_smoothing")
        ('similarity', 'label-smoothing')
    """
    found = ALIASES.get(name, name.replace("_", "-"))
    if found not in NAMES:
        raise unknown("method", name, [*NAMES, *ALIASES])
    return found


def load_method(name: str) -> Method:
    """The function of a method: file and function bear its name."""
    found = method_name(name).replace("-", "_")
    method: Method = getattr(import_module(f"pupil.methods.{found}"), found)
    return method


def paper_of(name: str) -> Paper | None:
    """The paper that a method comes from, or None.

    Example:
        >>> paper_of("aid") == paper_of("aid-self"), paper_of("none")
        (True, None)
    """
    paper: Paper | None = getattr(import_module(load_method(name).__module__), "PAPER", None)
    return paper
