from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.autograd import gradcheck

from losses.naive import pair, softmax
from pupil.errors import UsageError
from pupil.functional.box_masks import paint_boxes
from pupil.losses import FGDLoss, fgd_loss
from pupil.losses.fgd import SETTINGS, Setting

SETTING = Setting(0.5, 1.0, 0.3, 0.2, 0.1)
IMAGE = (32, 48)
BOXES = [
    torch.tensor([[3.0, 9.0, 20.0, 30.0], [0.0, 0.0, 8.0, 8.0]]),
    torch.zeros(0, 4),
    torch.tensor([[0.0, 0, 48, 32]]),
]


def looks(feature, temperature):
    """Masks of positions and channels of one image, as lists."""
    channels, positions = range(len(feature)), range(len(feature[0]))
    spatial = [sum(abs(feature[c][x]) for c in channels) / len(channels) for x in positions]
    channel = [sum(abs(feature[c][x]) for x in positions) / len(positions) for c in channels]
    return [[len(each) * share for share in softmax(each, temperature)] for each in (spatial, channel)]


def naive(student, teacher, boxes, setting, variant, added):
    """A loop over images, channels and positions; `added` is what both blocks add to every position."""
    painted, losses = paint_boxes(boxes, student.shape[2:], IMAGE, variant=variant).flatten(1).tolist(), []
    for ours, theirs, foreground in zip(student.flatten(2).tolist(), teacher.flatten(2).tolist(), painted, strict=True):
        masks, other = looks(theirs, setting.temperature), looks(ours, setting.temperature)
        outside, loss = sum(each == 0 for each in foreground), 0.0
        for position, inside in enumerate(foreground):
            factor = setting.foreground_weight * inside if inside else setting.background_weight / outside
            for channel in range(len(ours)):
                square = (theirs[channel][position] - ours[channel][position]) ** 2
                loss += factor * masks[0][position] * masks[1][channel] * square
                difference = theirs[channel][position] + added[1] - ours[channel][position] - added[0]
                loss += setting.relation_weight * difference**2
        for mask, mine in zip(masks, other, strict=True):
            loss += setting.attention_weight * sum(abs(a - b) for a, b in zip(mask, mine, strict=True))
        losses.append(loss)
    return losses


@pytest.mark.parametrize("variant", ["paper", "code"])
@pytest.mark.parametrize("name", ["made up", *SETTINGS])
def test_equals_the_loop(name, variant):
    student, teacher = pair(3, 4, 4, 6)
    setting = SETTINGS.get(name, SETTING)
    settings = {"setting": setting, "variant": variant}
    blocks = {"student_block": lambda maps: maps + 0.5, "teacher_block": lambda maps: maps - 0.25}
    each = naive(student, teacher, BOXES, setting, variant, (0.5, -0.25))
    ours = fgd_loss(student, teacher, BOXES, IMAGE, **blocks, **settings)
    assert ours.item() == pytest.approx(sum(each) / 3, rel=1e-9)
    importance = torch.tensor([0.5, 0.0, 1.0])
    weighted = fgd_loss(student, teacher, BOXES, IMAGE, importance, **blocks, **settings)
    assert weighted.item() == pytest.approx((0.5 * each[0] + each[2]) / 3, rel=1e-9)


def plain(student, teacher, boxes, image_size=IMAGE, **settings):
    same = torch.nn.Identity()
    return fgd_loss(student, teacher, boxes, image_size, student_block=same, teacher_block=same, **settings)


def test_gradient_of_features_and_of_the_students_masks():
    student, teacher = pair(3, 2, 2, 3)
    assert gradcheck(lambda maps: plain(maps, teacher, BOXES, setting=SETTING), student)
    masks_alone = Setting(0.5, 0.0, 0.0, 1.0, 0.0)
    (gradient,) = torch.autograd.grad(plain(student, teacher, BOXES, setting=masks_alone), student)
    assert gradient.any()


def test_an_image_without_boxes_is_background_and_one_full_of_them_foreground():
    student, teacher = pair(3, 4, 4, 6, dtype=torch.float32)
    focal = Setting(0.5, 1.0, 1.0, 0.0, 0.0)
    for setting, alive in (
        (replace(focal, background_weight=0.0), [True, False, True]),
        (replace(focal, foreground_weight=0.0), [True, True, False]),
    ):
        loss = plain(student, teacher, BOXES, setting=setting)
        (gradient,) = torch.autograd.grad(loss, student)
        assert loss.isfinite()
        assert [bool(image.any()) for image in gradient] == alive
    nothing = plain(student, teacher, [torch.zeros(0, 4)] * 3, setting=focal)
    assert nothing > 0
    assert nothing.isfinite()


