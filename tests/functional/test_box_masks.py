"""Painted boxes and near anchors against loops over cells and anchors; images without boxes, chunks, broken boxes."""

from __future__ import annotations

import math

import pytest
import torch

from pupil.errors import UsageError
from pupil.functional import box_masks
from pupil.functional.box_masks import check_boxes, near_anchors, paint_boxes


def random_boxes(count, image_size, seed=0):
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(count, 2, 2, generator=generator) * torch.tensor([image_size[1], image_size[0]])
    return torch.cat([corners.amin(1), corners.amax(1)], 1)


def naive_paint(boxes, size, image_size, variant):
    """A loop over boxes and their cells."""
    (height, width), grid = size, [[0.0] * size[1] for _ in range(size[0])]
    for left, top, right, bottom in boxes.tolist():
        x = [left * width / image_size[1], right * width / image_size[1]]
        y = [top * height / image_size[0], bottom * height / image_size[0]]
        if variant == "code":
            rows, columns = range(math.floor(y[0]), math.ceil(y[1]) + 1), range(math.floor(x[0]), math.ceil(x[1]) + 1)
            weight = 1 / (len(rows) * len(columns))
            rows, columns = columns, rows
        else:
            rows, columns = (range(math.floor(a), max(math.ceil(b), math.floor(a) + 1)) for a, b in (y, x))
            weight = 1 / (len(rows) * len(columns))
        for row in rows:
            for column in columns:
                if row < height and column < width:
                    grid[row][column] = max(grid[row][column], weight)
    return torch.tensor(grid)


@pytest.mark.parametrize("variant", ["paper", "code"])
@pytest.mark.parametrize("size", [(8, 8), (5, 9), (9, 5), (1, 1)])
def test_painting_equals_the_loop(variant, size):
    image_size = (64, 96)
    boxes = [random_boxes(5, image_size), random_boxes(0, image_size), random_boxes(2, image_size, seed=1)]
    expected = [naive_paint(each, size, image_size, variant) for each in boxes]
    torch.testing.assert_close(paint_boxes(boxes, size, image_size, variant=variant), torch.stack(expected))


def test_every_object_weighs_one_and_the_smaller_wins():
    apart = torch.tensor([[0.0, 0.0, 30.0, 20.0], [40.0, 40.0, 41.0, 41.0], [63.5, 0.0, 80.0, 64.0]])
    assert paint_boxes([apart], (8, 8), (64, 64)).sum() == pytest.approx(3)
    inside = torch.tensor([[0.0, 0.0, 64.0, 64.0], [16.0, 16.0, 32.0, 32.0]])
    for order in (inside, inside.flip(0)):
        painted = paint_boxes([order], (8, 8), (64, 64))[0]
        assert painted[2:4, 2:4].unique().tolist() == [1 / 4]
        assert painted.flatten().sort()[0][:60].unique().tolist() == [1 / 64]


def test_the_last_row_belongs_to_the_image_at_any_stride():
    for rows in range(1, 60):
        painted = paint_boxes([torch.tensor([[0.0, 0.0, 800.0, 800.0]])], (rows, rows), (800, 800))
        assert painted.unique().tolist() == pytest.approx([1 / rows**2])


def test_code_mirrors_the_box_and_enlarges_it():
    box = torch.tensor([[40.0, 0.0, 48.0, 8.0]])
    assert paint_boxes([box], (8, 8), (64, 64))[0].nonzero().tolist() == [[0, 5]]
    mirrored = paint_boxes([box], (8, 8), (64, 64), variant="code")[0]
    assert mirrored.nonzero().tolist() == [[5, 0], [5, 1], [6, 0], [6, 1]]
    assert mirrored.unique().tolist() == [0, 1 / 4]


def test_boxes_that_cover_nothing_and_boxes_of_no_area():
    outside = torch.tensor([[70.0, 0.0, 90.0, 20.0], [-20.0, 0.0, -9.0, 20.0], [math.nan] * 4])
    assert not paint_boxes([outside], (8, 8), (64, 64)).any()
    flat = torch.tensor([[8.0, 8.0, 8.0, 8.0], [30.0, 20.0, 20.0, 50.0]])
    painted = paint_boxes([flat], (8, 8), (64, 64))
    assert painted.isfinite().all()
    assert painted[0, 1, 1] == 1


