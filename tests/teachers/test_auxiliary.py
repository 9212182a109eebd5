"""A teacher on the student's features: what reaches whom, and what is left behind."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from pupil.distiller import Distiller, Term
from pupil.errors import UsageError
from pupil.lesson import Activations, Lesson, outputs, supervised
from pupil.losses import KDLoss
from pupil.taps import Tapped
from pupil.teachers import AuxiliaryTeacher
from pupil.teachers.auxiliary import taught

IMAGE = torch.rand(8, 4, generator=torch.Generator().manual_seed(0))
TARGET = torch.arange(8) % 3


class Refines(nn.Module):
    """The smallest self-teacher: it scales each feature, and classifies the last."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([2.0, 3.0]))
        self.classifier = nn.Linear(6, 3)

    def forward(self, features: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        refined = [scale * each for scale, each in zip(self.scale, features, strict=True)]
        return self.classifier(refined[-1]), refined


def student() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3))


def distiller() -> Distiller:
    terms = {
        "task": Term(nn.CrossEntropyLoss(), supervised),
        "teacher": Term(nn.CrossEntropyLoss(), taught(supervised)),
        "kd": Term(KDLoss(temperature=4.0), outputs),
    }
    return Distiller(Tapped(student(), ["1", "3"]), AuxiliaryTeacher(Refines(), ["1", "3"]), terms)


def gradients(whole: Distiller, term: str) -> dict[str, Tensor | None]:
    found = torch.autograd.grad(whole(IMAGE, TARGET)[term], list(whole.parameters()), allow_unused=True)
    return dict(zip(dict(whole.named_parameters()), found, strict=True))


def test_it_gives_the_features_in_the_order_of_its_layers_and_names_what_comes_back():
    features = {"b": torch.full((2, 6), 5.0), "unread": torch.zeros(1), "a": torch.full((2, 4), 7.0)}
    shown = AuxiliaryTeacher(Refines(), ["a", "b"])(Lesson(None, None, Activations(None, features)))
    assert torch.equal(shown.features["a"], 2 * features["a"])
    assert torch.equal(shown.features["b"], 3 * features["b"])
    assert list(shown.features) == ["a", "b"]
    assert shown.output.shape == (2, 3)


def test_features_pass_their_maps_on_the_way():
    features = {"a": torch.tensor([[-1.0, 2.0]]), "b": torch.ones(1, 6)}
    teacher = AuxiliaryTeacher(Refines(), ["a", "b"], maps=[nn.ReLU(), nn.Identity()])
    assert teacher(Lesson(None, None, Activations(None, features))).features["a"].tolist() == [[0.0, 4.0]]


def test_its_labels_train_the_student_below_its_layers_too():
    found = gradients(distiller(), "teacher")
    reached = {name for name, each in found.items() if each is not None and each.abs().sum() > 0}
    assert reached == {
        *(f"student.model.{layer}.{kind}" for layer in (0, 2) for kind in ("weight", "bias")),
        *(f"teacher.network.{name}" for name in ("scale", "classifier.weight", "classifier.bias")),
    }


def test_distillation_trains_the_student_alone():
    found = gradients(distiller(), "kd")
    assert {name for name, each in found.items() if each is not None} == {
        f"student.model.{layer}.{kind}" for layer in (0, 2, 4) for kind in ("weight", "bias")
    }


def test_it_is_trained_and_the_student_leaves_without_it():
    whole = distiller().train()
    before = copy.deepcopy(whole.teacher.state_dict())
    optimizer = torch.optim.SGD(whole.parameters(), lr=0.1)
    sum(whole(IMAGE, TARGET).values()).backward()
    optimizer.step()
    assert all(not torch.equal(value, before[name]) for name, value in whole.teacher.state_dict().items())
    assert whole.teacher.training
    assert not whole.eval().teacher.training
    assert list(whole.student.release().state_dict()) == list(student().state_dict())


def test_the_tasks_own_inputs_find_the_teacher_in_the_students_place():
    lesson = Lesson("image", "target", Activations("student", {"aux": 1}), Activations("teacher", {"layer": 2}))
    seen = taught(lambda each: (each,))(lesson)[0]
    assert seen == replace(lesson, student=lesson.teacher)


def test_refusals():
    with pytest.raises(UsageError, match=r"expected 'c' among the features of the student, got a, b: add it"):
        AuxiliaryTeacher(Refines(), ["a", "c"])(Lesson(None, None, Activations(None, {"a": IMAGE, "b": IMAGE})))
    with pytest.raises(UsageError, match="need a teacher, got a lesson without one"):
        taught(supervised)(Lesson(None, None, Activations(None)))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda whole: pickle.loads(pickle.dumps(whole))])
def test_copies_are_whole(duplicate):
    whole = distiller()
    for name, value in duplicate(whole)(IMAGE, TARGET).items():
        torch.testing.assert_close(value, whole(IMAGE, TARGET)[name])
