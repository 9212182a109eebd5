"""timm's encoders under our decoder: any of them, at any size it takes, and pretrained only when asked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from pupil.errors import UsageError
from pupil.models import Preprocessing, load_model, model_names
from pupil.models.spec import parse
from pupil.models.timm_models import timm_classifier, timm_detector
from pupil.run import Run
from pupil.taps import dry_run
from pupil.tasks.classification import ClassificationTask
from pupil.tasks.detection import detector_call
from pupil.tasks.segmentation import SegmentationTask

timm = pytest.importorskip("timm")

VIT = "timm:vit_tiny_patch16_224?depth=4&embed_dim=24&num_heads=3&decoder=8"
TASK = SegmentationTask([str(index) for index in range(5)])


@pytest.mark.parametrize(
    ("spec", "size", "stride", "preprocessing"),
    [
        ("timm:resnet10t?decoder=8", (64, 96), 4, {}),
        ("timm:resnet10t?decoder=8", (45, 61), 4, {}),
        ("timm:resnet10t?decoder=8&output_stride=8", (64, 96), 4, {}),
        ("timm:mobilenetv3_small_050?decoder=8", (64, 96), 4, {}),
        (VIT, (64, 96), 4, {"divisor": 16}),
        ("timm:vit_small_patch14_reg4_dinov2?depth=4&embed_dim=24&num_heads=3", (56, 84), 14 / 4, {"divisor": 14}),
        ("timm:swin_tiny_patch4_window7_224?depths=1,1,1,1&embed_dim=12&num_heads=1,2,3,4", (64, 96), 4,
         {"divisor": 32}),
        ("timm:hrnet_w18_small?decoder=8", (64, 96), 4, {"divisor": 32}),
    ],
)  # fmt: skip
def test_strides_and_sizes(spec: str, size: tuple[int, int], stride: float, preprocessing: dict[str, Any]) -> None:
    model = load_model(spec, 5, seed=0)
    logits = TASK.call(model.eval(), torch.rand(1, 3, *size)).output
    assert logits.shape == (1, 5, *(-(-side // stride) for side in size))
    assert {name: getattr(model.preprocessing, name) for name in preprocessing} == preprocessing
    assert model.preprocessing.size is None


def test_any_size_reaches_a_network_that_takes_multiples() -> None:
    model = load_model(VIT, 5, seed=0).eval()
    assert TASK.call(model, torch.rand(1, 3, 50, 71)).output.shape == (1, 5, 12, 16)
    assert TASK.predict(model, torch.rand(1, 3, 50, 71)).shape == (1, 50, 71)


def test_a_network_of_one_size_is_given_that_one() -> None:
    model = load_model("timm:mixer_s32_224?img_size=64&decoder=8", 5, seed=0)
    assert model.preprocessing.size == (64, 64)
    assert TASK.predict(model.eval(), torch.rand(1, 3, 50, 71)).shape == (1, 50, 71)


def test_preprocessing_is_that_of_the_weights_named() -> None:
    assert load_model(VIT, 5, seed=0).preprocessing == Preprocessing((0.5,) * 3, (0.5,) * 3, divisor=16)
    config = timm.get_pretrained_cfg("resnet10t")
    assert load_model("timm:resnet10t", 5, seed=0).preprocessing == Preprocessing(config.mean, config.std)


def test_blocks_from_all_over_a_plain_transformer_unless_told() -> None:
    assert [block + 1 for block in load_model(VIT.replace("=4", "=8"), 5, seed=0).encoder.out_indices] == [2, 4, 6, 8]
    assert load_model(f"{VIT}&out_indices=1,3", 5, seed=0).encoder.out_indices == [1, 3]


def test_gradient_reaches_every_parameter() -> None:
    model = load_model(VIT, 5, seed=0)
    TASK.call(model, torch.rand(2, 3, 32, 32)).output.square().sum().backward()
    assert [name for name, each in model.named_parameters() if each.grad is None] == []


def test_equal_seeds_give_equal_weights() -> None:
    first, second = (load_model(VIT, 5, seed=3).state_dict() for _ in range(2))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_weights_are_asked_for_by_the_librarys_tag(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[tuple[str, bool]] = []
    create = timm.create_model

    def recorded(name: str, pretrained: bool, **options: Any) -> Any:
        asked.append((name, pretrained))
        return create(name, pretrained=False, **options)

    monkeypatch.setattr(timm, "create_model", recorded)
    model = load_model("timm:resnet10t", 5)
    assert not any(pretrained for _, pretrained in asked)
    load_model("timm:resnet10t?weights=imagenet", 5)
    assert asked[-1] == ("resnet10t", True)
    load_model("timm:resnet10t?weights=c3_in1k", 5)
    assert asked[-1] == ("resnet10t.c3_in1k", True)
    # A run has its own weights.
    asked.clear()
    spec = "timm:resnet10t?weights=imagenet"
    record = {"model": {"spec": spec, "preprocessing": model.preprocessing.to_json()}, "classes": list("abcde")}
    Run.create(tmp_path / "run", record).save_weights(model.state_dict())
    assert load_model(str(tmp_path / "run"), 5).classes == tuple("abcde")
    assert not any(pretrained for _, pretrained in asked)


def test_weights_that_cannot_be_fetched_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*arguments: Any, **more: Any) -> None:
        raise OSError("cannot reach\n the hub")

    monkeypatch.setattr("timm.models._builder.load_pretrained", unreachable)
    with pytest.raises(UsageError, match=r"^cannot get the weights of timm:resnet10t: cannot reach the hub$"):
        load_model("timm:resnet10t?weights=imagenet", 5)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("timm:resnet19", "unknown model of timm 'resnet19': did you mean resnet18, "),
        ("timm:resnet10t?weights=in22k", "unknown weights of timm:resnet10t 'in22k': did you mean c3_in1k"),
        (
            "timm:resnet10t?weights=DEFAULT",
            "unknown weights of timm:resnet10t 'DEFAULT': expected one of imagenet, c3_in",
        ),
        ("timm:resnet10t?foo=3", "timm:resnet10t refused its options: .*'foo'"),
        ("timm:resnet10t?features_only=false", "expected no option 'features_only' of timm:resnet10t"),
        ("timm:resnet10t?decoder=0", "expected a decoder of at least one channel, got 0"),
        ("timm:resnet10t?decoder=wide", "expected a whole number for 'decoder', got 'wide'"),
        ("timm:vit_tiny_patch16_224?img_size=large", "expected a whole number for 'img_size', got 'large'"),
    ],
)
def test_mistakes_get_one_line(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        load_model(spec, 5)
    assert "\n" not in str(caught.value)


def test_an_encoder_is_no_trained_network() -> None:
    with pytest.raises(UsageError, match="expected a trained network, got 'timm:resnet10t', whose classifier is "):
        load_model("timm:resnet10t?weights=imagenet", None)


def test_without_the_package_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UsageError, match=r'^expected timm for timm:resnet10t, .*: pip install "pupil-kd\[timm\]"$'):
        load_model("timm:resnet10t", 5)


def test_its_names_are_listed() -> None:
    assert {"resnet10t", "vit_tiny_patch16_224"} <= set(model_names()["timm"])


WHOLE = ClassificationTask([str(index) for index in range(7)])
SMALL_VIT = "vit_tiny_patch16_224?depth=2"


@pytest.mark.parametrize(
    ("spec", "embedding", "sizes"),
    [
        ("resnet18", "fc", {}),
        ("mobilenetv3_small_050", "classifier", {}),
        ("convnext_atto", "head.fc", {}),
        (f"{SMALL_VIT}&img_size=32", "head", {"divisor": 16}),
        (f"{SMALL_VIT}&img_size=32&patch_size=4", "head", {"divisor": 4}),
        ("mixer_s32_224?img_size=64", "head", {"size": (64, 64)}),
        ("xcit_nano_12_p16_224?depth=1", "head", {}),
        ("inception_v4", "last_linear", {"least": 96}),
    ],
)
def test_classifiers_at_32_pixels(spec: str, embedding: str, sizes: dict[str, Any]) -> None:
    model = load_model(f"timm:{spec}", 7, kind="whole", seed=0)
    assert model.training
    assert {name: getattr(model.preprocessing, name) for name in sizes} == sizes
    known = timm.get_pretrained_cfg(spec.partition("?")[0])
    assert (model.preprocessing.mean, model.preprocessing.std) == (known.mean, known.std)
    found = dry_run(model, torch.rand(2, 3, 32, 32), WHOLE.call)
    assert found.output == (2, 7)
    assert found.shape(f"{embedding}:in")[0] == 2


def test_a_pretrained_classifier_names_the_folders_of_imagenet(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    create = timm.create_model

    def recorded(name: str, pretrained: bool, **options: Any) -> Any:
        asked.append(pretrained)
        return create(name, pretrained=False, **options)

    monkeypatch.setattr(timm, "create_model", recorded)
    own = load_model("timm:resnet10t?weights=imagenet", None, kind="whole")
    assert asked[-1]
    assert (len(own.classes), own.classes[:2]) == (1000, ("n01440764", "n01443537"))
    assert load_model("timm:resnet10t?weights=imagenet", 7, kind="whole").num_classes == 7
    assert asked[-1]
    timm_classifier(parse("timm:resnet10t?weights=imagenet"), 7, False)
    assert not asked[-1]


def test_classifiers_without_classes_are_no_trained_networks() -> None:
    with pytest.raises(UsageError, match="expected a trained network, got 'timm:resnet10t'"):
        load_model("timm:resnet10t", None, kind="whole")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (f"{SMALL_VIT}&img_size=30", "expected img_size of timm:vit_tiny_patch16_224 in multiples of 16, got 30"),
        ("resnet10t?decoder=8", "timm:resnet10t refused its options: .*'decoder'"),
        ("resnet10t?num_classes=8", "expected no option 'num_classes' of timm:resnet10t"),
        ("resnet10t?weights=in22k", "unknown weights of timm:resnet10t 'in22k': did you mean c3_in1k"),
    ],
)
def test_mistakes_with_classifiers_get_one_line(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        load_model(f"timm:{spec}", 7, kind="whole")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "levels"),
    [
        ("resnet10t?detector=retinanet&pyramid=32", ("0", "1", "2", "p6", "p7")),
        ("resnet10t?pyramid=32&out_indices=2,3", ("0", "1", "p6", "p7")),
        ("mobilenetv3_small_050?detector=fcos&pyramid=32", ("0", "1", "2", "p6", "p7")),
        ("resnet10t?detector=fasterrcnn&pyramid=32", ("0", "1", "2", "3", "pool")),
        (
            "swin_tiny_patch4_window7_224?depths=1,1,1,1&embed_dim=12&num_heads=1,2,3,4&detector=fcos&pyramid=32",
            ("0", "1", "2", "p6", "p7"),
        ),
    ],
)
def test_encoders_carry_detectors(spec: str, levels: tuple[str, ...]) -> None:
    model = load_model(f"timm:{spec}&min_size=96&max_size=128", 3, seed=0, kind="boxes")
    assert not hasattr(model, "preprocessing")
    image = torch.rand(2, 3, 96, 128)
    target = [{"boxes": torch.tensor([[8.0, 8, 40, 60]]), "labels": torch.tensor([3])} for _ in image]
    shown = detector_call(model)(model, list(image), target)
    assert shown.output.levels == levels
    assert all(shown.features[name].shape[:2] == (2, 32) for name in levels)
    loss = sum(shown.output.losses.values())
    loss.backward()
    assert loss.isfinite()
    first = next(iter(model.backbone.encoder.parameters()))
    assert first.grad.abs().sum() > 0


@pytest.mark.slow
def test_a_detector_normalises_as_its_encoder_was_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    create = timm.create_model

    def recorded(name: str, pretrained: bool, **options: Any) -> Any:
        asked.append(pretrained)
        return create(name, pretrained=False, **options)

    monkeypatch.setattr(timm, "create_model", recorded)
    spec = "timm:vgg11.tv_in1k?detector=fcos&pyramid=32&score_thresh=0.3&weights=true"
    known = timm.get_pretrained_cfg("vgg11.tv_in1k")
    model: Any = timm_detector(parse(spec), 3, True)
    assert asked[-1]
    assert (model.transform.image_mean, model.transform.image_std) == (list(known.mean), list(known.std))
    assert model.score_thresh == 0.3
    timm_detector(parse(spec), 3, False)
    assert not asked[-1]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("resnet10t?detector=yolo", "unknown detector 'yolo': expected one of retinanet, fcos, fasterrcnn"),
        ("resnet10t?pyramid=48", "retinanet refused its options: num_channels .* must be divisible"),
        ("resnet10t?minsize=96", "timm:resnet10t refused its options: .*'minsize'"),
        (
            "vit_tiny_patch16_224?depth=4&embed_dim=24&num_heads=3",
            r"maps at strides 8, 16 and so on, got \[16, 16, 16\]: choose a convolutional",
        ),
    ],
)
def test_mistakes_with_detectors_get_one_line(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        load_model(f"timm:{spec}", 3, kind="boxes")
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="expected a trained network, got 'timm:resnet10t'"):
        load_model("timm:resnet10t?weights=true", None, kind="boxes")
