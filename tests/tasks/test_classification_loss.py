from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from pupil.errors import UsageError
from pupil.tasks.classification_loss import ClassificationLoss

LOGITS = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
TARGET = torch.tensor([0, 1, 2, 3, 0, 1])


def test_probabilities_are_taken_like_the_class_they_are_sure_of() -> None:
    loss = ClassificationLoss(label_smoothing=0.1)
    torch.testing.assert_close(loss(LOGITS, TARGET), loss(LOGITS, F.one_hot(TARGET, 4).float()))


def test_mixed_labels_cost_what_their_parts_do() -> None:
    loss, share = ClassificationLoss(), 0.3
    partner = TARGET.roll(1)
    mixed = share * F.one_hot(TARGET, 4) + (1 - share) * F.one_hot(partner, 4)
    torch.testing.assert_close(loss(LOGITS, mixed), share * loss(LOGITS, TARGET) + (1 - share) * loss(LOGITS, partner))


def test_the_auxiliary_classifier_counts_with_its_weight() -> None:
    loss = ClassificationLoss(auxiliary_weight=0.3)
    torch.testing.assert_close(loss(LOGITS, TARGET, LOGITS), 1.3 * loss(LOGITS, TARGET))
    assert ClassificationLoss(auxiliary_weight=0.0)(LOGITS, TARGET, LOGITS) == loss(LOGITS, TARGET)


def test_half_precision_is_summed_in_full() -> None:
    assert ClassificationLoss()(LOGITS.bfloat16(), TARGET).dtype == torch.float32


def test_smoothing_out_of_range_is_refused() -> None:
    with pytest.raises(UsageError, match=r"label_smoothing in \[0, 1\), got 1.0"):
        ClassificationLoss(label_smoothing=1.0)
