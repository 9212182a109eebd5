"""torchvision's networks: which weights each word asks for, and what a run rebuilds without them."""

from __future__ import annotations

from typing import Any
from urllib.error import URLError

import pytest
import torch
from torch import nn
from torchvision import models

from pupil.errors import UsageError
from pupil.models import IMAGENET, Preprocessing, load_model
from pupil.models.spec import parse
from pupil.models.torchvision_models import _fill, from_torchvision, torchvision_classifier
from pupil.taps import dry_run
from pupil.tasks.classification import ClassificationTask

NAME = "torchvision:fcn_resnet50"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the builder was asked for, which builds something small instead."""
    seen: list[dict[str, Any]] = []

    def build(
        *, weights: Any = None, num_classes: int = 21, aux_loss: bool | None = None, weights_backbone: Any = ""
    ) -> nn.Module:
        seen.append({"weights": weights, "backbone": weights_backbone, "classes": num_classes, "aux": aux_loss})
        return nn.Conv2d(3, num_classes, 1)

    monkeypatch.setattr(models, "get_model_builder", lambda name: build)
    return seen


@pytest.mark.parametrize(
    ("options", "classes", "weights", "backbone", "aux"),
    [
        ("", 7, None, None, None),
        ("?weights=imagenet", 7, None, "DEFAULT", None),
        ("?weights_backbone=DEFAULT&aux_loss=true", 7, None, "DEFAULT", True),
        ("?weights=imagenet&weights_backbone=IMAGENET1K_V1", 7, None, "IMAGENET1K_V1", None),
        ("?weights=False&weights_backbone=false", 7, None, None, None),
        ("?weights=DEFAULT", 21, "DEFAULT", None, None),
        ("?weights=default", 21, "DEFAULT", None, None),
        ("?weights=COCO_WITH_VOC_LABELS_V1", None, "COCO_WITH_VOC_LABELS_V1", None, None),
    ],
)
def test_the_words_for_weights(
    asked: list[dict[str, Any]],
    options: str,
    classes: int | None,
    weights: str | None,
    backbone: str | None,
    aux: bool | None,
) -> None:
    model = load_model(NAME + options, classes)
    assert asked == [{"weights": weights, "backbone": backbone, "classes": classes or 21, "aux": aux}]
    assert getattr(model, "classes", ())[:2] == (() if classes else ("__background__", "aeroplane"))


def test_a_run_is_rebuilt_as_it_was_without_fetching(asked: list[dict[str, Any]]) -> None:
    from_torchvision(parse(f"{NAME}?weights=imagenet"), 7, False)
    from_torchvision(parse(f"{NAME}?weights=DEFAULT"), 21, False)
    assert asked == [
        {"weights": None, "backbone": None, "classes": 7, "aux": None},
        {"weights": None, "backbone": None, "classes": 21, "aux": True},
    ]


def test_weights_that_cannot_be_fetched_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*arguments: Any, **more: Any) -> None:
        raise URLError("no route\nto host")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", unreachable)
    message = f"^cannot get the weights DEFAULT of {NAME}: <urlopen error no route to host>$"
    with pytest.raises(UsageError, match=message):
        load_model(f"{NAME}?weights=imagenet", 7)
    with pytest.raises(UsageError, match=message):
        load_model(f"{NAME}?weights=DEFAULT", None)


def test_its_own_classes_need_its_own_weights() -> None:
    for spec in (NAME, f"{NAME}?weights=imagenet"):
        with pytest.raises(UsageError, match=f"expected a trained network, got '{NAME}', whose classifier is random"):
            load_model(spec, None)


TASK = ClassificationTask([str(index) for index in range(7)])


@pytest.mark.parametrize(
    ("spec", "embedding", "sizes"),
    [
        ("resnet18", "fc", {}),
        ("mobilenet_v3_small", "classifier.3", {}),
        ("shufflenet_v2_x0_5", "fc", {}),
        ("squeezenet1_1", "classifier.1", {}),
        ("mnasnet0_5?dropout=0.1", "classifier.1", {}),
        ("alexnet", "classifier.6", {"least": 64}),
        ("googlenet", "fc", {}),
        ("vit_b_32?image_size=32", "heads.head", {"size": (32, 32)}),
    ],
)
def test_classifiers_at_32_pixels(spec: str, embedding: str, sizes: dict[str, Any]) -> None:
    model = load_model(f"torchvision:{spec}", 7, kind="whole", seed=0)
    assert model.training
    assert model.preprocessing == Preprocessing(IMAGENET.mean, IMAGENET.std, **sizes)
    found = dry_run(model, torch.rand(2, 3, 32, 32), TASK.call)
    assert found.output == (2, 7)
    assert found.shape(f"{embedding}:in")[0] == 2
    assert isinstance(TASK.call(model, torch.rand(2, 3, 32, 32)).output, torch.Tensor)


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """What would be fetched for SqueezeNet."""
    torch.manual_seed(5)
    weights: dict[str, torch.Tensor] = models.squeezenet1_1(weights=None).state_dict()
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda *arguments, **more: weights)
    return weights


@pytest.mark.parametrize("word", ["imagenet", "true", "DEFAULT", "imagenet1k_v1"])
def test_a_pretrained_classifier_keeps_its_classes_or_gets_new_ones(stored: dict[str, torch.Tensor], word: str) -> None:
    own = load_model(f"torchvision:squeezenet1_1?weights={word}", None, kind="whole")
    assert own.classes[:2] == ("tench", "goldfish")
    assert all(torch.equal(value, stored[name]) for name, value in own.state_dict().items())
    other = load_model(f"torchvision:squeezenet1_1?weights={word}", 7, kind="whole").state_dict()
    assert [name for name, value in other.items() if value.shape != stored[name].shape] == [
        "classifier.1.weight", "classifier.1.bias"
    ]  # fmt: skip
    assert torch.equal(other["features.0.weight"], stored["features.0.weight"])


def test_a_run_of_a_classifier_is_rebuilt_without_fetching(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetched(*arguments: Any, **more: Any) -> None:
        raise AssertionError("weights were fetched")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fetched)
    model = torchvision_classifier(parse("torchvision:resnet18?weights=imagenet"), 7, False)
    assert model.fc.out_features == 7
    # Weights decide more than weights: the size of the image, and whether it is normalised once more.
    spec = "torchvision:vit_b_16?weights=IMAGENET1K_SWAG_E2E_V1"
    assert torchvision_classifier(parse(spec), 7, False).preprocessing.size == (384, 384)
    assert torchvision_classifier(parse("torchvision:googlenet?weights=true"), 7, False).transform_input
    assert not torchvision_classifier(parse("torchvision:googlenet"), 7, False).transform_input


def test_weights_of_another_shape_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(weights: Any = None, num_classes: int = 1000) -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 4 if weights else 5, 1), nn.Conv2d(4 if weights else 5, num_classes, 1))

    monkeypatch.setattr(models, "get_model_builder", lambda name: build)
    with pytest.raises(
        UsageError, match=r"expected 0.weight of the weights to be \(5, 3, 1, 1\), got \(4, 3, 1, 1\): le"
    ):
        load_model("torchvision:resnet18?weights=imagenet", 1000, kind="whole")


def test_a_classifier_of_another_width_is_no_new_classifier() -> None:
    ours, theirs = nn.Linear(5, 1000), nn.Linear(4, 1000)
    with pytest.raises(
        UsageError, match=r"expected weight of the weights to be \(1000, 5\), got \(1000, 4\): leave out"
    ):
        _fill(ours, theirs, 1000, "torchvision:resnet18")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "resnet18?weights=V3",
            "unknown weights of torchvision:resnet18 'V3': expected one of imagenet, IMAGENET1K_V1",
        ),
        ("vgg16?weights=IMAGENET1K_FEATURES", "unknown weights of torchvision:vgg16 'IMAGENET1K_FEATURES': did you"),
        ("resnet18?image_size=32", "torchvision:resnet18 refused its options: .*'image_size'"),
        ("vit_b_16?image_size=30", "torchvision:vit_b_16 refused its options: Input shape indivisible by patch size"),
        ("resnet18?num_classes=3", "unknown option of torchvision:resnet18 'num_classes'"),
    ],
)
def test_mistakes_with_classifiers_get_one_line(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        load_model(f"torchvision:{spec}", 7, kind="whole")
    assert "\n" not in str(caught.value)


def test_a_classifier_without_weights_has_no_classes_of_its_own() -> None:
    with pytest.raises(UsageError, match="expected a trained network, got 'torchvision:resnet18'"):
        load_model("torchvision:resnet18", None, kind="whole")
