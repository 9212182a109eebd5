from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.models.existence import ExistenceBranch


def branch(size: tuple[int, int] = (48, 80), channels: int = 6, classes: int = 5, **options: int) -> ExistenceBranch:
    torch.manual_seed(0)
    built = ExistenceBranch(channels, classes, size, **options).double()
    norm = built.maps[1]
    nn.init.normal_(norm.running_mean)
    nn.init.uniform_(norm.running_var, 0.5, 2.0)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return built.eval().requires_grad_(False)


def naive_maps(built: ExistenceBranch, features: Tensor) -> list[list[list[float]]]:
    """The K maps of one image: every convolution, norm and softmax a loop."""
    convolution, norm, _, _, classify, _ = built.maps
    channels, height, width = features.shape
    maps = [[[0.0] * width for _ in range(height)] for _ in range(classify.out_channels)]
    for row in range(height):
        for column in range(width):
            hidden = []
            for out in range(convolution.out_channels):
                total = 0.0
                for channel in range(channels):
                    for i in range(3):
                        for j in range(3):
                            y, x = row + 4 * (i - 1), column + 4 * (j - 1)
                            if 0 <= y < height and 0 <= x < width:
                                total += float(convolution.weight[out, channel, i, j] * features[channel, y, x])
                scale = float(norm.weight[out]) / math.sqrt(float(norm.running_var[out]) + 1e-3)
                hidden.append(max(0.0, (total - float(norm.running_mean[out])) * scale + float(norm.bias[out])))
            scores = [
                sum(float(classify.weight[k, out, 0, 0]) * each for out, each in enumerate(hidden))
                + float(classify.bias[k])
                for k in range(classify.out_channels)
            ]
            total = sum(map(math.exp, scores))
            for k, score in enumerate(scores):
                maps[k][row][column] = math.exp(score) / total
    return maps


def naive_head(built: ExistenceBranch, maps: list[list[list[float]]]) -> list[float]:
    """Pool, flatten and two linear layers, by loops."""
    flat = [
        max(each[row][column], each[row][column + 1], each[row + 1][column], each[row + 1][column + 1])
        for each in maps
        for row in range(0, len(each) // 2 * 2, 2)
        for column in range(0, len(each[0]) // 2 * 2, 2)
    ]
    first, _, last = built.linear
    hidden = [
        max(0.0, sum(w * x for w, x in zip(row, flat, strict=True)) + bias)
        for row, bias in zip(first.weight.tolist(), first.bias.tolist(), strict=True)
    ]
    return [
        sum(w * x for w, x in zip(row, hidden, strict=True)) + bias
        for row, bias in zip(last.weight.tolist(), last.bias.tolist(), strict=True)
    ]


def test_equals_loops() -> None:
    # 5 x 7 positions: the pool leaves the last row and column out.
    built = branch(size=(40, 56), channels=2, classes=3, width=3, hidden=4)
    features = torch.randn(1, 2, 5, 7, dtype=torch.float64)
    expected = naive_head(built, naive_maps(built, features[0]))
    torch.testing.assert_close(built(features)[0].tolist(), expected, rtol=1e-9, atol=1e-12)


def test_another_grid_is_averaged_into_that_of_the_size() -> None:
    built = branch(size=(32, 48), channels=2, classes=3, width=3, hidden=4)
    features = torch.randn(1, 2, 8, 18, dtype=torch.float64)
    large = naive_maps(built, features[0])
    # 8 x 18 into 4 x 6: cells of 2 x 3.
    cells = [
        [
            [sum(each[2 * row + i][3 * column + j] for i in range(2) for j in range(3)) / 6 for column in range(6)]
            for row in range(4)
        ]
        for each in large
    ]
    torch.testing.assert_close(built(features)[0].tolist(), naive_head(built, cells), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("size", "positions"),
    [((208, 976), 3965), ((288, 800), 4500), ((368, 640), 4600)],
)
def test_published_sizes(size: tuple[int, int], positions: int) -> None:
    built = ExistenceBranch(128, 5, size)
    assert built.linear[0].in_features == positions
    convolutions = 3 * 3 * 128 * 32 + 2 * 32 + 32 * 5 + 5
    count = sum(parameter.numel() for parameter in built.parameters())
    assert count == convolutions + (positions + 1) * 128 + (128 + 1) * 4
    if size == (208, 976):
        assert count == 545_257


def test_settings_of_the_publication() -> None:
    convolution, norm, _, dropout, *_ = ExistenceBranch(128, 5, (16, 16)).maps
    assert (convolution.dilation, convolution.padding, convolution.bias) == ((4, 4), (4, 4), None)
    assert (norm.eps, dropout.p) == (1e-3, 0.1)


def test_logits_are_no_probabilities() -> None:
    built = branch()
    built.linear[2].bias.copy_(torch.tensor([-9.0, 9.0, 0.0, 0.0]))
    low, high, *_ = built(torch.randn(1, 6, 6, 10, dtype=torch.float64))[0].tolist()
    assert low < -5
    assert high > 5


@pytest.mark.parametrize(("size", "nearest"), [((590, 976), "592x976"), ((208, 978), "208x976"), ((8, 976), "16x976")])
def test_refuses_sizes_without_a_grid(size: tuple[int, int], nearest: str) -> None:
    with pytest.raises(UsageError, match=rf"got an image of {size[0]}x{size[1]}: resize or crop it, e.g. to {nearest}"):
        ExistenceBranch(4, 5, size)
