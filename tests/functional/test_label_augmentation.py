from __future__ import annotations

import pytest
import torch

from pupil.errors import UsageError
from pupil.functional.label_augmentation import aggregated_logits, joint_cross_entropy, joint_target, rotated


def test_rows_and_columns_match_a_plain_loop():
    logits = torch.randn(3 * 4, 5 * 4, generator=torch.Generator().manual_seed(0))
    ours = aggregated_logits(logits)
    for image in range(3):
        for label in range(5):
            mean = sum(logits[4 * image + turn, 4 * label + turn] for turn in range(4)) / 4
            torch.testing.assert_close(ours[image, label], mean)


def test_images_turn_in_the_order_of_their_joint_classes():
    images = torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    turned, classes = rotated(images), joint_target(torch.tensor([7, 0]))
    for row, joint in enumerate(classes.tolist()):
        assert torch.equal(turned[row], torch.rot90(images[row // 4], joint % 4, (1, 2)))
    assert (classes // 4).tolist() == [7] * 4 + [0] * 4


def test_the_loss_is_small_where_every_rotation_is_known():
    target = torch.tensor([1, 0])
    known = 20 * torch.nn.functional.one_hot(joint_target(target), 8).float()
    assert joint_cross_entropy(known, target) < 1e-3 < joint_cross_entropy(-known, target)
    assert joint_cross_entropy(known.bfloat16(), target).dtype == torch.float32


def test_refusals():
    with pytest.raises(UsageError, match=r"expected square images .* got \(1, 3, 4, 6\): crop them"):
        rotated(torch.zeros(1, 3, 4, 6))
    for shape in ((3, 8), (4, 7), (4, 8, 2)):
        with pytest.raises(UsageError, match="expected joint logits"):
            aggregated_logits(torch.zeros(shape))
