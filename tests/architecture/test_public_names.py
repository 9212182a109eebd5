"""The public names are a fact under test: each resolves, is documented, and shows up in `dir()`."""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module
from types import ModuleType

import pytest

import pupil

ROOMS = ["pupil", *(f"pupil.{module.name}" for module in pkgutil.iter_modules(pupil.__path__) if module.ispkg)]
FACES = {name: face for name in ROOMS if hasattr(face := import_module(name), "__all__")}
NAMES = [(face, name) for face in FACES for name in FACES[face].__all__]


@pytest.mark.parametrize(("face", "name"), NAMES)
def test_resolves_and_is_documented(face: str, name: str) -> None:
    value = getattr(FACES[face], name)
    assert name in dir(FACES[face])
    if inspect.isclass(value) or inspect.isroutine(value):
        text = vars(value).get("__doc__") if inspect.isclass(value) else value.__doc__
        # A dataclass without a docstring gets its signature as one.
        assert text, f"{face}.{name} has no docstring"
        assert not text.startswith(f"{name}("), f"{face}.{name} has no docstring of its own"


@pytest.mark.parametrize("face", FACES)
def test_a_face_lists_each_name_once_and_nothing_private(face: str) -> None:
    names = FACES[face].__all__
    assert len(set(names)) == len(names)
    assert not [name for name in names if name.startswith("_")]


@pytest.mark.parametrize(("face", "suffix"), [("pupil.losses", "Loss"), ("pupil.teachers", "Teacher")])
def test_every_loss_and_teacher_is_shown(face: str, suffix: str) -> None:
    room = FACES[face]
    modules = [import_module(f"{face}.{module.name}") for module in pkgutil.iter_modules(room.__path__)]
    written = {name for module in modules for name in own_classes(module) if name.endswith(suffix)}
    assert written
    assert written <= set(room.__all__)


def own_classes(module: ModuleType) -> list[str]:
    return [name for name, value in inspect.getmembers(module, inspect.isclass) if value.__module__ == module.__name__]


def test_the_faces_were_visited() -> None:
    assert {"pupil", "pupil.losses", "pupil.teachers"} <= set(FACES)
    assert len(NAMES) > 30


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Distller'"):
        _ = pupil.Distller