def test_no_boxes_at_all_and_whole_numbers():
    assert paint_boxes([torch.zeros(0, 4)] * 2, (3, 4), (24, 32)).tolist() == torch.zeros(2, 3, 4).tolist()
    whole = paint_boxes([torch.tensor([[0, 0, 8, 16]])], (2, 3), (16, 24))
    assert whole.dtype == torch.float32
    assert whole[0, :, 0].tolist() == [0.5, 0.5]


def naive_overlap(a, b):
    sides = [max(0.0, min(a[2 + axis], b[2 + axis]) - max(a[axis], b[axis])) for axis in (0, 1)]
    area = sides[0] * sides[1]
    return area / sum([(a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]), -area])


@pytest.mark.parametrize("threshold", [0.0, 0.5, 0.9])
def test_near_anchors_equal_the_loop(threshold):
    anchors = random_boxes(60, (64, 96), seed=3)
    boxes = [random_boxes(4, (64, 96)), torch.zeros(0, 4), random_boxes(1, (64, 96), seed=1)]
    near = near_anchors(anchors, boxes, threshold=threshold)
    for objects, found in zip(boxes, near, strict=True):
        expected = [False] * len(anchors)
        for box in objects.tolist():
            overlaps = [naive_overlap(anchor, box) for anchor in anchors.tolist()]
            expected = [on or each > threshold * max(overlaps) for on, each in zip(expected, overlaps, strict=True)]
        assert found.tolist() == expected
    assert near[0].any()
    assert not near[1].any()


def test_an_object_that_no_anchor_meets_and_no_object():
    anchors = torch.tensor([[0.0, 0.0, 8.0, 8.0]])
    far = torch.tensor([[50.0, 50.0, 60.0, 60.0], [math.nan] * 4])
    assert not near_anchors(anchors, [far]).any()
    assert near_anchors(anchors, [torch.zeros(0, 4)] * 3).tolist() == [[False]] * 3
    tiny = torch.tensor([[3.0, 3.0, 3.5, 3.5]])
    assert near_anchors(anchors, [tiny]).all()


def test_chunks_change_nothing(monkeypatch):
    image_size, anchors = (64, 96), random_boxes(50, (64, 96), seed=3)
    boxes = [random_boxes(7, image_size), random_boxes(2, image_size, seed=1)]
    whole = paint_boxes(boxes, (8, 12), image_size), near_anchors(anchors, boxes)
    for most in (1, 500, 1000):
        monkeypatch.setattr(box_masks, "MOST_ELEMENTS", most)
        assert torch.equal(paint_boxes(boxes, (8, 12), image_size), whole[0])
        assert torch.equal(near_anchors(anchors, boxes), whole[1])


def test_reads_no_value_and_so_waits_for_no_device():
    boxes, anchors = (
        [torch.zeros(3, 4, device="meta"), torch.zeros(0, 4, device="meta")],
        torch.zeros(6, 4, device="meta"),
    )
    assert paint_boxes(boxes, (4, 6), (32, 48)).shape == (2, 4, 6)
    assert near_anchors(anchors, boxes).shape == (2, 6)


def test_takes_the_boxes_of_a_data_set():
    tv_tensors = pytest.importorskip("torchvision.tv_tensors")
    plain = random_boxes(3, (64, 64))
    boxes = [tv_tensors.BoundingBoxes(plain, format="XYXY", canvas_size=(64, 64))]
    for found, expected in (
        (paint_boxes(boxes, (8, 8), (64, 64)), paint_boxes([plain], (8, 8), (64, 64))),
        (near_anchors(plain + 4, boxes), near_anchors(plain + 4, [plain])),
    ):
        assert type(found) is torch.Tensor
        assert torch.equal(found, expected)


def test_refuses():
    with pytest.raises(UsageError, match=r"expected boxes of shape \(M, 4\), got \(0,\)"):
        paint_boxes([torch.zeros(0)], (2, 2), (16, 16))
    with pytest.raises(UsageError, match=r"expected anchors of shape \(M, 4\), got \(2, 3, 4\)"):
        near_anchors(torch.zeros(2, 3, 4), [torch.zeros(0, 4)])
    with pytest.raises(UsageError, match="at least 0 and below 1, got 1"):
        near_anchors(torch.zeros(2, 4), [torch.zeros(0, 4)], threshold=1)
    with pytest.raises(UsageError, match="unknown variant 'codes': did you mean code"):
        paint_boxes([torch.zeros(0, 4)], (2, 2), (16, 16), variant="codes")
    with pytest.raises(UsageError, match="expected the boxes of 2 images, got 1"):
        check_boxes([torch.zeros(0, 4)], 2)
