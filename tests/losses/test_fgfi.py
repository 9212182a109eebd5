from __future__ import annotations

import pytest
import torch
from torch.autograd import gradcheck

from losses.naive import pair
from pupil.errors import UsageError
from pupil.functional.box_masks import near_anchors
from pupil.losses import FGFILoss, fgfi_loss

SIZES = {"p3": (4, 6), "p4": (2, 3)}
BOXES = [
    torch.tensor([[3.0, 9.0, 20.0, 30.0], [40.0, 0.0, 47.0, 8.0]]),
    torch.zeros(0, 4),
    torch.tensor([[0.0, 0, 48, 32]]),
]


def anchors(stride, size, per_position=2):
    """Squares around each position, row by row, those of a position beside one another."""
    halves = [stride * (1 + each / 2) for each in range(per_position)]
    centres = [(stride * (x + 0.5), stride * (y + 0.5)) for y in range(size[0]) for x in range(size[1])]
    return torch.tensor([[x - half, y - half, x + half, y + half] for x, y in centres for half in halves])


ANCHORS = {"p3": anchors(8, SIZES["p3"]), "p4": anchors(16, SIZES["p4"], per_position=1)}


def naive(student, teacher, near):
    """A loop over images, levels and positions: for each level and image half the mean square."""
    table = [[0.0] * len(near[0]) for _ in near]
    for image in range(len(near[0])):
        count = sum(int(level[image].sum()) for level in near)
        for level, counts in enumerate(near):
            for row, column in counts[image].nonzero().tolist():
                difference = teacher[level][image, :, row, column] - student[level][image, :, row, column]
                table[level][image] += sum(each**2 for each in difference.tolist()) / (2 * count)
    return torch.tensor(table, dtype=torch.float64)


def pyramids():
    pairs = [pair(3, 4, *size) for size in SIZES.values()]
    near = [torch.rand(3, *size, generator=torch.Generator().manual_seed(1)) < 0.4 for size in SIZES.values()]
    for each in near:
        each[1] = False
    return [ours for ours, _ in pairs], [theirs for _, theirs in pairs], near


def test_equals_the_loop_over_positions():
    student, teacher, near = pyramids()
    table = naive(student, teacher, near)
    torch.testing.assert_close(fgfi_loss(student, teacher, near), table.sum(0).mean())
    importance = torch.rand(2, 3)
    weighted = (table * importance).sum(0).mean()
    torch.testing.assert_close(fgfi_loss(student, teacher, near, importance), weighted)
    assert gradcheck(lambda maps: fgfi_loss([maps], teacher[1:], near[1:]), student[1])


def test_only_near_positions_teach():
    student, teacher, near = pyramids()
    for maps, counts in zip(torch.autograd.grad(fgfi_loss(student, teacher, near), student), near, strict=True):
        assert torch.equal(maps.abs().sum(1) > 0, counts)


def test_images_without_objects_give_zero():
    student, teacher, near = pyramids()
    loss = fgfi_loss(student, teacher, [torch.zeros_like(each) for each in near])
    loss.backward()
    assert loss == 0
    assert not student[0].grad.any()


def shown(channels, seed):
    torch.manual_seed(seed)
    return {name: torch.randn(3, channels, *size) for name, size in SIZES.items()}


def test_positions_are_those_with_a_near_anchor_of_any_level():
    loss, student, teacher = FGFILoss(dict.fromkeys(SIZES, (4, 6)), threshold=0.6), shown(4, 0), shown(6, 1)
    near, start, masks = near_anchors(torch.cat(list(ANCHORS.values())), BOXES, threshold=0.6), 0, []
    for name, (rows, columns) in SIZES.items():
        each = len(ANCHORS[name]) // (rows * columns)
        mask = torch.zeros(3, rows, columns, dtype=torch.bool)
        for row in range(rows):
            for column in range(columns):
                first = start + (row * columns + column) * each
                mask[:, row, column] = near[:, first : first + each].any(1)
        start += len(ANCHORS[name])
        masks.append(mask)
    adapted = [adapter(student[name]) for adapter, name in zip(loss.adapters, SIZES, strict=True)]
    ours = loss(student, teacher, BOXES, ANCHORS, torch.tensor([1.0, 0.5, 0.2]))
    torch.testing.assert_close(ours, fgfi_loss(adapted, list(teacher.values()), masks, torch.tensor([1.0, 0.5, 0.2])))
    assert 0 < masks[0][0].sum() < masks[0][0].numel()
    assert masks[1][2].any()
    assert not any(mask[1].any() for mask in masks)


