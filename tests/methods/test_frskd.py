"""FRSKD's wiring: which layers it reads, what each term trains, and when distillation begins."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from pupil.engine.balance import balance
from pupil.errors import UsageError
from pupil.lesson import Activations, Lesson
from pupil.methods.frskd import frskd
from pupil.models import load_model
from pupil.models.efficient_pyramid import efficient_pyramid
from pupil.networks import PyramidSelfTeacher, SelfTeacher
from pupil.schedules import weight_at
from pupil.tasks.classification import ClassificationTask
from pupil.tasks.lanes import LanesTask
from pupil.tasks.segmentation import SegmentationTask
from pupil.tasks.task import Task

CLASSES = [str(each) for each in range(5)]
IMAGES, PIXELS = ClassificationTask(CLASSES), SegmentationTask(CLASSES)
LANES = LanesTask(["background", *CLASSES[1:]], rows=[0.5, 0.75])
STAGES = ["stage1", "stage2", "stage3"]


class Classifier(nn.Module):
    """Three stages that end in a ReLU or not, below them a fourth resolution, above them pooling."""

    def __init__(self, activation: type[nn.Module] = nn.ReLU) -> None:
        super().__init__()
        torch.manual_seed(0)
        stages = [
            nn.Sequential(nn.Conv2d(i, o, 3, 2, padding=1), nn.BatchNorm2d(o), activation())
            for i, o in [(3, 6), (6, 8), (8, 12)]
        ]
        self.stage1, self.stage2, self.stage3 = stages
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(12, len(CLASSES))

    def forward(self, image: Tensor) -> Tensor:
        return self.fc(self.pool(self.stage3(self.stage2(self.stage1(image)))).flatten(1))


def batch(task: Task, size: tuple[int, int] = (32, 48)) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    shape = (4, *size) if task.kind == "dense" else (4,)
    return torch.rand(4, 3, *size, generator=random), torch.randint(0, len(CLASSES), shape, generator=random)


def planned(student: nn.Module, task: Task = IMAGES, size: tuple[int, int] = (32, 48), **options):
    torch.manual_seed(0)
    return frskd(student, None, task, batch(task, size)[0], **options).distiller.train()


def layers(student: nn.Module, task: Task = IMAGES, size: tuple[int, int] = (32, 48), **options) -> list[str]:
    return list(planned(student, task, size, **options).teacher.layers)


def test_layers_are_the_deepest_block_of_each_resolution_on_the_way_down() -> None:
    assert layers(Classifier()) == STAGES
    assert layers(Classifier(nn.GELU)) == STAGES
    tiny = load_model("pupil:tiny", 5, seed=0)
    # The decoder comes back up.
    assert layers(tiny, PIXELS) == ["stem", "stage1", "stage2", "context"]


@pytest.mark.parametrize(
    ("spec", "task", "expected"),
    [
        ("torchvision:fcn_resnet50", PIXELS, ["backbone.relu", "backbone.layer1", "backbone"]),
        ("torchvision:deeplabv3_mobilenet_v3_large", PIXELS, ["backbone.1", "backbone.3", "backbone.6", "backbone"]),
        ("pupil:lane-resnet18?size=64x96", LANES, ["encoder.stem.2", "encoder.block1", "reduce"]),
    ],
)
def test_a_classifier_at_the_coarsest_resolution_is_no_layer(spec: str, task: Task, expected: list[str]) -> None:
    assert layers(load_model(spec, 5, seed=0), task, size=(64, 96)) == expected


class Pooled(Classifier):
    """Its last stage passes a pooling that keeps the resolution, as that of VGG does."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d((4, 6)), nn.AdaptiveAvgPool2d(1))


def test_pooling_is_no_stage() -> None:
    assert layers(Pooled()) == STAGES
    # Nor where it leaves a resolution of its own.
    assert layers(Pooled(), size=(64, 96)) == STAGES


