from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck

from losses.naive import kl, pair, softmax
from pupil.errors import UsageError
from pupil.functional.resizing import resized
from pupil.losses import BYOTLoss, byot_loss, hint_loss, kd_loss

LABELS = torch.tensor([0, 4, -100, 1])


def mean(values):
    return sum(values) / len(values)


def naive(early, last, target, temperature, soft_weight, hint_weight):
    """A loop over the early classifiers, images, classes and channels."""
    total = 0.0
    for feature, logits in early:
        rows = list(zip(logits.tolist(), last[1].tolist(), target.tolist(), strict=True))
        hard = mean([-math.log(softmax(own)[k]) for own, _, k in rows if k >= 0])
        soft = mean([kl(softmax(theirs, temperature), softmax(own, temperature)) for own, theirs, _ in rows])
        squares = mean([(a - b) ** 2 for a, b in zip(feature.flatten(), last[0].flatten(), strict=True)])
        total += (1 - soft_weight) * hard + soft_weight * temperature**2 * soft + hint_weight * squares.item()
    return total


def shown():
    features, logits = pair(4, 7), pair(4, 5)
    return [(features[0], logits[0]), (2 * features[0], logits[0] - 1)], (features[1], logits[1])


@pytest.mark.parametrize(
    ("temperature", "soft_weight", "hint_weight"), [(3.0, 0.5, 0.03), (1.0, 0.1, 0.0), (4.0, 1.0, 2.0)]
)
def test_equals_the_loop_over_early_classifiers(temperature, soft_weight, hint_weight):
    early, last = shown()
    settings = {"temperature": temperature, "soft_weight": soft_weight, "hint_weight": hint_weight}
    loss = byot_loss(early, last, LABELS, **settings)
    assert loss.item() == pytest.approx(naive(early, last, LABELS, **settings), rel=1e-9)


def test_the_authors_sums_over_a_batch_are_the_default_means():
    early, last = (torch.randn(128, 512), torch.randn(128, 10)), (torch.randn(128, 512), torch.randn(128, 10))
    with_hint = byot_loss([early], last, torch.arange(128) % 10) - byot_loss(
        [early], last, torch.arange(128) % 10, hint_weight=0
    )
    torch.testing.assert_close(with_hint, 5e-7 * (early[0] - last[0]).square().sum(), rtol=0.1, atol=0)


def test_maps_of_other_sizes_meet_at_the_early_classifier_and_labels_at_their_own():
    (feature, last), (logits, theirs) = pair(2, 7, 4, 4), pair(2, 5, 4, 4)
    small = feature.detach()[..., :2, :2], logits.detach()[..., :2, :2]
    target = torch.randint(0, 5, (2, 8, 8), generator=torch.Generator().manual_seed(0))
    target[0] = 255
    expected = 0.5 * F.cross_entropy(resized(small[1], (8, 8)), target, ignore_index=255)
    expected += 0.5 * kd_loss(small[1], resized(theirs, (2, 2)), temperature=3.0)
    expected += 0.03 * hint_loss(small[0], resized(last, (2, 2)))
    torch.testing.assert_close(byot_loss([small], (last, theirs), target, ignore_index=255), expected)
    one_hot = F.one_hot(target.clamp(max=4), 5).movedim(-1, 1) * (target != 255).unsqueeze(1)
    torch.testing.assert_close(byot_loss([small], (last, theirs), one_hot.double()), expected)


def test_gradient():
    early, last = shown()
    (feature, logits), _ = early
    target = LABELS.clamp(min=0)
    assert gradcheck(lambda *pair: byot_loss([pair], last, target), (feature, logits))


@pytest.mark.parametrize("pooled", [True, False])
def test_images_are_told_by_the_mean_over_positions(pooled):
    torch.manual_seed(0)
    loss = BYOTLoss([3, 4], 6, 5, strides=[4, 2])
    maps = torch.randn(4, 3, 8, 8), torch.randn(4, 4, 4, 4)
    last, logits = torch.randn(4, 6, 2, 2), torch.randn(4, 5)
    features = [bottleneck(each).mean((2, 3)) for bottleneck, each in zip(loss.bottlenecks, maps, strict=True)]
    early = [(each, classifier(each)) for each, classifier in zip(features, loss.classifiers, strict=True)]
    expected = byot_loss(early, (last.mean((2, 3)), logits), LABELS)
    torch.testing.assert_close(loss(maps, (last.mean((2, 3)) if pooled else last, logits), LABELS), expected)


def test_refuses_settings_that_mean_nothing():
    with pytest.raises(UsageError, match=r"expected one stride for each shallow map, got \[2\] for \[3, 4\]"):
        BYOTLoss([3, 4], 6, 5, strides=[2])
    with pytest.raises(UsageError, match="expected 1 shallow maps, got 2: tap as many layers"):
        BYOTLoss([3], 6, 5)([torch.zeros(2, 3, 4, 4)] * 2, (torch.zeros(2, 6), torch.zeros(2, 5)), LABELS)
    for wrong in ({"soft_weight": 1.1}, {"hint_weight": -1.0}):
        with pytest.raises(UsageError, match=r"expected a soft weight in \[0, 1\] and a hint weight of at least 0"):
            BYOTLoss([3], 6, 5, **wrong)
