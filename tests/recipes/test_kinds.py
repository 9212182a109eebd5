from __future__ import annotations

import inspect
from importlib import import_module

import pytest

from pupil.errors import UsageError
from pupil.recipes.kinds import TASKS, Kind, kind_of

ASKED = [name for name, each in vars(Kind).items() if inspect.isfunction(each) and not name.startswith("_")]


@pytest.mark.parametrize("task", TASKS)
def test_every_task_answers_what_a_finished_run_asks(task: str) -> None:
    kind = kind_of({"task": task})
    assert kind is import_module(f"pupil.recipes.{task}")
    assert {"task_from", "validation_from", "view_of", "writer"} <= set(ASKED)
    for name in ASKED:
        # A module is asked without `self`.
        asked = list(inspect.signature(getattr(Kind, name)).parameters.values())[1:]
        given = inspect.signature(getattr(kind, name)).parameters
        assert [(each.name, each.kind, each.default) for each in asked] == [
            (each.name, each.kind, each.default) for each in given.values()
        ]


def test_a_task_of_a_later_version_is_refused() -> None:
    line = r"^expected a run of segmentation or classification or lanes or detection, got 'depth': update pupil$"
    with pytest.raises(UsageError, match=line):
        kind_of({"task": "depth"})