class Resembling(nn.Module):
    """Five resolutions, as a network with a stem shows them."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.Sequential(*(nn.Sequential(nn.LazyConv2d(4, 2, 2), nn.ReLU()) for _ in range(5)))
        self.fc = nn.LazyLinear(5)

    def forward(self, image: Tensor) -> Tensor:
        return self.fc(self.stages(image).mean((2, 3)))


def test_of_many_resolutions_the_four_coarsest_are_taken_and_pooled_ones_are_not() -> None:
    network = Resembling()
    network(torch.zeros(1, 3, 64, 64))
    # The coarsest is a map of 2 x 2; the largest container that shows it is the last to finish.
    assert layers(network, size=(64, 64)) == ["stages.1", "stages.2", "stages.3", "stages"]


def test_named_layers_are_read_in_the_order_of_their_resolutions() -> None:
    assert layers(Classifier(), layers="stage3, stage2") == ["stage2", "stage3"]
    with pytest.raises(UsageError, match=r"unknown layer 'stag3': did you mean stage3"):
        planned(Classifier(), layers="stag3,stage2")


def test_a_network_names_its_own_levels() -> None:
    network = efficient_pyramid("efficient-pyramid-b0", classes=5)
    distiller = planned(network, PIXELS, size=(64, 64))
    assert distiller.teacher.layers == network.levels
    published = distiller.teacher.network
    assert sum(each.numel() for each in published.layers.parameters()) == 2816 + 1536
    assert all(isinstance(each, nn.Identity) for each in published.lateral)


def test_an_attribute_of_that_name_may_be_anything_in_networks_of_other_people() -> None:
    network = Classifier()
    network.levels = [1, 2, 2]
    assert layers(network) == STAGES


@pytest.mark.parametrize(
    ("student", "task"),
    [
        (Classifier, IMAGES),
        (lambda: Classifier(nn.GELU), IMAGES),
        (lambda: load_model("pupil:tiny", 5, seed=0), PIXELS),
        (lambda: efficient_pyramid("efficient-pyramid-b0", classes=5), PIXELS),
    ],
)
def test_a_step_from_start_to_end(student, task) -> None:
    network = student()
    size = (128, 128) if hasattr(network, "levels") else (32, 48)
    distiller = planned(network, task, size)
    image, target = batch(task, size)
    ratios = balance(distiller, [(image, target, None)], progress=0.9)
    assert set(ratios) == ({"kd"} if hasattr(network, "levels") else {"kd", "attention"})
    terms = distiller(image, target, progress=0.9)
    assert set(terms) == {"task", "teacher", "kd", "attention"}
    assert all(each.dim() == 0 and each.isfinite() and each > 0 for each in terms.values())
    own = list(distiller.teacher.parameters())
    for name, value in terms.items():
        found = torch.autograd.grad(value, list(network.parameters()), retain_graph=True, allow_unused=True)
        assert any(each is not None and each.abs().sum() > 0 for each in found), f"{name} does not reach the student"
        found = torch.autograd.grad(value, own, retain_graph=True, allow_unused=True)
        assert any(each is not None for each in found) == (name == "teacher"), name
    sum(terms.values()).backward()
    assert all(each.grad is not None and each.grad.isfinite().all() for each in distiller.parameters())


def test_which_self_teacher_teaches_what() -> None:
    assert isinstance(planned(Classifier()).teacher.network, SelfTeacher)
    dense = planned(load_model("pupil:tiny", 5, seed=0), PIXELS, depth=3, width=16).teacher.network
    assert isinstance(dense, PyramidSelfTeacher)
    assert len(dense.layers) == 3
    assert dense.head[0][0].in_channels == 16
    narrow = planned(Classifier(), variant="bifpn", width=10, depth=1).teacher.network
    assert narrow.classifier.in_features == 10
    assert len(narrow.down[0].filters) == 1


def test_temperature_is_the_published_one_unless_given() -> None:
    assert planned(Classifier()).terms["kd"].loss.temperature == 4.0
    assert planned(load_model("pupil:tiny", 5, seed=0), PIXELS).terms["kd"].loss.temperature == 1.0
    assert planned(Classifier(), temperature=2.0).terms["kd"].loss.temperature == 2.0


def test_features_before_their_relu_are_rectified_for_the_self_teacher_and_for_the_loss() -> None:
    student = Classifier()
    before = planned(student, layers="stage1.1,stage2.1,stage3.1", weight=2.0, feature_weight=100.0)
    after = planned(student, layers="stage1,stage2,stage3", weight=2.0, feature_weight=100.0)
    after.teacher.network.load_state_dict(before.teacher.network.state_dict())
    theirs = after(*batch(IMAGES))
    for name, value in before(*batch(IMAGES)).items():
        torch.testing.assert_close(value, theirs[name])


class ChannelsLast(Classifier):
    """Its stages show maps (N, H, W, C)."""

    def __init__(self) -> None:
        super().__init__()
        self.shown = nn.ModuleList(nn.Identity() for _ in STAGES)

    def forward(self, image: Tensor) -> Tensor:
        x = image
        for stage, shown in zip((self.stage1, self.stage2, self.stage3), self.shown, strict=True):
            x = shown(stage(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return self.fc(self.pool(x).flatten(1))


def test_maps_with_their_channels_last_are_turned() -> None:
    distiller = planned(ChannelsLast(), layers="shown.0,shown.1,shown.2", weight=1.0, feature_weight=1.0)
    assert [each.shape[1] for each in distiller.lesson(*batch(IMAGES)).teacher.features.values()] == [12, 16, 24]
    assert sum(distiller(*batch(IMAGES)).values()).isfinite()


def at(distiller, term: str, progress: float) -> float:
    lesson = Lesson(None, None, Activations(None), progress=progress)
    return weight_at(distiller.terms[term].weight, lesson)


def test_distillation_starts_late_and_rises_and_labels_teach_from_the_first_step() -> None:
    late = planned(Classifier(), start=0.5, weight=2.0, feature_weight=100.0)
    assert [at(late, term, 0.4) for term in ("task", "teacher", "kd", "attention")] == [1.0, 1.0, 0.0, 0.0]
    assert at(late, "kd", 0.75) == pytest.approx(2.0 * math.exp(-5 * 0.25))
    assert at(late, "attention", 1.0) == pytest.approx(100.0)
    image, target = batch(IMAGES)
    assert float(late(image, target, progress=0.4)["kd"].detach()) == 0.0
    assert at(planned(Classifier(), weight=2.0), "kd", 0.0) == 2.0
    dense = planned(load_model("pupil:tiny", 5, seed=0), PIXELS, weight=2.0)
    assert [at(dense, "kd", progress) > 0 for progress in (0.0, 0.66, 0.67)] == [False, False, True]


def test_the_published_weight_is_that_of_a_network_whose_labels_pull_at_the_finest_level_alone() -> None:
    network = efficient_pyramid("efficient-pyramid-b0", classes=5)
    assert at(planned(network, PIXELS, size=(64, 64)), "attention", 1.0) == pytest.approx(50.0)
    assert at(planned(network, PIXELS, size=(64, 64), feature_weight=2.0), "attention", 1.0) == pytest.approx(2.0)


def test_each_weight_counts_without_the_other() -> None:
    distiller = planned(Classifier(), weight=0.0, feature_weight=100.0)
    terms = distiller(*batch(IMAGES))
    assert float(terms["kd"].detach()) == 0.0 < float(terms["attention"].detach())


def test_the_attention_term_is_the_sum_over_levels_of_means_over_positions() -> None:
    distiller = planned(Classifier(), weight=1.0, feature_weight=1.0)
    lesson = distiller.lesson(*batch(IMAGES))
    total = 0.0
    for name in STAGES:
        pair = [each.features[name].square().mean(1).flatten(1) for each in (lesson.student, lesson.teacher)]
        ours, theirs = (each / each.norm(dim=1, keepdim=True) for each in pair)
        total = total + (ours - theirs).square().mean()
    torch.testing.assert_close(distiller.terms["attention"](lesson), total)


def test_what_cannot_be_refined_is_refused() -> None:
    flat = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 48, 5))
    with pytest.raises(UsageError, match=r"two resolutions or more .*, got no maps: use .*--set layers=NAME,NAME"):
        planned(flat)
    with pytest.raises(UsageError, match=r"expected a map \(N, C, H, W\) at layer 'fc', got \(1, 5\): choose layers"):
        planned(Classifier(), layers="stage1,fc")
    with pytest.raises(UsageError, match=r"maps that halve from level to level, got \(1, 6, 16, 24\), \(1, 12, 4, 6\)"):
        planned(Classifier(), layers="stage1,stage3")
    # The deepest of them would be left out.
    with pytest.raises(UsageError, match=r"down to the coarsest, .*, got 50x50, 25x25, 13x13: use images of"):
        planned(Classifier(), size=(100, 100))
    # A segmentation pyramid takes any sizes.
    assert layers(load_model("pupil:tiny", 5, seed=0), PIXELS, size=(33, 47)) == [
        "stem",
        "stage1",
        "stage2",
        "context",
    ]


def test_planning_leaves_the_student_and_the_random_state_of_its_layers_alone() -> None:
    student = Classifier()
    before = {name: value.clone() for name, value in student.state_dict().items()}
    planned(student)
    assert student.training
    assert all(torch.equal(value, before[name]) for name, value in student.state_dict().items())
    assert not student.stage1[0]._forward_hooks


class ShowsScalars(Classifier):
    """One of its layers shows a number, another a vector."""

    def __init__(self) -> None:
        super().__init__()
        self.shown = nn.Identity()
        self.vector = nn.Identity()

    def forward(self, image: Tensor) -> Tensor:
        self.shown(image.mean())
        self.vector(image.mean((1, 2, 3)))
        return super().forward(image)


def test_layers_that_show_no_maps_are_passed_over() -> None:
    assert layers(ShowsScalars()) == STAGES
