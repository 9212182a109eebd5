from __future__ import annotations

import pickle
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pupil.data.class_batches import AnchoredBatches
from pupil.errors import UsageError
from pupil.losses import cs_kd_loss
from pupil.methods.cs_kd import cs_kd
from pupil.tasks.classification import ClassificationTask
from pupil.tasks.segmentation import SegmentationTask

TASK = ClassificationTask(["a", "b", "c"])
IMAGE = torch.rand(6, 3, 4, 4, generator=torch.Generator().manual_seed(0))
TARGET = torch.tensor([0, 2, 1, 0, 2, 1])


class Data(list):  # type: ignore[type-arg]
    labels = (0, 0, 1, 1, 1, 2, 2)


class WithAuxiliary(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.main, self.aux = nn.Linear(48, 3), nn.Linear(48, 3)

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"out": self.main(image.flatten(1)), "aux": self.aux(image.flatten(1))}


def test_labels_of_the_first_half_and_predictions_of_the_second() -> None:
    student = WithAuxiliary()
    terms = cs_kd(student, None, TASK, IMAGE, weight=0.5).distiller(IMAGE, TARGET)
    shown = student(IMAGE)
    own = [F.cross_entropy(shown[name][:3], TARGET[:3]) for name in ("out", "aux")]
    torch.testing.assert_close(terms["task"], own[0] + 0.4 * own[1])
    torch.testing.assert_close(terms["cs_kd"], 0.5 * cs_kd_loss(shown["out"]))


def test_no_gradient_reaches_the_second_half() -> None:
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    terms = cs_kd(nn.Flatten(), None, TASK, IMAGE).distiller(logits, TARGET)
    (gradient,) = torch.autograd.grad(sum(terms.values()), logits)
    assert gradient[:3].any(dim=1).all()
    assert not gradient[3:].any()


def test_batches_bring_another_image_of_the_class() -> None:
    data = Data(range(7))
    batches = cs_kd(WithAuxiliary(), None, TASK, IMAGE).batches
    assert batches is not None
    make = batches(data)
    assert isinstance(make, partial)
    assert make.func is AnchoredBatches
    for items in make(len(data), 4, steps=7, seed=0):
        (one, two, other, another) = [index for index, _ in items]
        assert [data.labels[one], data.labels[two]] == [data.labels[other], data.labels[another]]
        assert one != other
        assert two != another
    with pytest.raises(UsageError, match="class of each image in `labels`, got list: give it the attribute"):
        batches([])


def test_dense_tasks_are_refused_in_one_line() -> None:
    with pytest.raises(UsageError, match="one prediction an image for method 'cs-kd', got segmentation with a pred"):
        cs_kd(nn.Conv2d(3, 2, 1), None, SegmentationTask(["a", "b"]), IMAGE)


def test_its_distiller_can_be_pickled() -> None:
    distiller = cs_kd(WithAuxiliary(), None, TASK, IMAGE).distiller
    terms = pickle.loads(pickle.dumps(distiller))(IMAGE, TARGET)
    torch.testing.assert_close(terms, distiller(IMAGE, TARGET))
