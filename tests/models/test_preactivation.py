"""Wide ResNets and PreAct-ResNet: parameters as published, and what a block does in which order."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.models import count_parameters
from pupil.models.preactivation import PREACT_NAMES, WIDE_NAMES, Block, preact_resnet, wide_resnet


def formula(stem: int, stages: list[int], depths: list[int], classes: int, norms: int) -> int:
    """Two convolutions a block, each behind the two numbers a channel of its normalisation, and bare shortcuts."""
    total, channels = 27 * stem, stem
    for index, (out, depth) in enumerate(zip(stages, depths, strict=True)):
        for block in range(depth):
            total += 2 * channels + 9 * channels * out + 2 * out + 9 * out * out
            if channels != out or (block == 0 and index > 0):
                total += channels * out
            channels = out
    return total + 2 * norms + channels * classes + classes


@pytest.mark.parametrize("name", WIDE_NAMES)
def test_parameters_of_wide_networks_by_formula(name: str) -> None:
    depth, width = WIDE_NAMES[name]
    stages = [16 * width, 32 * width, 64 * width]
    expected = formula(16, stages, [(depth - 4) // 6] * 3, 37, norms=stages[-1])
    assert count_parameters(wide_resnet(name, 37)) == expected


@pytest.mark.parametrize("name", PREACT_NAMES)
def test_parameters_of_preact_networks_by_formula(name: str) -> None:
    expected = formula(64, [64, 128, 256, 512], list(PREACT_NAMES[name]), 37, norms=64)
    assert count_parameters(preact_resnet(name, 37)) == expected


@pytest.mark.parametrize(("name", "parameters"), [("wrn_16_2", 703_284), ("preact_resnet18", 11_217_444)])
def test_parameters_as_published_to_the_last(name: str, parameters: int) -> None:
    build = preact_resnet if name in PREACT_NAMES else wide_resnet
    assert count_parameters(build(name, 100)) == parameters


@pytest.mark.parametrize(
    ("name", "classes", "millions"),
    [("wrn_16_2", 100, 0.70), ("wrn_40_1", 100, 0.57), ("wrn_40_2", 100, 2.26), ("wrn_28_10", 10, 36.5),
     ("wrn_40_4", 10, 8.9)],
)  # fmt: skip
def test_parameters_as_published(name: str, classes: int, millions: float) -> None:
    """Tian et al. 2020 at 100 classes; Zagoruyko and Komodakis 2016 at 10, who cut the last digit off."""
    assert count_parameters(wide_resnet(name, classes)) / 1e6 == pytest.approx(millions, rel=0.01)


def by_hand(block: Block, x: Tensor, activated: bool) -> Tensor:
    """The block in evaluation mode, with the statistics that a new BatchNorm has."""

    def activation(each: Tensor) -> Tensor:
        return (each / (1 + 1e-5) ** 0.5).clamp(min=0)

    convolutions = [each for each in block.body.modules() if isinstance(each, nn.Conv2d)]
    active = activation(x)
    body = convolutions[1](activation(convolutions[0](active)))
    if isinstance(block.shortcut, nn.Conv2d):
        return body + block.shortcut(active)
    return body + (active if activated else x)


@pytest.mark.parametrize("activated", [False, True])
@pytest.mark.parametrize(("out", "stride"), [(6, 1), (8, 1), (6, 2)])
def test_a_block_in_the_order_of_the_papers(out: int, stride: int, activated: bool) -> None:
    torch.manual_seed(0)
    block = Block(6, out, stride, activated=activated).eval()
    x = torch.randn(2, 6, 8, 8)
    torch.testing.assert_close(block(x), by_hand(block, x, activated))


def test_embeddings_before_and_after_the_last_relu() -> None:
    torch.manual_seed(0)
    image = torch.rand(4, 3, 32, 32)
    embedding = nn.Sequential(*list(wide_resnet("wrn_16_1", 10))[:-1])(image)
    assert embedding.min() >= 0
    embedding = nn.Sequential(*list(preact_resnet("preact_resnet18", 10))[:-1])(image)
    assert embedding.min() < 0


def test_dropout_acts_in_training_alone() -> None:
    torch.manual_seed(0)
    model, image = wide_resnet("wrn_16_1", 10, dropout=0.3), torch.rand(2, 3, 32, 32)
    assert sum(isinstance(each, nn.Dropout) and each.p == 0.3 for each in model.modules()) == 6
    assert not torch.equal(model(image), model(image))
    model.eval()
    assert torch.equal(model(image), model(image))


def test_mistakes_get_one_line() -> None:
    with pytest.raises(UsageError, match="unknown Wide ResNet 'wrn_16_3': did you mean wrn_16_"):
        wide_resnet("wrn_16_3", 10)
    with pytest.raises(UsageError, match=r"expected a dropout in \[0, 1\), got 1.0"):
        wide_resnet("wrn_16_2", 10, dropout=1.0)
    with pytest.raises(UsageError, match="unknown PreAct-ResNet 'preact18': did you mean preact_resnet18"):
        preact_resnet("preact18", 10)
    with pytest.raises(UsageError, match="expected a shortcut 'identity' or 'activated', got 'none': choose one"):
        preact_resnet("preact_resnet18", 10, shortcut="none")  # type: ignore[arg-type]
