"""The contract of every method for detectors: one step trains, the teacher stays as it is, and misfits are refused."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest
import torch
from torch import nn

from methods.detectors import CLASSES, IMAGE, TASK, narrow, pair, planned
from pupil.engine.balance import balance
from pupil.engine.reached import freeze_unreached
from pupil.errors import UsageError
from pupil.methods import DETECTION, load_method
from pupil.methods.pyramids import EachLevel, compared
from pupil.tasks.segmentation import SegmentationTask
from tasks.detection.detectors import KINDS, batch, detector

every_method = pytest.mark.parametrize("name", DETECTION)


def check_one_step(name: str, student: nn.Module, teacher: nn.Module) -> None:
    before = {key: value.clone() for key, value in teacher.state_dict().items()}
    distiller = planned(name, student, teacher)
    torch.manual_seed(0)
    (ratio,) = balance(distiller, [(*batch(), None)]).values()
    assert ratio > 0
    assert freeze_unreached(distiller, [(*batch(), torch.zeros(3, 2))]) == []
    terms = distiller(*batch())
    task, term = terms.values()
    assert next(iter(terms)) == "task"
    assert task.isfinite()
    assert term.isfinite()
    assert term > 0
    gradients = torch.autograd.grad(term, list(student.backbone.parameters()), retain_graph=True)
    assert any(each.abs().sum() > 0 for each in gradients)
    (task + term).backward()
    trained = {id(each) for each in distiller.parameters()}
    assert trained == {id(each) for each in [*student.parameters(), *distiller.losses.parameters()]}
    # Data parallel training would wait for a parameter without one; blocks that begin at zero get zeros.
    assert not [key for key, each in distiller.named_parameters() if each.grad is None]
    assert all(each.grad.isfinite().all() for each in distiller.parameters() if each.grad is not None)
    assert all(each.grad is None for each in teacher.parameters())
    assert not any(module.training for module in teacher.modules())
    assert all(torch.equal(value, before[key]) for key, value in teacher.state_dict().items())


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@every_method
def test_one_step(name: str, kind: str) -> None:
    check_one_step(name, detector(kind, 0), detector(kind, 1))


@pytest.mark.parametrize("kind", ["retinanet", "faster_rcnn"])
@pytest.mark.parametrize("name", [name for name in DETECTION if name != "aid-self"])
def test_a_student_of_fewer_channels_learns_from_the_other_family(name: str, kind: str) -> None:
    other = {"retinanet": "faster_rcnn", "faster_rcnn": "retinanet"}[kind]
    check_one_step(name, narrow(kind), detector(other, 1))


@pytest.mark.parametrize("name", ["fbkd", "aid"])
def test_blocks_that_begin_at_zero_learn(name: str) -> None:
    distiller = pair(name)
    before = {key: each.clone() for key, each in distiller.losses.named_parameters()}
    optimizer = torch.optim.SGD(distiller.losses.parameters(), lr=1.0)
    for _ in range(3):
        optimizer.zero_grad()
        sum(distiller(*batch()).values()).backward()
        optimizer.step()
    assert all(each.isfinite().all() for each in distiller.losses.parameters())
    still = [key for key, each in distiller.losses.named_parameters() if torch.equal(each, before[key])]
    # A batch normalisation takes the shift of the convolution before it out again.
    assert all(key.endswith("block.out.bias") for key in still), still


@every_method
def test_planning_leaves_no_trace(name: str) -> None:
    student, teacher = detector("retinanet", 0), detector("retinanet", 1)
    before = {key: each.clone() for key, each in student.state_dict().items()}
    planned(name, student, teacher)
    assert all(torch.equal(each, before[key]) for key, each in student.state_dict().items())
    assert student.training
    state = torch.get_rng_state()
    compared(student, teacher, TASK, IMAGE)
    assert torch.equal(torch.get_rng_state(), state)


@every_method
def test_a_weight_is_fixed_and_a_distiller_can_be_pickled(name: str) -> None:
    distiller = pair(name)
    assert [term.weight for term in distiller.terms.values()] == [1.0, 1.0]
    torch.testing.assert_close(pickle.loads(pickle.dumps(distiller))(*batch()), distiller(*batch()))


@every_method
def test_other_tasks_and_a_missing_teacher_are_refused(name: str) -> None:
    student, teacher = detector("retinanet", 0), detector("retinanet", 1)
    with pytest.raises(UsageError, match=f"a task with boxes of objects for method '{name}', got segmentation with"):
        load_method(name)(student, teacher, SegmentationTask(CLASSES), IMAGE)
    with pytest.raises(UsageError, match="expected a teacher for this method, got none"):
        planned(name, student, None)


def renamed(model: nn.Module) -> None:
    forward = model.backbone.forward
    model.backbone.forward = lambda image: {key.upper(): each for key, each in forward(image).items()}


def shortened(model: nn.Module) -> None:
    forward = model.backbone.forward
    model.backbone.forward = lambda image: {key: each for key, each in forward(image).items() if key != "p5"}
    model.anchor_generator.sizes = model.anchor_generator.sizes[:2]


def coarser(model: nn.Module) -> None:
    model.backbone.stem[0].stride = (16, 16)


def of_another_mean(model: nn.Module) -> None:
    model.transform.image_mean = [0.5, 0.5, 0.5]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            renamed,
            "got P3, P4, P5 of the teacher and p3, p4, p5 of the student: build both on .*; docs/detection.md lists",
        ),
        (shortened, "got p3, p4 of the teacher and p3, p4, p5 of the student: build both on a pyramid"),
        (
            coarser,
            r"of the same strides, got \(1, 32, 8, 8\) of the student and \(1, 32, 4, 4\) of the teacher at level 'p3'",
        ),
        (of_another_mean, "expected detectors whose transforms agree, got image_mean"),
    ],
)
@every_method
def test_another_pyramid_is_refused(name: str, change: Callable[[nn.Module], None], message: str) -> None:
    teacher = detector("retinanet", 1)
    change(teacher)
    with pytest.raises(UsageError, match=message) as error:
        planned(name, detector("retinanet", 0), teacher)
    assert "\n" not in str(error.value)


def test_each_level_has_a_loss_of_its_own() -> None:
    loss = EachLevel({"p3": (2, 2), "p4": (3, 3)}, lambda ours, theirs: nn.MSELoss())
    student, teacher = ({"p3": torch.full((1, 2, 4, 4), x), "p4": torch.full((1, 3, 2, 2), 3 * x)} for x in (0.0, 1.0))
    assert loss(student, teacher) == 1 + 9
    assert loss.extra_repr() == "p3, p4"