def test_fits_the_anchors_of_torchvision():
    from torchvision.models.detection.anchor_utils import AnchorGenerator
    from torchvision.models.detection.image_list import ImageList

    maps = [torch.zeros(1, 4, 4, 6), torch.zeros(1, 4, 2, 3)]
    (made,) = AnchorGenerator(((16, 24), (32, 48)), ((0.5, 1.0),) * 2)(
        ImageList(torch.zeros(1, 3, 32, 48), [(32, 48)]), maps
    )
    levels = dict(zip(SIZES, made.split([4 * 6 * 4, 2 * 3 * 4]), strict=True))
    teacher = {name: torch.zeros(1, 1, *size) for name, size in SIZES.items()}
    teacher["p3"][0, 0, 1, 3] = 1.0
    loss = FGFILoss(dict.fromkeys(SIZES, (1, 1)), threshold=0.99)
    # A box that is one anchor, at row 1 and column 3 of the first level: torchvision's anchors sit on corners.
    box = levels["p3"][(1 * 6 + 3) * 4].clone()
    value = loss({name: torch.zeros_like(each) for name, each in teacher.items()}, teacher, [box[None]], levels)
    assert value == 0.5


def test_adapters_begin_near_zero():
    loss = FGFILoss({"p3": (32, 64)})
    weight = loss.adapters[0].weight
    assert weight.shape == (64, 32, 3, 3)
    assert 0 < weight.abs().max() <= 2e-4
    assert not loss.adapters[0].bias.any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_with_and_without_boxes_is_finite(dtype):
    loss = FGFILoss(dict.fromkeys(SIZES, (4, 6)))
    student, teacher = ({name: 1e4 * each.to(dtype) for name, each in shown(wide, 0).items()} for wide in (4, 6))
    with torch.autocast("cpu", dtype=dtype):
        for boxes in (BOXES, [torch.zeros(0, 4)] * 3):
            value = loss(student, teacher, boxes, ANCHORS)
            assert value.dtype == torch.float32
            assert value.isfinite()


def test_refuses():
    student, teacher, near = pyramids()
    with pytest.raises(UsageError, match=r"expected the same levels .* got 2, 2 and 1"):
        fgfi_loss(student, teacher, near[:1])
    with pytest.raises(UsageError, match="expected near positions as bool"):
        fgfi_loss(student, teacher, [each.float() for each in near])
    with pytest.raises(UsageError, match="use FGFILoss, which owns an adapter"):
        fgfi_loss([each[:, :2] for each in student], teacher, near)
    loss = FGFILoss(dict.fromkeys(SIZES, (4, 6)))
    with pytest.raises(UsageError, match="level 'p4' at each of 2 x 3 positions, got 0"):
        loss(shown(4, 0), shown(6, 1), BOXES, {"p3": ANCHORS["p3"]})
    with pytest.raises(UsageError, match="level 'p3' at each of 4 x 6 positions, got 47"):
        loss(shown(4, 0), shown(6, 1), BOXES, {**ANCHORS, "p3": ANCHORS["p3"][1:]})
    with pytest.raises(UsageError, match="expected the boxes of 3 images, got 2"):
        loss(shown(4, 0), shown(6, 1), BOXES[:2], ANCHORS)
    with pytest.raises(UsageError, match="below 1, got 1"):
        FGFILoss({"p3": (4, 6)}, threshold=1.0)
    assert "p3, p4, threshold=0.5" in repr(loss)
