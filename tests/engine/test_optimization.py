from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from pupil.distiller import Distiller, Term
from pupil.engine.optimization import check_optimizers, learning_rate_factor, make_optimizer, set_learning_rate
from pupil.engine.options import Training
from pupil.errors import UsageError
from pupil.lesson import supervised
from pupil.taps import Tapped
from pupil.teachers import FrozenTeacher


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("poly", [1.0, 0.75**0.9, 0.5**0.9, 0.0]),
        ("cosine", [1.0, (1 + math.cos(math.pi / 4)) / 2, 0.5, 0.0]),
        ("constant", [1.0, 1.0, 1.0, 1.0]),
    ],
)
@pytest.mark.parametrize("warmup", [0.0, 0.2])
def test_the_rate_follows_its_schedule_after_the_warmup(schedule: str, warmup: float, expected: list[float]) -> None:
    options = Training(schedule=schedule, warmup=warmup)
    moments = [warmup + done * (1 - warmup) for done in (0.0, 0.25, 0.5, 1.0)]
    assert [learning_rate_factor(each, options) for each in moments] == pytest.approx(expected)


def test_the_warmup_is_a_straight_line_that_never_starts_at_zero() -> None:
    options = Training(warmup=0.5)
    found = [learning_rate_factor(progress, options) for progress in (0.0, 0.1, 0.25, 0.5)]
    assert found == pytest.approx([0.01, 0.2, 0.5, 1.0])


@pytest.mark.parametrize("schedule", ["poly", "cosine", "constant"])
@pytest.mark.parametrize("steps", [1, 3, 1000])
def test_the_first_and_the_last_step_move(schedule: str, steps: int) -> None:
    options = Training(schedule=schedule, steps=steps)
    for step in (0, steps - 1):
        assert 0.0 < learning_rate_factor(step / steps, options) <= 1.0


def test_every_group_gets_the_rate() -> None:
    optimizer = torch.optim.SGD([{"params": [nn.Parameter(torch.zeros(1))]} for _ in range(2)], lr=1.0)
    rate = set_learning_rate(optimizer, 0.5, Training(learning_rate=0.3, warmup=0.0))
    assert rate == pytest.approx(0.15)
    assert [group["lr"] for group in optimizer.param_groups] == [rate, rate]


@pytest.mark.parametrize(("name", "kind"), [("sgd", torch.optim.SGD), ("adamw", torch.optim.AdamW)])
def test_the_optimizer_is_the_one_that_is_named(name: str, kind: type) -> None:
    options = Training(optimizer=name, learning_rate=0.3, weight_decay=0.2, momentum=0.7)
    optimizer = make_optimizer(iter([nn.Parameter(torch.zeros(1))]), options)
    assert isinstance(optimizer, kind)
    assert optimizer.defaults["lr"] == 0.3
    assert optimizer.defaults["weight_decay"] == 0.2
    assert optimizer.defaults.get("momentum") == (0.7 if name == "sgd" else None)


def test_nothing_to_train_is_refused() -> None:
    with pytest.raises(UsageError, match="expected a student that learns, got no parameter"):
        make_optimizer([], Training())


def distiller(teacher: nn.Module | None = None) -> Distiller:
    frozen = FrozenTeacher(teacher or nn.Linear(4, 3))
    return Distiller(Tapped(nn.Linear(4, 3)), frozen, {"task": Term(nn.CrossEntropyLoss(), supervised)})


def sgd(*parameters: nn.Parameter) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.1)


def test_each_parameter_in_one_optimizer_is_right() -> None:
    ours = distiller()
    weight, bias = ours.parameters()
    check_optimizers(ours, [sgd(weight, bias)])
    check_optimizers(ours, [sgd(weight), sgd(bias)])
    bias.requires_grad_(False)
    check_optimizers(ours, [sgd(weight)])


@pytest.mark.parametrize(("times", "expected"), [(0, "got it in 0"), (2, "got it in 2")])
def test_a_parameter_in_no_optimizer_or_in_two_is_named(times: int, expected: str) -> None:
    ours = distiller()
    weight, bias = ours.parameters()
    with pytest.raises(UsageError, match=f"'student.model.bias' in exactly one optimizer, {expected}"):
        check_optimizers(ours, [sgd(weight), *(sgd(bias) for _ in range(times))])


def test_a_layer_shared_with_the_teacher_is_named() -> None:
    shared = nn.Linear(4, 4)
    student, teacher = (nn.Sequential(shared, nn.Linear(4, 3)) for _ in range(2))
    ours = Distiller(Tapped(student), FrozenTeacher(teacher), {"task": Term(nn.CrossEntropyLoss(), supervised)})
    with pytest.raises(UsageError, match=r"got '0.weight' of the teacher among the student's parameters"):
        check_optimizers(ours, [sgd(*ours.parameters())])
    shared.requires_grad_(False)
    check_optimizers(ours, [sgd(*student[1].parameters())])


def test_a_teacher_that_trains_is_welcome() -> None:
    class Learning(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = nn.Linear(4, 3)

        def forward(self, lesson: object) -> object:
            return lesson

    ours = Distiller(Tapped(nn.Linear(4, 3)), Learning(), {"task": Term(nn.CrossEntropyLoss(), supervised)})
    check_optimizers(ours, [sgd(*ours.parameters())])
