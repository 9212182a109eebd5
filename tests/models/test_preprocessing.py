from __future__ import annotations

import copy
import json
import pickle

import pytest
import torch
from torch import nn

from pupil.errors import UsageError
from pupil.models.preprocessing import IMAGENET, PLAIN, Preprocessing, attach


def image(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(dtype)


def test_equals_normalisation_by_hand_channel_by_channel() -> None:
    picture = image(2, 3, 5, 7, dtype=torch.float64)
    settings = Preprocessing(mean=(10, 20, 30), std=(2, 3, 4), scale=255, order="BGR")
    blue_first = [picture[:, 2], picture[:, 1], picture[:, 0]]
    by_hand = torch.stack(
        [(255 * channel - mean) / std for channel, mean, std in zip(blue_first, (10, 20, 30), (2, 3, 4), strict=True)],
        dim=1,
    )
    torch.testing.assert_close(settings(picture), by_hand, rtol=1e-12, atol=1e-12)


def test_imagenet_equals_torchvision() -> None:
    from torchvision.transforms.v2.functional import normalize

    picture = image(2, 3, 5, 7)
    expected = normalize(picture, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    torch.testing.assert_close(IMAGENET(picture), expected)


def test_plain_gives_back_the_very_image() -> None:
    picture = image(1, 3, 4, 4)
    assert PLAIN(picture) is picture


def test_sizes_are_resampled_to_the_nearest_multiple() -> None:
    assert Preprocessing(divisor=32)(image(1, 3, 120, 161)).shape == (1, 3, 128, 160)
    assert Preprocessing(divisor=32)(image(1, 3, 5, 64)).shape == (1, 3, 32, 64)
    picture = image(1, 3, 64, 96)
    assert Preprocessing(divisor=32)(picture) is picture


def test_a_network_of_one_size_gets_it_whatever_comes() -> None:
    settings = Preprocessing(size=(24, 40), divisor=32)
    assert settings(image(1, 3, 120, 161)).shape == (1, 3, 24, 40)
    picture = image(1, 3, 24, 40)
    assert settings(picture) is picture


def test_images_below_the_least_side_are_enlarged_to_it() -> None:
    settings = Preprocessing(least=63)
    assert settings(image(1, 3, 32, 80)).shape == (1, 3, 63, 80)
    picture = image(1, 3, 63, 64)
    assert settings(picture) is picture
    assert Preprocessing(divisor=32, least=40)(image(1, 3, 32, 161)).shape == (1, 3, 64, 160)


def test_keeps_type_and_gradient_and_may_meet_inference_mode_first() -> None:
    settings = Preprocessing(mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7))
    with torch.inference_mode():
        settings(image(1, 3, 2, 2))
    picture = image(1, 3, 2, 2).requires_grad_()
    settings(picture).square().sum().backward()
    assert picture.grad is not None
    assert settings(image(1, 3, 2, 2, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_constants_are_made_once() -> None:
    from pupil.functional.constants import _KEPT

    settings = Preprocessing(mean=(0.11, 0.22, 0.33))
    settings(image(1, 3, 2, 2))
    known = len(_KEPT)
    Preprocessing(mean=(0.11, 0.22, 0.33))(image(4, 3, 8, 8))
    assert len(_KEPT) == known


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_travels_on_copies_and_pickles_and_stays_out_of_the_state(twin) -> None:  # type: ignore[no-untyped-def]
    model = attach(nn.Conv2d(3, 2, 1), IMAGENET)
    IMAGENET(image(1, 3, 2, 2))
    assert twin(model).preprocessing == IMAGENET
    assert list(model.state_dict()) == ["weight", "bias"]


def test_survives_json() -> None:
    settings = Preprocessing(mean=(1, 2, 3), std=(4, 5, 6), scale=255, order="BGR", divisor=14, size=(8, 9), least=63)
    assert Preprocessing.from_json(json.loads(json.dumps(settings.to_json()))) == settings
    with pytest.raises(UsageError, match="unknown preprocessing setting 'meen': did you mean mean"):
        Preprocessing.from_json({"meen": [0, 0, 0]})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"std": (1, 0, 1)}, "expected positive std, scale, divisor and least"),
        ({"divisor": 0}, "expected positive std, scale, divisor and least"),
        ({"least": 0}, "expected positive std, scale, divisor and least"),
        ({"mean": (0, 0)}, "expected three channels"),
        ({"order": "GBR"}, "expected order 'RGB' or 'BGR', got 'GBR'"),
    ],
)
def test_refuses_impossible_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Preprocessing(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("picture", [torch.zeros(3, 4, 4), torch.zeros(1, 4, 4, 3), torch.zeros(1, 3, 4, 4).byte()])
def test_refuses_what_is_no_batch_of_float_images(picture: torch.Tensor) -> None:
    with pytest.raises(UsageError, match=r"expected an image \(N, 3, H, W\) of floats in \[0, 1\]"):
        IMAGENET(picture)


def test_compiles_without_a_graph_break() -> None:
    compiled = torch.compile(IMAGENET.__call__, backend="eager", fullgraph=True)
    picture = image(2, 3, 4, 4)
    IMAGENET(picture)
    torch.testing.assert_close(compiled(picture), IMAGENET(picture))
