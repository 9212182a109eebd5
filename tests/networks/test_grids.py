"""Which shapes are tokens, which are maps, and which way round."""

from __future__ import annotations

import pytest
import torch

from pupil.errors import UsageError
from pupil.networks import ChannelsFirst, TokensToGrid, map_of, token_grid


@pytest.mark.parametrize(
    ("tokens", "image", "grid"),
    [
        (196, (224, 224), (14, 14)),
        (197, (224, 224), (14, 14)),  # a class token
        (198, (224, 224), (14, 14)),  # DeiT's distillation token too
        (261, (224, 224), (16, 16)),  # DINOv2: a class token and four registers
        (24, (64, 96), (4, 6)),
        (25, (64, 96), (4, 6)),
        (25 * 41, (97, 161), (25, 41)),  # rounded up: a convolution with padding
        (11 * 15, (45, 61), (11, 15)),  # rounded down: one without
        (3 * 8 + 5, (96, 256), (3, 8)),  # registers, not the 3 x 9 positions and two more of another stride
        (1, (64, 64), (1, 1)),
        (77, (64, 96), None),
    ],
)
def test_the_grid_is_the_image_over_a_stride(tokens: int, image: tuple[int, int], grid: tuple[int, int] | None) -> None:
    assert token_grid(tokens, image) == grid


def test_tokens_are_laid_out_without_those_that_belong_to_no_position() -> None:
    tokens = torch.randn(2, 1 + 4 * 6, 8)
    to_map = map_of(tokens.shape, (64, 96))
    assert isinstance(to_map, TokensToGrid)
    laid_out = to_map(tokens)
    assert laid_out.shape == (2, 8, 4, 6)
    assert torch.equal(laid_out[:, :, 1, 2], tokens[:, 1 + 1 * 6 + 2])


def test_channels_that_come_last_are_put_first() -> None:
    feature = torch.randn(2, 4, 6, 96)
    to_map = map_of(feature.shape, (64, 96))
    assert isinstance(to_map, ChannelsFirst)
    assert torch.equal(to_map(feature)[:, 5], feature[..., 5])


@pytest.mark.parametrize(
    "shape", [(2, 96, 4, 6), (2, 4, 4, 6), (2, 96, 1, 1), (2, 96, 3, 5), (2, 96), (2, 77, 8), (2, 96, 30, 30)]
)
def test_everything_else_is_left_alone(shape: tuple[int, ...]) -> None:
    assert map_of(shape, (64, 96)) is None


def test_refuses_other_shapes() -> None:
    with pytest.raises(UsageError, match=r"expected a map \(N, H, W, C\), got \(2, 3, 4\)"):
        ChannelsFirst()(torch.zeros(2, 3, 4))
    with pytest.raises(UsageError, match=r"expected tokens \(N, 0 \+ 4 x 4, C\), got \(2, 17, 8\)"):
        TokensToGrid(4, 4)(torch.zeros(2, 17, 8))
