from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from pupil.errors import UsageError
from pupil.functional.labels import label_probabilities, soft_cross_entropy


@pytest.mark.parametrize("positions", [(), (3,), (4, 5)])
def test_ids_become_one_hot_and_ignored_ones_nothing(positions):
    torch.manual_seed(0)
    logits, target = torch.randn(6, 4, *positions), torch.randint(0, 4, (6, *positions))
    target[1] = 255
    found, labelled = label_probabilities(target, logits, 255)
    assert torch.equal(labelled, target != 255)
    expected = F.one_hot(target.clamp(max=3), 4).movedim(-1, 1) * labelled.unsqueeze(1)
    assert torch.equal(found, expected.float())


def test_probabilities_stay_and_zeros_are_no_label():
    target = torch.tensor([[0.5, 0.5], [0.0, 0.0]], dtype=torch.float16)
    found, labelled = label_probabilities(target, torch.zeros(2, 2))
    assert found.dtype == torch.float32
    assert torch.equal(found, target.float())
    assert labelled.tolist() == [True, False]


def test_cross_entropy_is_torchs_own():
    torch.manual_seed(0)
    logits, target = torch.randn(6, 4, 5), torch.randn(6, 4, 5).softmax(1)
    torch.testing.assert_close(soft_cross_entropy(logits, target), F.cross_entropy(logits, target, reduction="none"))
    assert soft_cross_entropy(logits.half(), target).dtype == torch.float32


@pytest.mark.parametrize(
    "target", [torch.zeros(2, 4, 4, dtype=torch.long), torch.zeros(2, 5, 4, 4), torch.zeros(2, 8, 8)]
)
def test_refuses_targets_of_another_size(target):
    with pytest.raises(UsageError, match=r"expected targets as ids \(2, 8, 8\) or probabilities \(2, 5, 8, 8\)"):
        label_probabilities(target, torch.zeros(2, 5, 8, 8))
