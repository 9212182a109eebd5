"""Residual networks: as many parameters as their formula and their publications say, and what leads past a block."""

from __future__ import annotations

import pytest
import torch

from pupil.errors import UsageError
from pupil.models import count_parameters
from pupil.models.resnet import NAMES, WIDE, Block, Padding, Size, resnet


def formula(size: Size, classes: int, projection: bool) -> int:
    """Convolutions without bias, two numbers a channel for each normalisation, a linear classifier with bias."""

    def convolution(channels: int, out: int, kernel: int) -> int:
        return channels * out * kernel**2 + 2 * out

    total, channels = convolution(3, size.stem, 3), size.stem
    for index, (out, depth) in enumerate(zip(size.stages, size.depths, strict=True)):
        inner = out // size.narrow
        for block in range(depth):
            if size.narrow == 1:
                total += convolution(channels, out, 3) + convolution(out, out, 3)
            else:
                total += convolution(channels, inner, 1) + convolution(inner, inner, 3) + convolution(inner, out, 1)
            if projection and (channels != out or (block == 0 and index > 0)):
                total += convolution(channels, out, 1)
            channels = out
    return total + channels * classes + classes


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shortcut", ["projection", "padding"])
def test_parameters_by_formula(name: str, shortcut: str) -> None:
    model = resnet(name, 37, shortcut=shortcut)  # type: ignore[arg-type]
    assert count_parameters(model) == formula(NAMES[name], 37, shortcut == "projection")


@pytest.mark.parametrize(
    ("name", "millions"),
    [("resnet8", 0.08), ("resnet20", 0.28), ("resnet32", 0.47), ("resnet56", 0.86), ("resnet110", 1.74),
     ("resnet8x4", 1.23), ("resnet32x4", 7.43)],
)  # fmt: skip
def test_parameters_as_the_field_of_distillation_publishes_them(name: str, millions: float) -> None:
    """Tian et al. 2020 and the tables that follow it, CIFAR-100."""
    assert count_parameters(resnet(name, 100)) / 1e6 == pytest.approx(millions, abs=0.005)


@pytest.mark.parametrize(
    ("name", "millions"),
    [("resnet20", 0.27), ("resnet32", 0.46), ("resnet44", 0.66), ("resnet56", 0.85), ("resnet110", 1.7)],
)
def test_parameters_as_the_first_paper_publishes_them(name: str, millions: float) -> None:
    """He et al. 2016, table 6, CIFAR-10, shortcuts without weights."""
    assert count_parameters(resnet(name, 10, shortcut="padding")) / 1e6 == pytest.approx(millions, rel=0.02)


def test_parameters_as_published_to_the_last() -> None:
    assert count_parameters(resnet("resnet18", 100)) == 11_220_132


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_computes_what_torchvisions_network_computes(name: str) -> None:
    from torchvision import models

    torch.manual_seed(0)
    ours, theirs = resnet(name, 10).eval(), models.get_model(name, weights=None, num_classes=10).eval()
    theirs.conv1, theirs.maxpool = torch.nn.Conv2d(3, 64, 3, padding=1, bias=False), torch.nn.Identity()
    # Both keep their weights in the order in which they are used, the shortcut's last.
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
    image = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(ours(image), theirs(image))


def test_stage_outputs_come_after_relu() -> None:
    torch.manual_seed(0)
    model, image = resnet("resnet8", 10), torch.rand(2, 3, 32, 32)
    for part in ("stem", "stage1", "stage2", "stage3"):
        image = model.get_submodule(part)(image)
        assert image.min() == 0
        assert image.max() > 0


def test_padding_takes_every_second_position_and_adds_zeros() -> None:
    image = torch.rand(2, 3, 5, 6)
    padded = Padding(3, 5, stride=2)(image)
    assert padded.shape == (2, 5, 3, 3)
    for row in range(3):
        for column in range(3):
            assert torch.equal(padded[:, :3, row, column], image[:, :, 2 * row, 2 * column])
    assert not padded[:, 3:].any()
    assert Block(3, 5, 2, 1, "padding")(image).shape == padded.shape


def test_refuses_unknown_names_and_shortcuts() -> None:
    with pytest.raises(UsageError, match=r"unknown residual network 'resnet21': did you mean resnet"):
        resnet("resnet21", 10)
    with pytest.raises(UsageError, match="expected a shortcut 'projection' or 'padding', got 'B': choose one"):
        resnet("resnet20", 10, shortcut="B")  # type: ignore[arg-type]
    assert WIDE[:3] == NAMES["resnet8x4"].stages
