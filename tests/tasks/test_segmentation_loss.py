from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pupil.errors import UsageError
from pupil.tasks.segmentation_loss import SegmentationLoss

IGNORE = 255


def batch(dtype: torch.dtype = torch.float64, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Logits of three classes at stride 2, and labels with ignored pixels."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 3, 4, 5, generator=generator, dtype=torch.float64)
    target = torch.randint(0, 3, (2, 8, 10), generator=generator)
    target[torch.rand(target.shape, generator=generator) < 0.3] = IGNORE
    return logits.to(dtype).requires_grad_(), target


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, (0.2, 1.0, 3.0)])
def test_agrees_with_torch_on_resized_logits(smoothing: float, weights: tuple[float, ...] | None) -> None:
    logits, target = batch()
    loss = SegmentationLoss(3, label_smoothing=smoothing, class_weights=weights)
    expected = F.cross_entropy(
        F.interpolate(logits, size=(8, 10), mode="bilinear"),
        target,
        weight=None if weights is None else torch.tensor(weights).double(),
        ignore_index=IGNORE,
        label_smoothing=smoothing,
    )
    torch.testing.assert_close(loss(logits, target), expected)


def test_an_auxiliary_head_adds_its_weighted_share() -> None:
    (logits, target), (auxiliary, _) = batch(), batch(seed=1)
    alone = SegmentationLoss(3)
    both = SegmentationLoss(3, auxiliary_weight=0.3)
    torch.testing.assert_close(both(logits, target, auxiliary), alone(logits, target) + 0.3 * alone(auxiliary, target))
    assert SegmentationLoss(3, auxiliary_weight=0.0)(logits, target, auxiliary) == alone(logits, target)


@pytest.mark.parametrize("settings", [{}, {"class_weights": (0.0, 1.0, 2.0)}, {"dice": 1.0}, {"label_smoothing": 0.1}])
def test_a_batch_without_labels_is_worth_nothing(settings: dict[str, object]) -> None:
    logits, target = batch(torch.float32)
    loss = SegmentationLoss(3, **settings)(logits, torch.full_like(target, IGNORE), logits)
    loss.backward()
    assert loss == 0.0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_a_batch_of_nothing_but_classes_without_weight_is_worth_nothing() -> None:
    logits, target = batch(torch.float32)
    loss = SegmentationLoss(3, class_weights=(0.0, 1.0, 1.0))(logits, torch.zeros_like(target))
    loss.backward()
    assert loss == 0.0
    assert logits.grad.isfinite().all()


def test_ignored_pixels_get_no_gradient() -> None:
    target = torch.tensor([[[0, IGNORE], [1, IGNORE]]])
    logits = torch.zeros(1, 2, 2, 2, requires_grad=True)
    SegmentationLoss(2, dice=1.0)(logits, target).backward()
    assert (logits.grad[..., 0] != 0).all()
    assert (logits.grad[..., 1] == 0).all()


def test_dice_worked_by_hand() -> None:
    """Both classes at probability 1/2 on four labelled pixels, three of class 0 and one of class 1.

    Class 0: (2 x 1.5 + 1) / (2 + 3 + 1) = 2/3. Class 1: (2 x 0.5 + 1) / (2 + 1 + 1) = 1/2.
    """
    target = torch.tensor([[[0, 0, 0, 1, IGNORE]]])
    logits = torch.zeros(1, 3, 1, 5)
    logits[:, 2] = -1e9
    entropy = SegmentationLoss(3)(logits, target)
    dice = SegmentationLoss(3, dice=1.0)(logits, target) - entropy
    torch.testing.assert_close(dice, torch.tensor(1 - (2 / 3 + 1 / 2) / 2))


def test_a_perfect_answer_has_no_dice() -> None:
    target = torch.tensor([[[0, 1, 2, IGNORE]]])
    logits = 100.0 * F.one_hot(target.clamp(max=2), 3).movedim(-1, 1).float()
    assert SegmentationLoss(3, dice=1.0)(logits, target) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    logits, target = batch(dtype)
    objective = SegmentationLoss(3, dice=0.5, label_smoothing=0.1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = objective(logits, target)
    loss.backward()
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, objective(logits.detach().float(), target))
    assert logits.grad.isfinite().all()


def test_class_weights_follow_the_module_and_stay_out_of_its_state() -> None:
    loss = SegmentationLoss(2, class_weights=(1.0, 2.0)).to(torch.float64)
    assert loss.class_weights.dtype == torch.float64
    assert not loss.state_dict()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"label_smoothing": 1.0}, r"expected label_smoothing in \[0, 1\), got 1.0"),
        ({"class_weights": (1.0, 2.0)}, "expected 3 class weights, got 2: give one for each class"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, object], expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        SegmentationLoss(3, **settings)
