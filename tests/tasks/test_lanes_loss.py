from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pupil.data.mixing import as_probabilities
from pupil.errors import UsageError
from pupil.tasks.lanes_loss import LanesLoss, present_lanes

IGNORE = 255


def batch(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """Logits of three lanes at stride 2, labels without the third lane and with ignored pixels, existence logits."""
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 4, 5, generator=random, dtype=torch.float64)
    target = torch.randint(0, 3, (2, 8, 10), generator=random)
    target[torch.rand(target.shape, generator=random) < 0.3] = IGNORE
    existence = torch.randn(2, 3, generator=random, dtype=torch.float64)
    return logits.to(dtype).requires_grad_(), target, existence.to(dtype).requires_grad_()


def naive_iou(logits: Tensor, target: Tensor) -> float:
    """A loop over the pixels of all images."""
    overlap = predicted = labelled = 0.0
    for image, ids in zip(F.interpolate(logits, size=target.shape[1:], mode="bilinear"), target, strict=True):
        for pixel, number in zip(image.softmax(0).flatten(1).T.tolist(), ids.flatten().tolist(), strict=True):
            if number != IGNORE:
                predicted += sum(pixel[1:])
            if 0 < number < IGNORE:
                overlap += pixel[number]
                labelled += 1
    return (overlap + 1) / (predicted + labelled - overlap + 1)


def test_the_three_terms_are_those_of_torch_and_of_a_loop_over_pixels() -> None:
    logits, target, existence = batch()
    large = F.interpolate(logits, size=target.shape[1:], mode="bilinear")
    weight = torch.tensor([0.4, 1.0, 1.0, 1.0]).double()
    pixels = F.cross_entropy(large, target, weight=weight, ignore_index=IGNORE)
    # The third lane is in neither image.
    exists = F.binary_cross_entropy_with_logits(existence, torch.tensor([[1.0, 1.0, 0.0]] * 2).double())
    overlap = 1 - naive_iou(logits.detach(), target)
    torch.testing.assert_close(LanesLoss(3)(logits, target, existence), pixels + 0.1 * exists + 0.1 * overlap)
    torch.testing.assert_close(LanesLoss(3)(logits, target), pixels + 0.1 * overlap)
    off = LanesLoss(3, existence_weight=0.0, iou_weight=0.0, background_weight=1.0)
    plain = F.cross_entropy(large, target, ignore_index=IGNORE)
    torch.testing.assert_close(off(logits, target, existence), plain)


def test_worked_by_hand() -> None:
    """Two pixels of probability 1/2 for background and lane: one of each, then existence of logit 0.

    CE = (0.4 ln 2 + ln 2) / 1.4 = ln 2. BCE = ln 2. IoU = (1/2 + 1) / (1 + 1 - 1/2 + 1) = 3/5.
    """
    target = torch.tensor([[[0, 1]]])
    loss = LanesLoss(1, existence_weight=2.0, iou_weight=5.0)(torch.zeros(1, 2, 1, 2), target, torch.zeros(1, 1))
    torch.testing.assert_close(loss, 3 * torch.tensor(2.0).log() + 5 * 0.4)


def test_a_right_answer_costs_nothing_and_a_lane_of_another_id_costs_overlap() -> None:
    target = torch.tensor([[[0, 1, 2, IGNORE]]])
    right = 100.0 * F.one_hot(target.clamp(max=2), 3).movedim(-1, 1).float()
    sure = torch.tensor([[100.0, 100.0]])
    assert LanesLoss(2)(right, target, sure) == pytest.approx(0.0, abs=1e-6)
    swapped = right[:, [0, 2, 1]]
    overlap = LanesLoss(2, iou_weight=1.0)(swapped, target) - LanesLoss(2, iou_weight=0.0)(swapped, target)
    assert overlap == pytest.approx(1 - 1 / 5, rel=1e-5)


def test_images_that_nobody_labelled_count_for_nothing() -> None:
    logits, target, existence = batch(torch.float32)
    target[0] = IGNORE
    loss = LanesLoss(3, iou_weight=1.0)
    loss(logits, target, existence).backward()
    assert not logits.grad[0].any()
    assert not existence.grad[0].any()
    assert existence.grad[1].all()
    alone = loss(logits[1:], target[1:], existence[1:])
    torch.testing.assert_close(loss(logits, target, existence), alone)
    nothing = loss(logits, torch.full_like(target, IGNORE), existence)
    assert nothing == 0.0


