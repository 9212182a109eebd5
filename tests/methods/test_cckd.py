"""CCKD's wiring: its two terms on classifiers and maps, and the batches that it asks for."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import Tensor, nn

from pupil.data.batches import Batches
from pupil.data.class_batches import ClassBatches
from pupil.errors import UsageError
from pupil.losses import cckd_loss, kd_loss
from pupil.methods.cckd import cckd
from pupil.methods.plan import Plan
from pupil.tasks.classification import ClassificationTask
from pupil.tasks.segmentation import SegmentationTask

CLASSES = 4
TASK = ClassificationTask([str(each) for each in range(CLASSES)])
PIXELS = SegmentationTask(TASK.classes)


class Drawn:
    """Images of two brightnesses and four classes, larger than a network sees them, in no order of either."""

    def __init__(self, images: int = 40) -> None:
        random = torch.Generator().manual_seed(0)
        self.labels = torch.randint(0, CLASSES, (images,), generator=random).tolist()
        self.bright = torch.randint(0, 2, (images,), generator=random).tolist()
        self.image = 0.8 * torch.tensor(self.bright)[:, None, None, None] + 0.2 * torch.rand(
            images, 3, 12, 10, generator=random
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.image[index], self.labels[index]


def network(width: int, seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), pooled, nn.Linear(width, CLASSES))


def dense(width: int, seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, CLASSES, 1))


def planned(**options: object) -> Plan:
    return cckd(network(6, 0), network(8, 1), TASK, torch.zeros(1, 3, 8, 8), **options)


def test_its_terms_are_those_of_the_paper() -> None:
    distiller = planned(weight=100.0, kd_weight=0.5, gamma=0.3).distiller
    image, target = torch.rand(6, 3, 8, 8), torch.arange(6) % CLASSES
    terms, lesson = distiller(image, target), distiller.lesson(image, target)
    assert list(terms) == ["task", "cckd", "kd"]
    ours, theirs = lesson.student.features["3:in"], lesson.teacher.features["3:in"]
    assert (ours.shape, theirs.shape) == ((6, 6), (6, 8))
    torch.testing.assert_close(terms["cckd"], 100 * cckd_loss(ours, theirs, gamma=0.3))
    outputs = lesson.student.output, lesson.teacher.output
    torch.testing.assert_close(terms["kd"], 0.5 * kd_loss(*outputs, temperature=4.0))
    assert list(planned(kd_share=0.0).distiller.losses) == ["task", "cckd"]
    assert planned(task_weight=0.0).distiller.terms["task"].weight == 0.0


def test_an_embedding_is_trained_on_the_students_side_alone() -> None:
    [weight] = planned(embedding=5).distiller.losses["cckd"].parameters()
    assert weight.shape == (5, 6)


def test_maps_are_related_by_image_or_by_cell() -> None:
    image, target = torch.rand(3, 3, 8, 8), torch.randint(0, CLASSES, (3, 8, 8))
    for instances in ("image", "grid"):
        options = {"instances": instances, "weight": 1.0, "kd_share": 0.0, "embedding": 5}
        plan = cckd(dense(6, 0), dense(8, 1), PIXELS, image[:1], **options)
        assert plan.distiller(image, target)["cckd"] > 0
        # An image of a dense task has no class.
        assert plan.batches is None
    # A classifier's last maps lie before its pooling.
    assert planned(instances="grid").distiller.student.layers == ("1",)
    with pytest.raises(UsageError, match=r"expected two maps \(N, C, H, W\) for 'cckd'"):
        planned(instances="grid", layer="3:in")


def test_batches_show_several_images_of_a_class() -> None:
    data = Drawn()
    made = planned().batches(data)(len(data), 8, steps=5, seed=3)
    assert list(made) == list(ClassBatches(40, 8, labels=data.labels, per_class=4, steps=5, seed=3))
    for batch in planned(per_class=2).batches(data)(len(data), 8, steps=5, seed=3):
        assert set(Counter(data.labels[index] for index, _ in batch).values()) == {2}
    assert planned(sampler="uniform").batches is None
    # Four classes: a batch of 24 shows six of each as they fall.
    with pytest.warns(
        UserWarning, match="batches of at most 16 images, 4 of each of 4 classes or clusters, got 24: images"
    ):
        made = planned().batches(data)(len(data), 24, steps=5, seed=3)
    assert list(made) == list(Batches(len(data), 24, steps=5, seed=3))


@pytest.mark.parametrize("kind", ["vectors", "maps"])
def test_superclasses_are_what_the_teacher_finds_alike(kind: str) -> None:
    data, image = Drawn(), torch.zeros(1, 3, 8, 8)
    options = {"sampler": "superclass", "superclasses": 2}
    vectors = kind == "vectors"
    plan = planned(**options) if vectors else cckd(dense(6, 0), dense(8, 1), PIXELS, image, **options)
    state = torch.get_rng_state()
    made = plan.batches(data)
    assert torch.equal(torch.get_rng_state(), state)
    for batch in made(len(data), 8, steps=5, seed=3):
        assert Counter(data.bright[index] for index, _ in batch) == {0: 4, 1: 4}


def test_there_are_as_many_superclasses_as_classes_unless_said_otherwise() -> None:
    labels = planned(sampler="superclass").batches(Drawn()).keywords["labels"]
    assert 2 < len(set(labels.tolist())) <= CLASSES


def test_mistakes_are_refused() -> None:
    with pytest.raises(UsageError, match=r"the class of each image in `labels`, got list: give it the attribute"):
        planned().batches([(torch.zeros(3, 4, 4), 0)])
    with pytest.raises(UsageError, match="unknown sampler 'classes': did you mean class, superclass"):
        planned(sampler="classes")
