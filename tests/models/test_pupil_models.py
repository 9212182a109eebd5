"""Our own networks by name: of both kinds, each with the preprocessing it was published with."""

from __future__ import annotations

import pytest
import torch

from pupil.errors import UsageError
from pupil.models import CIFAR, IMAGENET, load_model, model_names
from pupil.models.pupil_models import from_pupil, pupil_names
from pupil.models.spec import parse


def test_every_name_is_of_one_kind() -> None:
    dense, whole, boxes = pupil_names(), pupil_names("whole"), pupil_names("boxes")
    assert {"tiny", "large", "efficient-pyramid-b0", "enet-sad", "lane-tiny"} <= set(dense)
    assert {"resnet8", "resnet56", "resnet32x4", "resnet18", "wrn_16_2", "preact_resnet18", "densenet121"} <= set(whole)
    assert not set(dense) & set(whole)
    assert not {*dense, *whole} & set(boxes)
    assert (model_names()["pupil"], model_names(kind="whole")["pupil"]) == (dense, whole)


@pytest.mark.parametrize(
    "spec", ["resnet8?shortcut=padding", "wrn_16_1?dropout=0.3", "preact_resnet18", "densenet121?growth=4"]
)
def test_classifiers_take_options_and_the_statistics_of_cifar(spec: str) -> None:
    model = load_model(f"pupil:{spec}", 10, kind="whole", seed=0).eval()
    assert model.preprocessing == CIFAR
    assert model(model.preprocessing(torch.rand(2, 3, 32, 32))).shape == (2, 10)


def test_dense_networks_come_with_their_own() -> None:
    assert load_model("pupil:tiny", 3, seed=0).preprocessing == IMAGENET
    assert load_model("pupil:efficient-pyramid-b0", 3, seed=0).preprocessing == IMAGENET
    lanes = load_model("pupil:lane-tiny?size=64x128&existence=false", 3, seed=0).eval()
    assert lanes.preprocessing.divisor == 8
    assert set(lanes(torch.rand(1, 3, 64, 128))) == {"out"}


@pytest.mark.parametrize("name", ["efficient-pyramid-b0", "lane-resnet18"])
def test_weights_are_fetched_only_where_they_are_asked_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*arguments: object, **more: object) -> None:
        raise OSError("no route\nto host")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", unreachable)
    load_model(f"pupil:{name}?weights=none", 3)
    # A run is rebuilt from its own weights.
    from_pupil(parse(f"pupil:{name}?weights=imagenet"), 3, False)
    with pytest.raises(UsageError, match=r"cannot get the weights of .*: no route to host$"):
        load_model(f"pupil:{name}?weights=true", 3)
    with pytest.raises(UsageError, match=r"unknown weights of .*'coco'"):
        load_model(f"pupil:{name}?weights=coco", 3)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("resnet21", "unknown model of the family 'pupil' 'resnet21': did you mean resnet"),
        ("resnet20?shortcut=B", "unknown value of 'shortcut' 'B': expected one of projection, padding"),
        ("wrn_16_2?droput=0.3", "unknown option of pupil:wrn_16_2 'droput': did you mean dropout"),
        ("resnet20?weights=imagenet", "unknown option of pupil:resnet20 'weights'"),
    ],
)
def test_mistakes_get_one_line(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        load_model(f"pupil:{spec}", 10, kind="whole")
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="expected a trained network, got 'pupil:resnet20'"):
        load_model("pupil:resnet20", None, kind="whole")
