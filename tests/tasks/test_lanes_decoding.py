"""Decoding gives back the points that a mask was drawn from, and equals a naive loop over images, lanes and rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from pupil.data.lanes.drawn import DrawnLanes
from pupil.data.lanes.points import drawn_mask, found
from pupil.errors import UsageError
from pupil.tasks.lanes_decoding import decode_lanes


def random_logits(*size: int, seed: int = 0) -> Tensor:
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed)) * 3


def certain(mask: Tensor, classes: int) -> Tensor:
    """Logits of a network that is sure of a mask."""
    return 20.0 * torch.nn.functional.one_hot(mask.long(), classes).movedim(-1, 1).float()


def naive(
    logits: Tensor,
    existence: Tensor | None,
    rows: list[float],
    size: tuple[int, int],
    threshold: float,
    smoothing: int,
    top: float,
) -> np.ndarray:
    probability = logits.double().softmax(dim=1).numpy()
    images, classes, height, width = probability.shape
    cut, half = round(top * size[0]), smoothing // 2
    points = np.full((images, classes - 1, len(rows), 2), math.nan)
    for image in range(images):
        for lane in range(1, classes):
            found = {}
            for index, row in enumerate(rows):
                y = row * size[0]
                points[image, lane - 1, index, 1] = y
                place = round((y + 0.5 - cut) * height / (size[0] - cut) - 0.5)
                if not 0 <= place < height:
                    continue
                smooth = [
                    probability[
                        image,
                        lane,
                        max(place - half, 0) : place + half + 1,
                        max(column - half, 0) : column + half + 1,
                    ].mean()
                    for column in range(width)
                ]
                if max(smooth) > threshold:
                    found[index] = (int(np.argmax(smooth)) + 0.5) * size[1] / width - 0.5
            if existence is not None and existence[image, lane - 1] <= 0:
                continue
            if len(found) < (2 if existence is not None else max(2, math.ceil(0.1 * len(rows)))):
                continue
            for index in range(min(found), max(found) + 1):
                before = max(each for each in found if each <= index)
                after = min(each for each in found if each >= index)
                share = 0 if before == after else (rows[index] - rows[before]) / (rows[after] - rows[before])
                points[image, lane - 1, index, 0] = found[before] + share * (found[after] - found[before])
    return points


@pytest.mark.parametrize("existence", [False, True])
@pytest.mark.parametrize("top", [0.0, 0.3])
@pytest.mark.parametrize("backwards", [False, True])
def test_equals_the_naive_loop(existence: bool, top: float, backwards: bool) -> None:
    logits = random_logits(3, 4, 20, 32)
    said = random_logits(3, 3, seed=1) if existence else None
    rows = [0.11, 0.2, 0.26, 0.41, 0.5, 0.63, 0.7, 0.84, 0.97][:: -1 if backwards else 1]
    points = decode_lanes(logits, said, rows, (37, 70), threshold=0.45, smoothing=3, top=top)
    expected = naive(logits, said, rows, (37, 70), 0.45, 3, top)
    assert points.dtype == torch.float32
    np.testing.assert_allclose(points.numpy(), expected, rtol=1e-4, atol=1e-4)
    there = np.isfinite(expected[..., 0])
    assert 0 < there.sum() < there.size


def test_a_mask_drawn_from_points_gives_them_back_within_a_pixel() -> None:
    drawn = DrawnLanes(12, (96, 144))
    away, missed, invented = [], 0, 0
    for index in range(len(drawn)):
        lanes = drawn[index][1].numpy()
        mask = torch.from_numpy(drawn_mask(lanes, drawn.frame, 3).copy())
        points = decode_lanes(certain(mask[None], 5), None, drawn.rows, drawn.frame)[0].numpy()
        before, after = found(lanes), found(points)
        away.append((points[..., 0] - lanes[..., 0])[before & after])
        missed += (before & ~after).sum()
        invented += (after & ~before).sum()
    distance = np.abs(np.concatenate(away))
    # Where lanes meet at the horizon, one is drawn over the other; a flat one covers several columns in a row.
    assert len(distance) > 300
    assert np.median(distance) < 0.5
    assert np.mean(distance < 1.5) > 0.95
    assert missed + invented < 0.15 * len(distance)


@pytest.mark.parametrize("factor", [0.5, 1, 2, 3.2])
def test_straight_lanes_come_back_from_any_size(factor: float) -> None:
    size, rows = (60, 100), [0.2, 0.4, 0.6, 0.8]
    y = np.array(rows) * size[0]
    lanes = np.stack([np.stack([20 + 0.5 * y, y], 1), np.stack([90 - 0.4 * y, y], 1)])
    seen = (round(size[0] * factor), round(size[1] * factor))
    ends = np.stack([lanes[:, 0] * 2 - lanes[:, 1], *lanes.swapaxes(0, 1), lanes[:, 3] * 2 - lanes[:, 2]], axis=1)
    mask = torch.from_numpy(drawn_mask((ends + 0.5) * factor - 0.5, seen, 3).copy())
    points = decode_lanes(certain(mask[None], 3), torch.ones(1, 2), rows, size)[0].numpy()
    assert np.abs(points - lanes).max() < max(1.0, 1.0 / factor)


def test_what_is_no_lane() -> None:
    mask = torch.zeros(1, 10, 20, dtype=torch.long)
    mask[0, 2:9, 5] = 1
    rows = [0.2, 0.3, 0.4, 0.5, 0.6, 0.8]
    settings = {"rows": rows, "size": (10, 20), "smoothing": 1}
    there = decode_lanes(certain(mask, 2), None, **settings)[0, 0, :, 0]
    assert there.tolist() == [5.0] * 6
    assert decode_lanes(certain(mask, 2), torch.tensor([[-0.1]]), **settings)[..., 0].isnan().all()
    # One point alone is none.
    mask[0, 3:] = 0
    assert decode_lanes(certain(mask, 2), torch.tensor([[9.0]]), **settings)[..., 0].isnan().all()
    assert decode_lanes(certain(mask, 2) * 0, None, **settings, threshold=0.6)[..., 0].isnan().all()


def test_rows_are_exact_and_half_precision_is_decoded_in_full() -> None:
    rows = [row / 720 for row in range(160, 720, 10)]
    logits = random_logits(2, 7, 46, 80).half()
    points = decode_lanes(logits, None, rows, (720, 1280))
    assert points[0, 0, :, 1].tolist() == list(range(160, 720, 10))
    expected = decode_lanes(logits.float(), None, rows, (720, 1280))
    torch.testing.assert_close(points, expected, equal_nan=True)


def test_a_box_without_a_middle_is_refused() -> None:
    with pytest.raises(UsageError, match="expected an odd smoothing, a box with a middle, got 4: 5 and 9 are usual"):
        decode_lanes(torch.zeros(1, 2, 4, 4), None, [0.1, 0.2], (4, 4), smoothing=4)
