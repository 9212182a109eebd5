from __future__ import annotations

import pytest
import torch

from pupil.errors import UsageError
from pupil.losses import AttentionGuidedLoss, AttentionTransferLoss, FBKDLoss, NonLocalLoss
from pupil.losses.fbkd import SETTINGS

SIZES = {"p3": (8, 8), "p4": (4, 4), "p7": (1, 1)}
CHANNELS = dict.fromkeys(SIZES, (4, 6))


def shown(images=2, channels=4, seed=0):
    torch.manual_seed(seed)
    return {name: torch.randn(images, channels, *size) for name, size in SIZES.items()}


def build(*arguments, **settings):
    torch.manual_seed(1)
    return FBKDLoss(CHANNELS, *arguments, inner_channels=[3], **settings)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("variant", ["code", "paper"])
def test_is_the_sum_over_levels_of_its_four_parts(name, variant):
    setting = SETTINGS[name]
    channels = dict.fromkeys(SIZES, (6, 6))
    loss = FBKDLoss(channels, setting, inner_channels=[3], variant=variant)
    student, teacher = shown(channels=6, seed=1), shown(channels=6)
    importance = torch.tensor([[1.0, 0.5], [0.2, 0.1], [0.0, 0.7]])
    total = 0.0
    for part, level, row in zip(loss.parts, SIZES, importance, strict=True):
        pair = student[level], teacher[level], row
        guided, transfer, relation = part["feature"], part["attention"], part["relation"]
        assert (guided.temperature, guided.channel_mask) == (setting.temperature, setting.channel_mask)
        transfer.channel_weight, transfer.spatial_weight = 1.0, 0.0
        channel = transfer(*pair)
        transfer.channel_weight, transfer.spatial_weight = 0.0, 1.0
        total += setting.channel_weight * channel + setting.spatial_weight * transfer(*pair)
        total += setting.feature_weight * guided(*pair) + setting.relation_weight * relation(*pair)
        transfer.channel_weight, transfer.spatial_weight = setting.channel_weight, setting.spatial_weight
    torch.testing.assert_close(loss(student, teacher, importance), total)


def test_a_level_that_does_not_count_teaches_nothing():
    loss, student, teacher = build(), shown(), shown(channels=6, seed=2)
    for each in student.values():
        each.requires_grad_()
    loss(student, teacher, torch.tensor([[1.0], [0.0], [1.0]])).backward()
    assert [bool(each.grad.any()) for each in student.values()] == [True, False, True]


def test_blocks_follow_the_published_sizes():
    loss = FBKDLoss({str(level): (8, 8) for level in range(6)})
    blocks = [part["relation"].student_block for part in loss.parts]
    assert [block.pool for block in blocks] == [8, 4, 2, 2, 2, 2]
    assert [block.theta.out_channels for block in blocks] == [64, 64, 128, 128, 128, 128]
    assert [type(each) for each in loss.parts[0].children()] == [
        AttentionGuidedLoss,
        AttentionTransferLoss,
        NonLocalLoss,
    ]


def test_a_teacher_that_is_the_student_leaves_finite_gradients():
    loss = FBKDLoss(dict.fromkeys(SIZES, (4, 4)), inner_channels=[3])
    student = {name: torch.zeros_like(each).requires_grad_() for name, each in shown(1).items()}
    loss(student, {name: each.detach() for name, each in student.items()}).backward()
    assert all(each.grad.isfinite().all() for each in [*student.values(), *loss.parameters()])


def test_other_names_are_left_alone_and_dots_are_allowed():
    loss = FBKDLoss({"body.p3": (4, 6)}, inner_channels=[3])
    student, teacher = ({"body.p3": maps[name]} for maps, name in ((shown(), "p3"), (shown(channels=6), "p3")))
    value = loss(student, teacher)
    assert torch.equal(value, loss({**student, "aux": torch.zeros(1)}, teacher))


def test_refuses_and_names_the_level():
    loss, student, teacher = build(), shown(), shown(channels=6)
    with pytest.raises(UsageError, match=r"level 'p4', got \(2, 4, 4, 4\) of the student and \(2, 6, 8, 8\)") as error:
        loss(student, {**teacher, "p4": teacher["p3"]})
    assert "\n" not in str(error.value)
    with pytest.raises(UsageError, match=r"level 'p3', got \(1, 4, 8, 8\) .* show both networks one batch"):
        loss({**student, "p3": student["p3"][:1]}, teacher)
    with pytest.raises(UsageError, match=r"it was made for \(4, 6\)"):
        loss(student, shown(channels=5))
    with pytest.raises(UsageError, match="expected level 'p7' of the teacher, got p3, p4"):
        loss(student, {name: teacher[name] for name in ("p3", "p4")})
    with pytest.raises(UsageError, match=r"expected an importance of shape \(\), \(2,\), \(3, 1\) or \(3, 2\)"):
        loss(student, teacher, torch.ones(3))
    with pytest.raises(UsageError, match="one norm over the batch"):
        build(reduction="batch_norm")(student, teacher, torch.ones(2))
    with pytest.raises(UsageError, match="expected a level"):
        FBKDLoss({})
    assert "p3, p4, p7, Setting(temperature=0.1" in repr(loss)


def test_the_targets_can_be_held_still():
    loss = build(train_teacher_block=False)
    held = [each for name, each in loss.named_parameters() if "teacher_block" in name]
    assert held
    assert not any(each.requires_grad for each in held)
