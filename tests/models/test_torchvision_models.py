"""torchvision's networks: which weights each word asks for, and what a run rebuilds without them."""

from __future__ import annotations

from typing import Any
from urllib.error import URLError

import pytest
from torch import nn
from torchvision import models

from pupil.errors import UsageError
from pupil.models import load_model
from pupil.models.spec import parse
from pupil.models.torchvision_models import from_torchvision

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
