"""Which layers a method compares when nobody has said."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.methods.layers import last_feature, pair_of_layers
from pupil.models import load_model
from pupil.taps import dry_run
from pupil.tasks.classification import ClassificationTask
from pupil.tasks.lanes import LanesTask
from pupil.tasks.segmentation import SegmentationTask

IMAGE = torch.zeros(1, 3, 32, 48)


def chosen(model: nn.Module, classes: int) -> str:
    task = SegmentationTask([str(each) for each in range(classes)])
    return last_feature(model, dry_run(model, IMAGE, task.call), classes)


@pytest.mark.parametrize(
    ("spec", "layer"),
    [
        ("pupil:tiny", "classifier:in"),
        ("pupil:small?aux=true", "classifier:in"),
        ("torchvision:lraspp_mobilenet_v3_large", "classifier.high_classifier:in"),
        ("torchvision:fcn_resnet50?aux_loss=true", "classifier.4:in"),
    ],
)
def test_the_last_feature_feeds_the_classifier(spec: str, layer: str) -> None:
    assert chosen(load_model(spec, 7, seed=0), 7) == layer


@pytest.mark.parametrize(
    ("spec", "layer"),
    [
        ("pupil:resnet8", "classifier:in"),
        ("torchvision:squeezenet1_1", "classifier.1:in"),
        ("timm:mobilenetv3_small_050", "classifier:in"),
        ("timm:deit_tiny_distilled_patch16_224?depth=1", "head:in"),
    ],
)
def test_the_last_feature_of_a_classifier(spec: str, layer: str) -> None:
    model = load_model(spec, 7, kind="whole", seed=0)
    task = ClassificationTask([str(each) for each in range(7)])
    assert last_feature(model, dry_run(model, torch.zeros(1, 3, 32, 32), task.call), 7) == layer


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("enet-sad", "decoder.classifier:in"),
        ("erfnet", "decoder.10:in"),
        ("lane-resnet18", "classifier:in"),
        ("lane-tiny", "classifier:in"),
    ],
)
def test_the_branch_that_says_which_lanes_there_are_is_passed_over(name: str, layer: str) -> None:
    task = LanesTask(["background", "left", "right"], rows=[0.5, 0.75])
    model = load_model(f"pupil:{name}?size=64x96", 3, seed=0)
    assert last_feature(model, dry_run(model, torch.zeros(2, 3, 64, 96), task.call), 3) == layer


def test_as_many_channels_as_classes_do_not_hide_the_classifier() -> None:
    channels = load_model("pupil:tiny", 5, seed=0).classifier.in_channels
    assert chosen(load_model("pupil:tiny", channels, seed=0), channels) == "classifier:in"


def test_learned_upsampling_and_normalised_logits_are_passed_over() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.Conv2d(8, 4, 1),
        nn.ConvTranspose2d(4, 4, 2, stride=2),
        nn.BatchNorm2d(4),
        nn.Upsample(scale_factor=2),
    )
    assert chosen(model, 4) == "1:in"


def test_without_a_classifier_the_reader_is_asked() -> None:
    class Shuffled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 16, 1)

        def forward(self, image: Tensor) -> Tensor:
            return nn.functional.pixel_shuffle(self.conv(image), 2)

    with pytest.raises(UsageError, match=r"a layer that returns 4 channels, one a class, got none: name the layer"):
        chosen(Shuffled(), 4)


def test_a_name_that_both_know_is_taken_from_both() -> None:
    task = SegmentationTask(["road", "car"])
    small, large = (load_model(spec, 2, seed=0) for spec in ("pupil:tiny", "pupil:small"))
    conv = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 2, 1))
    ours, theirs = pair_of_layers(small, large, task, IMAGE, "stage1:in", None)
    assert (ours[0], theirs[0]) == ("stage1:in", "stage1:in")
    assert ours[1][2:] == (16, 24)
    ours, theirs = pair_of_layers(small, conv, task, IMAGE, "stage1", None)
    assert (ours[0], theirs[0]) == ("stage1", "1:in")
    _, theirs = pair_of_layers(small, large, task, IMAGE, "stage1", "stem")
    assert theirs[0] == "stem"
