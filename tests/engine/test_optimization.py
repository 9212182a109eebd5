from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from pupil.distiller import Distiller, Term
from pupil.engine.optimization import (
    check_optimizers,
    find_backbone,
    learning_rate_factor,
    make_optimizers,
    parameters_of,
    set_learning_rates,
)
from pupil.engine.options import Training
from pupil.errors import UsageError
from pupil.lesson import outputs, supervised
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


def test_the_rate_falls_to_a_tenth_at_each_milestone() -> None:
    options = Training(schedule="step", milestones="0.5,0.75", warmup=0.0)
    found = [learning_rate_factor(progress, options) for progress in (0.0, 0.49, 0.5, 0.74, 0.75, 1.0)]
    assert found == pytest.approx([1.0, 1.0, 0.1, 0.1, 0.01, 0.01])


@pytest.mark.parametrize("schedule", ["poly", "cosine", "step", "constant"])
@pytest.mark.parametrize("steps", [1, 3, 1000])
def test_the_first_and_the_last_step_move(schedule: str, steps: int) -> None:
    options = Training(schedule=schedule, steps=steps)
    for step in (0, steps - 1):
        assert 0.0 < learning_rate_factor(step / steps, options) <= 1.0


def test_every_group_keeps_its_own_highest_rate() -> None:
    options = Training(learning_rate=0.3, head_rate=10.0, warmup=0.0)
    ours = distiller(nn.Linear(4, 3), student=nn.ModuleDict({"backbone": nn.Linear(4, 4), "head": nn.Linear(4, 3)}))
    optimizers = make_optimizers(ours, options)
    assert set_learning_rates(optimizers, 0.5, options) == pytest.approx(0.15)
    assert [group["lr"] for group in optimizers[0].param_groups] == pytest.approx([0.15, 1.5])
    members = [[id(each) for each in group["params"]] for group in optimizers[0].param_groups]
    student = ours.student.model
    assert members == [[id(each) for each in student[part].parameters()] for part in ("backbone", "head")]


@pytest.mark.parametrize(("name", "kind"), [("sgd", torch.optim.SGD), ("adamw", torch.optim.AdamW)])
def test_the_optimizer_is_the_one_that_is_named(name: str, kind: type) -> None:
    options = Training(optimizer=name, learning_rate=0.3, weight_decay=0.2, momentum=0.7)
    (optimizer,) = make_optimizers(distiller(), options)
    assert isinstance(optimizer, kind)
    assert optimizer.defaults["lr"] == 0.3
    assert optimizer.defaults["weight_decay"] == 0.2
    assert optimizer.defaults.get("momentum") == (0.7 if name == "sgd" else None)


def test_a_term_may_bring_an_optimizer_of_its_own() -> None:
    ours = distiller(critic=Term(Critic(), outputs))
    options = Training(learning_rate=0.1, warmup=0.0)
    first, second = make_optimizers(ours, options, {"critic": lambda own: torch.optim.Adam(own, lr=4e-4)})
    assert isinstance(second, torch.optim.Adam)
    assert parameters_of(second) == list(ours.terms["critic"].parameters())
    assert parameters_of(first) == list(ours.student.parameters())
    check_optimizers(ours, [first, second])
    set_learning_rates([first, second], 0.5, options)
    assert second.param_groups[0]["lr"] == pytest.approx(2e-4)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("critik", "unknown term 'critik'"), ("task", "expected term 'task' to bring parameters for its optimizer")],
)
def test_an_optimizer_of_no_term_or_of_one_without_parameters_is_refused(name: str, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        make_optimizers(distiller(critic=Term(Critic(), outputs)), Training(), {name: torch.optim.Adam})


def test_nothing_to_train_is_refused() -> None:
    ours = distiller()
    ours.requires_grad_(False)
    with pytest.raises(UsageError, match="expected a student that learns, got no parameter"):
        make_optimizers(ours, Training())


def test_the_backbone_is_the_outermost_part_of_that_name_or_the_one_that_is_named() -> None:
    inner = nn.ModuleDict({"encoder": nn.ModuleDict({"backbone": nn.Linear(1, 1)}), "neck": nn.Linear(1, 1)})
    model = nn.ModuleDict({"body": inner, "head": nn.Linear(1, 1)})
    assert find_backbone(model) == [inner["encoder"]]
    assert find_backbone(model, "body.neck, head") == [inner["neck"], model["head"]]
    with pytest.raises(UsageError, match=r"unknown part of the student as --backbone 'body.nek'.*body.neck"):
        find_backbone(model, "body.nek")
    with pytest.raises(UsageError, match="a part named backbone or encoder in the student, got one,two: pass those"):
        find_backbone(nn.ModuleDict({"one": nn.Linear(1, 1), "two": nn.Linear(1, 1)}))


class Critic(nn.Module):
    """A loss with parameters of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.judge = nn.Linear(3, 1)

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        judged: Tensor = self.judge(teacher.detach()).mean() - self.judge(student.detach()).mean()
        return judged


def distiller(teacher: nn.Module | None = None, *, student: nn.Module | None = None, **terms: Term) -> Distiller:
    frozen = FrozenTeacher(teacher or nn.Linear(4, 3))
    student = student or nn.Linear(4, 3)
    return Distiller(Tapped(student), frozen, {"task": Term(nn.CrossEntropyLoss(), supervised), **terms})


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
