"""DKD's wiring: the target on the grid of the logits, what is ignored, and the warm-up."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.lesson import Lesson
from pupil.losses import dkd_loss
from pupil.methods.dkd import dkd
from pupil.methods.plan import Plan
from pupil.schedules import weight_at
from pupil.tasks.classification import ClassificationTask
from pupil.tasks.segmentation import SegmentationTask

NAMES = [str(each) for each in range(4)]
IMAGES = ClassificationTask(NAMES)


class Strided(nn.Module):
    """A classifier of every position at a stride."""

    def __init__(self, stride: int, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.classifier = nn.Conv2d(3, len(NAMES), stride, stride)

    def forward(self, image: Tensor) -> Tensor:
        return self.classifier(image)


def classifier(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(48, len(NAMES)))


def planned(**options: object) -> Plan:
    return dkd(classifier(0), classifier(1), IMAGES, torch.zeros(1, 3, 4, 4), **options)


def test_images_have_the_papers_settings() -> None:
    distiller = planned(weight=0.5).distiller
    image, target = torch.rand(5, 3, 4, 4), torch.tensor([0, 3, 1, 1, 2])
    lesson = distiller.lesson(image, target)
    expected = dkd_loss(lesson.student.output, lesson.teacher.output, target)
    torch.testing.assert_close(distiller(image, target, progress=0.5)["dkd"], 0.5 * expected)


def test_maps_are_compared_where_they_are_labelled_on_the_smaller_grid() -> None:
    task = SegmentationTask(NAMES, ignore_index=3)
    distiller = dkd(Strided(4, 0), Strided(2, 1), task, torch.zeros(1, 3, 8, 8), weight=1.0).distiller
    image, target = torch.rand(2, 3, 8, 8), torch.zeros(2, 8, 8, dtype=torch.long)
    # One id for each cell of the student's grid; of the ignored one, the network knows a class of that number.
    cells = torch.tensor([[[0, 1], [2, 3]], [[3, 3], [1, 0]]])
    target = cells.repeat_interleave(4, 1).repeat_interleave(4, 2)
    lesson = distiller.lesson(image, target)
    theirs = nn.functional.interpolate(lesson.teacher.output, (2, 2), mode="bilinear")
    expected = dkd_loss(lesson.student.output, theirs, cells, cells != 3, temperature=1.0)
    torch.testing.assert_close(distiller(image, target, progress=0.5)["dkd"], expected)


def test_the_weight_grows_from_zero_over_the_first_epochs() -> None:
    def weights(**options: object) -> list[float]:
        weight = planned(weight=3.0, **options).distiller.terms["dkd"].weight
        return [weight_at(weight, Lesson(None, None, None, progress=progress)) for progress in (0.0, 0.05, 0.1, 0.9)]

    assert weights(warmup=0.1) == pytest.approx([0.0, 1.5, 3.0, 3.0])
    assert weights(warmup=0.0) == [3.0] * 4
    assert weights()[0] == 0.0


@pytest.mark.parametrize("dense", [False, True])
def test_mixed_images_are_refused(dense: bool) -> None:
    networks = (Strided(4, 0), Strided(2, 1)) if dense else (classifier(0), classifier(1))
    task, size = (SegmentationTask(NAMES), 8) if dense else (IMAGES, 4)
    distiller = dkd(*networks, task, torch.zeros(1, 3, size, size), weight=1.0).distiller
    target = torch.rand(2, len(NAMES), *([size, size] if dense else []))
    lesson = distiller.lesson(torch.rand(2, 3, size, size), target, progress=0.5)
    with pytest.raises(UsageError, match=r"expected one class id for each position.*DKD takes no mixed"):
        distiller.terms["dkd"](lesson)
