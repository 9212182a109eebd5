"""The training transform moves image and lanes together, whatever it draws at random."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torchvision import tv_tensors

from pupil.data.lanes.drawn import DrawnLanes
from pupil.data.lanes.lane_images import IGNORE_INDEX
from pupil.data.lanes.points import drawn_mask
from pupil.data.lanes.transforms import lanes_transform
from pupil.data.views import Views
from pupil.errors import UsageError

SIZE = (90, 160)
LANES = np.array([[[30, 20], [70, 60], [95, 89]], [[150, 10], [120, 40], [99, 89]]], np.float32)


def white_line(width: int = 5) -> Any:
    """An image whose lanes are white on black, as its label says; the second one is grey."""
    mask = torch.from_numpy(drawn_mask(LANES, SIZE, width).copy())
    image = (mask == 1) * 255 + (mask == 2) * 120
    return tv_tensors.Image(image.to(torch.uint8).expand(3, -1, -1))


def centres(mask: torch.Tensor) -> torch.Tensor:
    """The mean column of each row, NaN where there is none."""
    columns = torch.arange(mask.shape[1], dtype=torch.float32)
    return (mask * columns).sum(dim=1) / mask.sum(dim=1)


@pytest.mark.parametrize("settings", [{}, {"rotation": 8.0}, {"scale": (0.7, 1.4)}, {"top": 0.2, "rotation": 0.0}])
@pytest.mark.parametrize("size", [SIZE, (45, 80), (60, 200)])
def test_lanes_stay_on_the_lines_of_the_image(settings: dict[str, Any], size: tuple[int, int]) -> None:
    transform = lanes_transform(size, width=5, **settings)
    away = []
    for seed in range(6):
        torch.manual_seed(seed)
        image, mask = transform(white_line(), tv_tensors.KeyPoints(LANES, canvas_size=SIZE))
        assert image.shape == (3, *size)
        assert (mask.shape, mask.dtype) == (size, torch.int64)
        assert set(mask.unique().tolist()) == {0, 1, 2}
        for number, low, high in ((1, 0.75, 1.1), (2, 0.3, 0.55)):
            seen = centres((image[0] > low) & (image[0] < high)) if number == 1 else centres(_grey(image[0], mask))
            both = seen.isfinite() & centres(mask == number).isfinite()
            away.append((seen - centres(mask == number))[both])
    distance = torch.cat(away)
    assert len(distance) > 100
    assert abs(distance.mean()) < 0.4
    assert distance.abs().quantile(0.95) < 2.0


def _grey(image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    # The edges of the white line are grey too, but on the other side of the image.
    columns = torch.arange(mask.shape[1])
    boundary = (columns[None] * (mask == 1)).amax(dim=1, keepdim=True)
    return (image > 0.3) & (columns[None] > boundary + 4)


def test_without_randomness_only_the_size_changes() -> None:
    transform = lanes_transform((45, 80), scale=(1, 1), rotation=0, width=3)
    image, mask = transform(white_line(), tv_tensors.KeyPoints(LANES, canvas_size=SIZE))
    expected = drawn_mask((LANES + 0.5) / 2 - 0.5, (45, 80), 3)
    assert np.array_equal(mask.numpy(), expected)
    assert image.dtype == torch.float32
    assert 0 <= float(image.min()) <= float(image.max()) <= 1


def test_the_same_view_is_the_same_and_others_differ() -> None:
    views = Views(DrawnLanes(1), lanes_transform((64, 96), colour=0.3))
    first, again, other = views[0, 5], views[0, 5], views[0, 6]
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])
    assert not torch.equal(first[1], other[1])


def test_padding_is_black_above_and_background() -> None:
    torch.manual_seed(0)
    transform = lanes_transform(SIZE, scale=(0.5, 0.5), rotation=0)
    white = tv_tensors.Image(torch.full((3, *SIZE), 255, dtype=torch.uint8))
    image, mask = transform(white, tv_tensors.KeyPoints(LANES, canvas_size=SIZE))
    assert (image[:, :45] == 0).all()
    assert (image[0, 45:] == 1).sum() == 45 * 80
    assert (mask[:45] == 0).all()
    assert IGNORE_INDEX not in mask


def test_lanes_outside_the_window_are_not_drawn() -> None:
    lanes = torch.full((3, 4, 2), torch.nan)
    lanes[0, :2] = torch.tensor([[-40.0, 10], [-20, 80]])
    lanes[2, :2] = torch.tensor([[50.0, 10], [50, 80]])
    transform = lanes_transform((45, 80))
    _, mask = transform(white_line(), tv_tensors.KeyPoints(lanes, canvas_size=SIZE))
    assert mask.unique().tolist() == [0, 3]


def test_masks_go_the_same_way() -> None:
    mask = tv_tensors.Mask(torch.from_numpy((drawn_mask(LANES[:1], SIZE, 9) > 0).astype(np.int64)))
    image = tv_tensors.Image((mask * 255).to(torch.uint8).expand(3, -1, -1))
    for seed in range(4):
        torch.manual_seed(seed)
        seen, target = lanes_transform((45, 80), rotation=5.0)(image, mask)
        assert (target.shape, target.dtype) == ((45, 80), torch.int64)
        assert target.unique().tolist() == [0, 1]
        overlap = ((seen[0] > 0.5) & (target == 1)).sum() / ((seen[0] > 0.5) | (target == 1)).sum()
        assert overlap > 0.75


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"size": (0, 4)}, "expected a size of at least 1 pixel, got 0x4"),
        ({"scale": (1.1, 0.9)}, r"expected a scale range of positive factors in order, got \(1.1, 0.9\)"),
        ({"rotation": 90}, "expected a rotation from 0 to below 90 degrees, got 90"),
        ({"colour": 1.0}, "expected a colour jitter from 0 to below 1, got 1.0"),
        ({"top": 1.0}, "expected the share cut off at the top from 0 to below 1, got 1.0"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        lanes_transform(**{"size": (45, 80), **settings})


def test_a_lane_without_a_point_in_the_image_is_not_drawn() -> None:
    lanes = LANES.copy()
    lanes[0, :, 0] = [-30, -9, -1]
    still = lanes_transform(SIZE, scale=(1, 1), rotation=0, width=5)
    assert set(still(white_line(), tv_tensors.KeyPoints(lanes, canvas_size=SIZE))[1].unique().tolist()) == {0, 2}
    lanes[0, 2, 0] = 0
    assert set(still(white_line(), tv_tensors.KeyPoints(lanes, canvas_size=SIZE))[1].unique().tolist()) == {0, 1, 2}
