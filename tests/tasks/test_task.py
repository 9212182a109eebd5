from __future__ import annotations

import inspect

import pytest

from pupil.tasks.segmentation import SegmentationTask
from pupil.tasks.segmentation_metrics import SegmentationMetrics
from pupil.tasks.task import Metrics, Task

TASKS = [SegmentationTask(["road", "car"])]
METHODS = [name for name, member in vars(Task).items() if inspect.isfunction(member) and not name.startswith("_")]


def parameters(function: object) -> list[str]:
    return [name for name, each in inspect.signature(function).parameters.items() if each.kind is not each.VAR_KEYWORD]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@pytest.mark.parametrize("method", METHODS)
def test_every_task_takes_what_the_protocol_says(task: Task, method: str) -> None:
    assert ["self", *parameters(getattr(task, method))] == parameters(getattr(Task, method))


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_every_task_says_its_name_and_what_it_is_measured_by(task: Task) -> None:
    assert task.name
    assert task.metric
    assert list(task.classes) == ["road", "car"]


def test_the_protocol_is_whole() -> None:
    assert set(METHODS) == {"call", "objective", "predict", "metrics", "draw"}


def test_metrics_update_and_compute() -> None:
    counted: Metrics = TASKS[0].metrics()
    assert isinstance(counted, SegmentationMetrics)
    assert parameters(counted.update) == ["prediction", "target"]
