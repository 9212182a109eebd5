from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck

from losses.naive import kl, pair, softmax
from pupil.errors import UsageError
from pupil.losses import TfKDLoss, tf_kd_loss


def naive(student, target, temperature, confidence, variant):
    """A loop over images and classes."""
    values = []
    for logits, label in zip(student.tolist(), target.tolist(), strict=True):
        if label == -100:
            continue
        classes = range(len(logits))
        virtual = [confidence if k == label else (1 - confidence) / (len(logits) - 1) for k in classes]
        if variant == "code":
            values.append(kl(softmax(virtual, temperature), softmax(logits)))
            continue
        powers = [p ** (1 / temperature) for p in virtual]
        softened = [each / sum(powers) for each in powers]
        values.append(temperature**2 * kl(softened, softmax(logits, temperature)))
    return sum(values) / len(values)


@pytest.mark.parametrize("variant", ["paper", "code"])
@pytest.mark.parametrize(("temperature", "confidence"), [(1.0, 0.9), (20.0, 0.99), (40.0, 0.999)])
def test_equals_the_loop_over_images(variant, temperature, confidence):
    student, _ = pair(6, 5)
    target = torch.tensor([0, 4, 2, -100, 2, 1])
    settings = {"temperature": temperature, "confidence": confidence, "variant": variant}
    loss = tf_kd_loss(student, target, **settings)
    assert loss.item() == pytest.approx(naive(student.detach(), target, **settings), rel=1e-9)
    (gradient,) = torch.autograd.grad(loss, student)
    assert not gradient[3].any()


def test_the_authors_term_is_the_code_variant_times_multiplier_over_classes():
    student, _ = pair(8, 100)
    target = torch.arange(8)
    virtual = torch.full_like(student, 0.01 / 99).scatter(1, target[:, None], 0.99)
    softened = F.softmax(virtual / 20.0, 1)
    published = (softened * (softened.log() - F.log_softmax(student, 1))).mean() * 100.0
    torch.testing.assert_close(tf_kd_loss(student, target, variant="code"), published, rtol=1e-9, atol=0)


def test_is_zero_where_the_student_is_as_sure_as_the_virtual_teacher():
    logits = math.log(0.9 / (0.1 / 3)) * torch.eye(4, dtype=torch.float64) + 7.0
    assert tf_kd_loss(logits, torch.arange(4), confidence=0.9).item() == pytest.approx(0.0, abs=1e-12)


def test_maps_and_one_hot_probabilities_are_the_same_thing():
    student, _ = pair(2, 5, 3, 4)
    target = torch.randint(0, 5, (2, 3, 4), generator=torch.Generator().manual_seed(0))
    target[0, 0] = 255
    one_hot = F.one_hot(target.clamp(max=4), 5).movedim(-1, 1) * (target != 255).unsqueeze(1)
    by_ids = tf_kd_loss(student, target, ignore_index=255)
    torch.testing.assert_close(by_ids, tf_kd_loss(student, one_hot.double()))
    flat = student.movedim(1, -1).flatten(0, 2), target.flatten()
    torch.testing.assert_close(by_ids, tf_kd_loss(*flat, ignore_index=255))
    assert tf_kd_loss(student, torch.full_like(target, 255), ignore_index=255) == 0


@pytest.mark.parametrize("variant", ["paper", "code"])
def test_gradient(variant):
    student, _ = pair(3, 4)
    assert gradcheck(lambda logits: tf_kd_loss(logits, torch.tensor([0, 3, 1]), variant=variant), student)


def test_refuses_settings_that_mean_nothing():
    student, target = torch.zeros(2, 4), torch.tensor([0, 1])
    with pytest.raises(UsageError, match=r"expected a confidence above 1 / 4 for 4 classes, got 0.25"):
        tf_kd_loss(student, target, confidence=0.25)
    for confidence in (0.0, 1.0):
        with pytest.raises(UsageError, match=r"expected a confidence in \(0, 1\)"):
            TfKDLoss(confidence=confidence)
    with pytest.raises(UsageError, match="unknown variant 'papr': did you mean paper"):
        TfKDLoss(variant="papr")
    with pytest.raises(UsageError, match="spreads the rest over other classes"):
        tf_kd_loss(torch.zeros(2, 1), target)
    with pytest.raises(UsageError, match="resize the logits to the labels"):
        tf_kd_loss(torch.zeros(2, 4, 3, 3), torch.zeros(2, 6, 6, dtype=torch.long))