def test_objects_count_alike_at_every_size():
    student, teacher = torch.zeros(2, 1, 8, 8), torch.ones(2, 1, 8, 8)
    boxes = [torch.tensor([[0.0, 0.0, 8.0, 8.0]]), torch.tensor([[0.0, 0.0, 48.0, 64.0]])]
    setting = Setting(0.5, 1.0, 0.0, 0.0, 0.0)
    small, large = (plain(student[:1], teacher[:1], [box], (64, 64), setting=setting) for box in boxes)
    assert small == large == 1


SIZES = {"p3": (8, 6), "p4": (4, 3), "p7": (1, 1)}
BATCH = (64, 48)


def shown(channels, seed=0, images=3):
    torch.manual_seed(seed)
    return {name: torch.randn(images, channels, *size) for name, size in SIZES.items()}


def test_a_pyramid_is_the_sum_of_its_levels():
    loss = FGDLoss({"p3": (4, 6), "p4": (4, 4), "p7": (4, 6)}, SETTING)
    student, teacher = shown(4), shown(6, seed=1)
    teacher["p4"] = teacher["p4"][:, :4]
    for parameter in loss.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    importance, expected = torch.rand(3, 3), 0.0
    for part, name, row in zip(loss.parts, SIZES, importance, strict=True):
        blocks = {"student_block": part["student_block"], "teacher_block": part["teacher_block"]}
        adapted = part["adapter"](student[name])
        expected += fgd_loss(adapted, teacher[name], BOXES, BATCH, row, **blocks, setting=SETTING)
    torch.testing.assert_close(loss(student, teacher, BOXES, BATCH, importance), expected)
    assert [type(part["adapter"]).__name__ for part in loss.parts] == ["Conv2d", "Identity", "Conv2d"]


def test_a_teacher_that_is_the_student_costs_nothing():
    loss, student = FGDLoss(dict.fromkeys(SIZES, (4, 4))), shown(4)
    for each in student.values():
        each.requires_grad_()
    value = loss(student, {name: each.detach() for name, each in student.items()}, BOXES, BATCH)
    value.backward()
    assert value == 0
    assert not any(each.grad.any() for each in student.values())


def test_half_precision_without_boxes_is_finite():
    loss, nothing = FGDLoss(dict.fromkeys(SIZES, (4, 6)), SETTINGS["fcos"]), [torch.zeros(0, 4)] * 3
    for dtype in (torch.float16, torch.bfloat16):
        student, teacher = ({name: 1e3 * each.to(dtype) for name, each in shown(wide).items()} for wide in (4, 6))
        with torch.autocast("cpu", dtype=dtype):
            for boxes in (nothing, BOXES):
                value = loss(student, teacher, boxes, BATCH)
                assert value.dtype == torch.float32
                assert value.isfinite()


def test_refuses():
    small, one = torch.zeros(1, 3, 4, 4), [torch.zeros(0, 4)]
    with pytest.raises(UsageError, match="use FGDLoss, which owns an adapter"):
        plain(small, torch.zeros(1, 5, 4, 4), one)
    with pytest.raises(UsageError, match="expected the boxes of 1 images, got 3"):
        plain(small, small, BOXES)
    with torch.inference_mode():
        made = torch.zeros(1, 3, 4, 4)
    with pytest.raises(UsageError, match="made under no_grad, got inference_mode"):
        plain(small, made, one)
    with pytest.raises(UsageError, match="unknown variant 'papers': did you mean paper"):
        FGDLoss({"p3": (4, 6)}, variant="papers")
    with pytest.raises(UsageError, match="expected a level, got none"):
        FGDLoss({})
    with pytest.raises(UsageError, match="level 'p9' of the student"):
        FGDLoss({"p9": (4, 6)})(shown(4), shown(6), BOXES, BATCH)
    assert "p3, Setting(temperature=0.5, foreground_weight=0.001" in repr(FGDLoss({"p3": (4, 6)}))
