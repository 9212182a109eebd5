"""Double similarity: both parts against their definitions as loops, and edges."""

from __future__ import annotations

import pytest
import torch

from pupil.errors import UsageError
from pupil.losses import CSDLoss, PSDLoss, csd_loss, psd_loss


def stages(*channels, seed=0, side=3):
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(2, count, side, side, generator=generator, dtype=torch.float64).requires_grad_()
        for count in channels
    ]


def movements_by_hand(features, image):
    maps = []
    for feature in features:
        energy = torch.stack([channel.square() for channel in feature[image]]).mean(0).flatten()
        maps.append(energy / energy.norm())
    differences = [maps[m] - maps[n] for m in range(len(maps)) for n in range(m)]
    return [difference / difference.norm() for difference in differences]


@pytest.mark.parametrize("count", [2, 3, 4])
def test_movement_equals_the_definition(count):
    student, teacher = stages(*range(1, count + 1)), stages(*range(2, count + 2), seed=1)
    squares = [
        (ours - theirs).square().mean().item()
        for image in range(2)
        for ours, theirs in zip(movements_by_hand(student, image), movements_by_hand(teacher, image), strict=True)
    ]
    loss = PSDLoss()(student, teacher)
    assert loss.item() == pytest.approx(sum(squares) / len(squares), rel=1e-12)


def test_movement_gradient_reaches_every_stage_of_the_student():
    student, teacher = stages(3, 2, 4), stages(2, 5, 4, seed=1)
    assert torch.autograd.gradcheck(lambda *features: psd_loss(features, teacher), student)


def test_equal_or_silent_stages_have_finite_gradients():
    student, teacher = stages(3, 3, 3), stages(3, 3, 3, seed=1)
    with torch.no_grad():
        student[1].copy_(student[0])
        student[2][0] = 0
    loss = psd_loss(student, teacher)
    loss.backward()
    assert loss.isfinite()
    assert all(stage.grad.isfinite().all() for stage in student)


def overlaps_by_hand(logits, temperature):
    """One image: how much every two classes share, after a 2 x 2 mean that stops at the edge."""
    classes, height, width = logits.shape
    cells = [(y, x) for y in range(0, height, 2) for x in range(0, width, 2)]
    maps = [torch.stack([plane[y : y + 2, x : x + 2].mean() for y, x in cells]) for plane in logits]
    maps = [torch.softmax(each / temperature, 0) for each in maps]
    return torch.stack([maps[i] @ maps[j] for i in range(classes) for j in range(classes)])


@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize("side", [4, 5])
def test_overlap_equals_the_definition(side, temperature):
    (student,), (teacher,) = stages(3, side=side), stages(3, seed=1, side=side)
    squares = [
        (overlaps_by_hand(ours, temperature) - overlaps_by_hand(theirs, temperature)).square()
        for ours, theirs in zip(student, teacher, strict=True)
    ]
    loss = csd_loss(student, teacher, temperature=temperature)
    assert loss.item() == pytest.approx(torch.stack(squares).mean().item(), rel=1e-12)
    assert torch.equal(loss, CSDLoss(temperature=temperature)(student, teacher))


def test_overlap_gradient():
    (student,), (teacher,) = stages(3), stages(3, seed=1)
    assert torch.autograd.gradcheck(lambda x: csd_loss(x, teacher, temperature=1.0), student)


def test_mistakes_are_refused():
    with pytest.raises(UsageError, match="two stages or more"):
        psd_loss(stages(3), stages(3))
    with pytest.raises(UsageError, match="two stages or more of both networks, got 2 and 3"):
        psd_loss(stages(3, 3), stages(3, 3, 3))
    with pytest.raises(UsageError, match="one grid"):
        psd_loss([*stages(3), *stages(3, side=4)], stages(3, 3))
    with pytest.raises(UsageError, match="student's classes"):
        csd_loss(*stages(3, 4))
    with pytest.raises(UsageError, match="one grid"):
        csd_loss(*stages(3), *stages(3, side=4))
    with pytest.raises(UsageError, match="temperature"):
        CSDLoss(temperature=0.0)


def test_one_tensor_is_not_a_sequence_of_stages():
    [feature] = stages(3)
    for pair in [(feature, feature), ([feature, feature], feature)]:
        with pytest.raises(UsageError, match=r"a sequence of stages' features, got one tensor: pass \[feature1"):
            psd_loss(*pair)
