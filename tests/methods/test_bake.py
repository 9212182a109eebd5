"""BAKE wires the student to its own batch, brings images of one class together, and keeps the paper's weight."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pupil.data.class_batches import AnchoredBatches
from pupil.engine.balance import balance
from pupil.errors import UsageError
from pupil.functional.batch_ensemble import ensembled_targets
from pupil.methods.bake import bake
from pupil.methods.plan import Plan
from pupil.schedules import Share
from pupil.tasks.classification import ClassificationTask
from pupil.tasks.segmentation import SegmentationTask

CLASSES = 6
TASK = ClassificationTask([str(each) for each in range(CLASSES)])


class Drawn:
    """Images of a few noisy patterns, one a class."""

    def __init__(self, images: int = 96) -> None:
        random = torch.Generator().manual_seed(0)
        self.labels = [index % CLASSES for index in range(images)]
        patterns = torch.rand(CLASSES, 3, 4, 4, generator=random)
        self.image = 0.5 * patterns[self.labels] + 0.5 * torch.rand(images, 3, 4, 4, generator=random)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.image[index], self.labels[index]

    def batch(self, indices: list[int]) -> tuple[Tensor, Tensor]:
        return self.image[indices], torch.tensor(self.labels)[indices]


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, CLASSES),
    )


def planned(**options: object) -> Plan:
    return bake(network(), None, TASK, torch.zeros(1, 3, 4, 4), **options)


def test_the_terms_are_the_labels_and_the_published_loss() -> None:
    distiller = planned(temperature=3.0, ensemble_weight=0.9, weight=0.5).distiller
    image, target = Drawn().batch([0, 6, 1, 7])
    terms = distiller(image, target)
    assert list(terms) == ["task", "bake"]
    shown = distiller.student(image)
    assert set(shown.features) == {"8:in"}
    refined = ensembled_targets(shown.features["8:in"], shown.output, temperature=3.0, weight=0.9)
    logarithm = (shown.output / 3.0).log_softmax(dim=1)
    torch.testing.assert_close(terms["task"], F.cross_entropy(shown.output, target))
    torch.testing.assert_close(terms["bake"], 0.5 * 9.0 * F.kl_div(logarithm, refined, reduction="batchmean"))


def test_the_paper_s_settings_are_the_defaults_and_only_the_student_is_trained() -> None:
    student = network()
    distiller = bake(student, network(), TASK, torch.zeros(1, 3, 4, 4)).distiller
    assert [id(each) for each in distiller.parameters()] == [id(each) for each in student.parameters()]
    teacher = distiller.teacher
    assert (teacher.temperature, teacher.weight, teacher.gather) == (4.0, 0.5, True)
    assert distiller.terms["bake"].weight == 1.0


def test_another_layer_may_compare_the_images() -> None:
    distiller = planned(layer="2").distiller
    assert distiller.teacher.layer == "2"
    assert distiller(*Drawn().batch([0, 6, 1, 7]))["bake"] > 0
    with pytest.raises(UsageError, match="unknown layer '99'"):
        planned(layer="99")


def test_batches_bring_the_images_of_a_class_together() -> None:
    data = Drawn()
    made = planned().batches(data)(len(data), 16, steps=5, seed=3)
    assert list(made) == list(AnchoredBatches(96, 16, labels=data.labels, positives=3, steps=5, seed=3))
    for batch in planned(positives=1).batches(data)(len(data), 16, steps=5, seed=3):
        assert all(times % 2 == 0 for times in Counter(data.labels[index] for index, _ in batch).values())


def test_data_without_classes_are_refused() -> None:
    with pytest.raises(UsageError, match=r"the class of each image in `labels`, got list: give it the attribute"):
        planned().batches([(torch.zeros(3, 4, 4), 0)])


def test_dense_predictions_are_refused() -> None:
    task = SegmentationTask(["road", "car"])
    with pytest.raises(UsageError, match=r"one prediction an image for method 'bake', got segmentation with a pred"):
        bake(nn.Conv2d(3, 2, 1), None, task, torch.zeros(1, 3, 4, 4))


def test_a_share_of_the_start_would_be_no_measure_of_the_run() -> None:
    """Why its weight is a number: the pull grows by far more than any other term's while the student learns."""
    data, plan = Drawn(), planned()
    distiller, term = plan.distiller.train(), plan.distiller.terms["bake"]
    batches = [[index for index, _ in batch] for batch in plan.batches(data)(len(data), 24, steps=60, seed=0)]

    def equal_pull() -> float:
        term.weight = share = Share(1.0)
        balance(distiller, [(*data.batch(batch), None) for batch in batches[:4]])
        term.weight = 1.0
        return share.ratio

    start = equal_pull()
    optimizer = torch.optim.SGD(distiller.parameters(), lr=0.1, momentum=0.9)
    for batch in batches:
        sum(distiller(*data.batch(batch)).values()).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert start > 50
    assert equal_pull() < start / 10
