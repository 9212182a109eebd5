"""A network is asked which sizes it takes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.models.sizes import accepted_sizes, least_side


class Taking(nn.Module):
    """Takes heights and widths that are multiples of a number, or one size alone."""

    def __init__(self, divisor: int = 1, size: tuple[int, int] | None = None) -> None:
        super().__init__()
        self.divisor, self.size = divisor, size
        self.norm = nn.BatchNorm2d(3)

    def forward(self, image: Tensor) -> Tensor:
        assert self.size in (None, tuple(image.shape[2:])), "another size"
        assert all(side % self.divisor == 0 for side in image.shape[2:]), f"not a multiple\nof {self.divisor}"
        return self.norm(image)


@pytest.mark.parametrize(
    ("model", "stride", "patch", "divisor", "size"),
    [
        (Taking(), 32, 1, 1, None),
        (Taking(32), 32, 1, 32, None),
        (Taking(14), 14, 1, 14, None),
        # It would take any size, and drop the rest of the last patch.
        (Taking(), 16, 16, 16, None),
        (Taking(4), 32, 4, 4, None),
        (Taking(size=(224, 160)), 32, 1, 1, (224, 160)),
    ],
)
def test_what_it_takes(model: nn.Module, stride: int, patch: int, divisor: int, size: tuple[int, int] | None) -> None:
    only = (224, 160)
    assert accepted_sizes(model, "it", stride=stride, patch=patch, only=only) == {"divisor": divisor, "size": size}


def test_asking_leaves_no_trace() -> None:
    model = Taking().train()
    model.norm.eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    accepted_sizes(model, "it")
    assert (model.training, model.norm.training) == (True, False)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_network_that_takes_nothing_says_why() -> None:
    with pytest.raises(UsageError, match=r"expected it to run on an image of 160x224 or 50x50, got .*multiple of 9"):
        accepted_sizes(Taking(9), "it", only=(50, 50))
    with pytest.raises(
        UsageError, match=r"expected it to run on an image of 160x224, got AssertionError: not a multiple of 9"
    ):
        accepted_sizes(Taking(9), "it")


@pytest.mark.parametrize(
    ("pooled", "divisor", "least"), [(32, 1, 1), (33, 1, 48), (60, 1, 64), (33, 14, 42), (14, 14, 1)]
)
def test_the_least_side_is_looked_for(pooled: int, divisor: int, least: int) -> None:
    assert least_side(nn.AvgPool2d(pooled), "pooling", {"divisor": divisor, "size": None}) == least


def test_a_network_of_one_size_has_no_least_side() -> None:
    assert least_side(nn.AvgPool2d(999), "pooling", {"divisor": 1, "size": (999, 999)}) == 1


def test_a_network_that_takes_no_small_square_is_refused() -> None:
    with pytest.raises(UsageError, match="expected pooling to run on an image of 320 pixels a side, got RuntimeError"):
        least_side(nn.AvgPool2d(999), "pooling", {"divisor": 1, "size": None})