def test_a_batch_without_lanes_unlearns_them() -> None:
    logits = torch.zeros(1, 3, 2, 2, requires_grad=True)
    loss = LanesLoss(2, background_weight=0.0)
    loss(logits, torch.zeros(1, 2, 2, dtype=torch.long)).backward()
    assert (logits.grad[:, 1:] > 0).all()
    assert (logits.grad[:, 0] < 0).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    logits, target, existence = batch(dtype)
    objective = LanesLoss(3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = objective(logits, target, existence)
    loss.backward()
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, objective(logits.detach().float(), target, existence.detach().float()))
    assert logits.grad.isfinite().all()
    assert existence.grad.isfinite().all()


def test_which_lanes_are_there() -> None:
    target = torch.tensor([[[0, 0]], [[3, IGNORE]], [[1, 2]]])
    assert present_lanes(target, 3).tolist() == [[False] * 3, [False, False, True], [True, True, False]]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lanes": 0}, "at least one lane, got 0"),
        ({"lanes": 4, "background_weight": -1.0}, "background_weight of zero or more, got -1.0"),
        ({"lanes": 4, "iou_weight": float("nan")}, "iou_weight of zero or more, got nan"),
    ],
)
def test_refuses_settings_that_mean_nothing(settings: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        LanesLoss(**settings)


def test_refuses_answers_for_other_lanes() -> None:
    target = torch.zeros(2, 8, 8, dtype=torch.long)
    with pytest.raises(UsageError, match=r"logits \(N, 5, h, w\) .* for 4 lanes, got \(2, 4, 8, 8\)"):
        LanesLoss(4)(torch.zeros(2, 4, 8, 8), target)
    with pytest.raises(UsageError, match=r"existence logits \(2, 4\), got \(2, 5\): one for each lane"):
        LanesLoss(4)(torch.zeros(2, 5, 8, 8), target, torch.zeros(2, 5))
    assert "4, existence_weight=0.1, iou_weight=0.1" in repr(LanesLoss(4))


def test_probabilities_that_are_sure_cost_what_the_ids_cost() -> None:
    logits, target, existence = batch(torch.float32)
    target[1] = IGNORE
    sure = as_probabilities(target, 4, IGNORE)
    for options in ({}, {"label_smoothing": 0.2}, {"existence_weight": 2.0, "iou_weight": 3.0}):
        loss = LanesLoss(3, **options)
        values = [loss(logits, each, existence) for each in (sure, target)]
        torch.testing.assert_close(*values)
        torch.testing.assert_close(*(torch.autograd.grad(each, (logits, existence)) for each in values))


def test_a_mixed_image_has_its_lanes_in_part() -> None:
    """One pixel of each of two images, blended by halves: background with lane 1."""
    target = torch.tensor([[[[0.5]], [[0.5]]]])
    logits, exists = torch.tensor([[[[0.0]], [[2.0]]]]), torch.tensor([[0.7]])
    probability = logits.softmax(1)[0, 1, 0, 0]
    pixels = -(0.4 * 0.5 * (1 - probability).log() + 0.5 * probability.log()) / (0.4 * 0.5 + 0.5)
    existence = F.binary_cross_entropy_with_logits(exists, torch.tensor([[0.5]]))
    iou = (0.5 * probability + 1) / (probability + 0.5 - 0.5 * probability + 1)
    torch.testing.assert_close(LanesLoss(1)(logits, target, exists), pixels + 0.1 * existence + 0.1 * (1 - iou))


def test_smoothing_reaches_the_pixels_alone() -> None:
    logits, target, existence = batch()
    smooth, plain = (LanesLoss(3, label_smoothing=share)(logits, target, existence) for share in (0.3, 0.0))
    pixels = [LanesLoss(3, label_smoothing=s, existence_weight=0, iou_weight=0)(logits, target) for s in (0.3, 0.0)]
    torch.testing.assert_close(smooth - plain, pixels[0] - pixels[1])
    assert smooth > plain
