from __future__ import annotations

import math

import pytest
import torch
from torch.autograd import gradcheck

from losses.naive import kl, softmax
from pupil.errors import UsageError
from pupil.losses import AIDLogitsLoss, aid_logits_loss

POSITIONS = (3, 2)


def shown(seed, images=2):
    torch.manual_seed(seed)
    shapes = [((images, count, 4, 5), (images, count, 3)) for count in POSITIONS]
    return [tuple(torch.randn(shape, dtype=torch.float64) for shape in level) for level in shapes]


def weights(images=2):
    torch.manual_seed(9)
    return [torch.rand(images, count, dtype=torch.float64) for count in POSITIONS]


def divergence(ours, theirs, temperature):
    distributions = [softmax(values.tolist(), temperature) for values in (theirs, ours)]
    return temperature**2 * kl(*distributions) / len(ours)


def naive(student, teacher, box_loss, class_loss, position_weights):
    """A loop over levels, images, positions and edges."""
    total = 0.0
    for level, (ours, theirs) in enumerate(zip(student, teacher, strict=True)):
        images, count = ours[1].shape[:2]
        for image in range(images):
            trust = [math.exp(-0.1 * float(loss[level, image])) for loss in (box_loss, class_loss)]
            for place in range(count):
                here = image, place
                edges = sum(divergence(ours[0][here][edge], theirs[0][here][edge], 10.0) for edge in range(4))
                total += 0.25 * trust[0] * float(position_weights[level][here]) * edges / 4
                total += 0.05 * trust[1] * divergence(ours[1][here], theirs[1][here], 2.0) / (images * count)
    return total


def test_equals_the_loop():
    student, teacher, positions = shown(0), shown(1), weights()
    torch.manual_seed(2)
    box_loss, class_loss = 5 * torch.rand(2, 2, 2, dtype=torch.float64)
    ours = aid_logits_loss(student, teacher, (box_loss, class_loss), positions)
    assert ours.item() == pytest.approx(naive(student, teacher, box_loss, class_loss, positions))
    per_level = AIDLogitsLoss()(student, teacher, (box_loss[:, :1], class_loss[:, :1]), positions)
    columns = (loss[:, :1].expand(2, 2) for loss in (box_loss, class_loss))
    assert per_level.item() == pytest.approx(naive(student, teacher, *columns, positions))


def test_gradient():
    student, teacher, positions = shown(0), shown(1), weights()
    flat = [each.requires_grad_() for level in student for each in level]
    fits = torch.tensor([0.5, 1.0], dtype=torch.float64)

    def loss(*logits):
        return aid_logits_loss([logits[:2], logits[2:]], teacher, (fits, fits), positions)

    assert gradcheck(loss, flat)


def test_a_level_without_a_position_or_a_box_adds_nothing():
    student, teacher, positions = shown(0), shown(1), weights()
    fits = torch.zeros(2)
    empty = (torch.zeros(2, 0, 4, 5), torch.zeros(2, 0, 3))
    whole = aid_logits_loss(student, teacher, (fits, fits), positions)
    more = aid_logits_loss([*student, empty], [*teacher, empty], (fits, fits), [*positions, torch.zeros(2, 0)])
    torch.testing.assert_close(more, whole)
    none = [torch.zeros_like(each) for each in positions]
    settings = {"class_weight": 0.0}
    assert aid_logits_loss(student, teacher, (fits, fits), none, **settings) == 0


def test_refuses():
    student, teacher, positions, fits = shown(0), shown(1), weights(), torch.zeros(2)
    with pytest.raises(UsageError, match="got 2, 1 and 2: pass one pair of logits"):
        aid_logits_loss(student, teacher[:1], (fits, fits), positions)
    with pytest.raises(UsageError, match=r"at the \(2, 3\) positions of the classes, got \(2, 3\) and \(2, 2\)"):
        aid_logits_loss(student, teacher, (fits, fits), positions[::-1])
    with pytest.raises(UsageError, match="expected one shape for student and teacher"):
        aid_logits_loss(student, teacher[::-1], (fits, fits), positions)
    with pytest.raises(UsageError, match="temperature above zero"):
        AIDLogitsLoss(box_temperature=0.0)
    with pytest.raises(UsageError, match="alpha of at least 0"):
        AIDLogitsLoss(alpha=-1.0)
    assert "box_temperature=10.0, class_temperature=2.0" in repr(AIDLogitsLoss())
