from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pupil.distiller import Distiller, Term
from pupil.lesson import Activations, Lesson, outputs, supervised
from pupil.taps import Tapped
from pupil.teachers import FrozenTeacher

IMAGE = torch.rand(8, 4, generator=torch.Generator().manual_seed(0))
LESSON = Lesson(IMAGE, None, Activations(None))


class SquaredError(nn.Module):
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        return (student - teacher.detach()).square().mean()


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.5), nn.Linear(6, 3))


def state(model: nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(model.state_dict())


def assert_same(model: nn.Module, before: dict[str, Tensor]) -> None:
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_is_hidden_from_optimizer_checkpoint_and_modules() -> None:
    teacher = FrozenTeacher(network(), ["0"])
    assert list(teacher.parameters()) == list(teacher.buffers()) == []
    assert teacher.state_dict() == {}
    assert list(teacher.modules()) == [teacher]
    teacher.load_state_dict({}, strict=True)


def test_shows_output_and_features_without_gradients() -> None:
    model = network()
    shown = FrozenTeacher(model, ["0"])(LESSON)
    assert torch.equal(shown.output, model(IMAGE))
    assert list(shown.features) == ["0"]
    assert not shown.output.requires_grad
    assert not shown.features["0"].requires_grad


def test_its_call_sees_image_and_target_of_the_lesson() -> None:
    def call(model: nn.Module, image: Tensor, target: Any) -> Activations:
        return Activations((image, target))

    lesson = Lesson(IMAGE, "target", Activations(None))
    assert FrozenTeacher(network(), call=call)(lesson).output == (IMAGE, "target")


def everything(model: nn.Module) -> None:
    model.train()


def a_part(model: nn.Module) -> None:
    model[1].train()  # type: ignore[index]


@pytest.mark.parametrize("wake", [everything, a_part])
def test_stays_in_evaluation_mode_whoever_calls_train(wake: Callable[[nn.Module], None]) -> None:
    model = network()
    teacher = FrozenTeacher(model)
    before, expected = state(model), teacher(LESSON).output
    teacher.train()
    wake(model)
    assert torch.equal(teacher(LESSON).output, expected)
    assert_same(model, before)


def test_is_bit_identical_after_training_steps() -> None:
    model = network()
    terms = {"task": Term(nn.CrossEntropyLoss(), supervised), "match": Term(SquaredError(), outputs)}
    distiller = Distiller(Tapped(network()), FrozenTeacher(model), terms).train()
    before, student = state(model), state(distiller.student)
    optimizer = torch.optim.SGD(distiller.parameters(), lr=0.1, weight_decay=0.1)
    for _ in range(3):
        sum(distiller(IMAGE, torch.arange(8) % 3).values()).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert_same(model, before)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not torch.equal(distiller.student.model[0].weight, student["model.0.weight"])


@pytest.mark.parametrize("where", [torch.float64, "meta"])
def test_follows_the_module_that_holds_it(where: Any) -> None:
    teacher = FrozenTeacher(network())
    distiller = Distiller(Tapped(network()), teacher, {})
    distiller.to(where)
    weight = teacher.model[0].weight  # type: ignore[index]
    assert where in (weight.dtype, weight.device.type)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda teacher: pickle.loads(pickle.dumps(teacher))])
def test_copies_are_whole_and_independent(duplicate: Callable[[FrozenTeacher], FrozenTeacher]) -> None:
    teacher = FrozenTeacher(network(), ["0"])
    expected = teacher(LESSON)
    twin = duplicate(teacher)
    with torch.no_grad():
        teacher.model[3].bias += 1.0  # type: ignore[index]
    shown = twin(LESSON)
    assert torch.equal(shown.output, expected.output)
    assert torch.equal(shown.features["0"], expected.features["0"])
    assert not torch.equal(teacher(LESSON).output, expected.output)
