"""segmentation_models_pytorch: any decoder over any encoder, pretrained only when asked."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch

from pupil.errors import UsageError
from pupil.models import IMAGENET, Preprocessing, load_model, model_names
from pupil.models.smp_models import from_smp
from pupil.models.spec import parse
from pupil.tasks.segmentation import SegmentationTask

smp = pytest.importorskip("segmentation_models_pytorch")
TASK = SegmentationTask([str(index) for index in range(5)])


@pytest.mark.slow
@pytest.mark.parametrize("architecture", smp.MODEL_ARCHITECTURES_MAPPING)
def test_every_architecture_runs_at_any_size(architecture: str) -> None:
    encoder = "tu-vit_tiny_patch16_224" if architecture == "dpt" else "resnet18"
    model = load_model(f"smp:{architecture}/{encoder}", 5, seed=0)
    assert TASK.predict(model.eval(), torch.rand(1, 3, 130, 171)).shape == (1, 130, 171)


def test_options_are_smps_own() -> None:
    model = load_model("smp:Unet/resnet18?encoder_depth=3&decoder_channels=16,8,8&decoder_use_norm=false", 5, seed=0)
    assert model.segmentation_head[0].weight.shape[:2] == (5, 8)
    # smp's own encoder where none is named.
    assert len(load_model("smp:unet", 5, seed=0).encoder.layer1) == 3


def test_preprocessing_is_that_of_the_encoder() -> None:
    fpn = load_model("smp:fpn/resnet18", 5, seed=0)
    assert fpn.preprocessing == Preprocessing(IMAGENET.mean, IMAGENET.std, divisor=32)
    vit = load_model("smp:dpt/tu-vit_tiny_patch16_224", 5, seed=0)
    assert vit.preprocessing == Preprocessing((0.5,) * 3, (0.5,) * 3, size=(224, 224))


def test_weights_come_with_their_own_preprocessing_and_a_run_fetches_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    build = smp.Unet

    class Recorded(build):  # type: ignore[misc, valid-type]
        def __init__(self, encoder_name: str = "", encoder_weights: Any = None, classes: int = 1) -> None:
            asked.append(encoder_weights)
            super().__init__(encoder_name, encoder_weights=None, classes=classes)

    monkeypatch.setitem(smp.MODEL_ARCHITECTURES_MAPPING, "unet", Recorded)
    caffe = {"input_space": "BGR", "input_range": [0, 255], "mean": [1.0, 2.0, 3.0], "std": [1.0, 1.0, 1.0]}
    monkeypatch.setattr(smp.encoders, "get_preprocessing_params", lambda name, weights: asked.append(name) or caffe)
    model = load_model("smp:unet/resnet18?weights=ssl", 5)
    assert asked == ["ssl", "resnet18"]
    assert model.preprocessing == Preprocessing((1, 2, 3), (1, 1, 1), 255, "BGR", model.preprocessing.divisor)
    asked.clear()
    from_smp(parse("smp:unet/resnet18?weights=ssl"), 5, False)
    assert asked == [None]


def test_weights_that_cannot_be_fetched_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*arguments: Any, **more: Any) -> None:
        raise OSError("cannot reach\n the hub")

    monkeypatch.setattr("segmentation_models_pytorch.encoders.hf_hub_download", unreachable)
    with pytest.raises(UsageError, match=r"^cannot get the weights imagenet of resnet18: cannot reach the hub$"):
        load_model("smp:unet/resnet18?weights=imagenet", 5)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("smp:unnet/resnet18", "unknown architecture of segmentation_models_pytorch 'unnet': did you mean unet"),
        ("smp:unet/resnet19", "unknown encoder of segmentation_models_pytorch 'resnet19': did you mean resnet18"),
        ("smp:unet/tu-resnet19", "unknown encoder of timm 'resnet19': did you mean resnet18"),
        (
            "smp:unet/resnet18?weights=coco",
            "unknown weights of smp's encoder resnet18 'coco': expected one of imagenet",
        ),
        (
            "smp:unet/resnet18?weights=DEFAULT",
            "unknown weights of smp's encoder resnet18 'DEFAULT': expected one of imagenet",
        ),
        (
            "smp:unet/tu-resnet10t?weights=c3_in1k",
            r"got \?weights=c3_in1k: write timm's tag into the encoder, for example tu-resnet10t\.c3_in1k$",
        ),
        (
            "smp:fpn/resnet18?encoder_dept=3",
            "unknown option of smp:fpn/resnet18 'encoder_dept': did you mean encoder_de",
        ),
        ("smp:unet/resnet18?encoder_depth=9", "smp:unet/resnet18 refused its options: "),
        ("smp:fpn/resnet18?activation=sigmoid", "unknown option of smp:fpn/resnet18 'activation'"),
    ],
)
def test_mistakes_get_one_line(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        load_model(spec, 5)
    assert "\n" not in str(caught.value)


def test_an_encoder_is_no_trained_network() -> None:
    with pytest.raises(UsageError, match="expected a trained network, got 'smp:unet/resnet18', whose classifier is "):
        load_model("smp:unet/resnet18?weights=imagenet", None)


def test_without_the_package_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", None)
    with pytest.raises(UsageError, match=r'^expected segmentation_models_pytorch for .*"pupil-kd\[smp\]"$'):
        load_model("smp:unet/resnet18", 5)


def test_its_names_are_listed() -> None:
    assert {"unet", "deeplabv3plus", "segformer"} <= set(model_names()["smp"])
