from __future__ import annotations

import numpy as np
import pytest
import torch

from pupil.data.mixing import Mixing, as_probabilities, blended, cut
from pupil.errors import UsageError


def batch(count=6, classes=4):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, 3, 8, 10, generator=generator), torch.arange(count) % classes


def swapping():
    """A state that makes the two images of a batch each other's partner."""
    return np.random.default_rng(next(seed for seed in range(50) if np.random.default_rng(seed).permutation(2)[0]))


def test_equal_states_mix_alike_and_others_do_not():
    image, target = batch()
    mix = Mixing(4)
    first, again, other = (mix(image, target, np.random.default_rng(seed))[0] for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_an_image_and_its_target_are_mixed_by_one_share():
    image, target = batch()
    mixed, probabilities = Mixing(4)(image, target, np.random.default_rng(1))
    # With one class an image, the share is the probability of the own class where the partner's is another.
    random = np.random.default_rng(1)
    partner, share = torch.from_numpy(random.permutation(6)), random.beta(1.0, 1.0)
    torch.testing.assert_close(mixed, (share * image + (1 - share) * image[partner]))
    assert probabilities.sum(dim=1).allclose(torch.ones(6))
    other = target != target[partner]
    torch.testing.assert_close(
        probabilities[torch.arange(6), target][other], torch.full((int(other.sum()),), share, dtype=torch.float32)
    )


def test_share_one_leaves_the_batch_and_share_zero_permutes_it():
    image, _ = batch()
    partner = torch.tensor([1, 2, 3, 4, 5, 0])
    assert torch.equal(blended(image, partner, torch.tensor(1.0)), image)
    assert torch.equal(blended(image, partner, torch.tensor(0.0)), image[partner])


def test_every_image_may_have_a_share_of_its_own():
    image, _ = batch()
    _, probabilities = Mixing(6, each=True)(image, torch.arange(6), np.random.default_rng(0))
    largest = probabilities.max(dim=1).values
    assert len({round(float(each), 4) for each in largest}) > 1


def test_cutmix_takes_a_box_and_counts_its_area():
    image, target = batch(2, 2)
    mixed, probabilities = cut(image, as_probabilities(target, 2), torch.tensor([1, 0]), slice(2, 6), slice(0, 5))
    assert torch.equal(mixed[0, :, 2:6, :5], image[1, :, 2:6, :5])
    assert torch.equal(mixed[0, :, :, 5:], image[0, :, :, 5:])
    torch.testing.assert_close(probabilities[0], torch.tensor([0.75, 0.25]))


def test_cutmix_of_a_map_keeps_its_labels_whole():
    image, _ = batch(2)
    target = torch.stack([torch.zeros(8, 10), torch.ones(8, 10)]).long()
    _, labels = cut(image, as_probabilities(target, 2), torch.tensor([1, 0]), slice(2, 6), slice(0, 5))
    assert set(labels.unique().tolist()) == {0.0, 1.0}
    assert float(labels[0, 1].mean()) == pytest.approx(0.25)


def test_a_blended_map_counts_where_both_images_are_labelled():
    image, _ = batch(2)
    target = torch.zeros(2, 8, 10, dtype=torch.long)
    target[0, 0], target[1, 7] = 255, 255
    _, probabilities = Mixing(2, ignore_index=255)(image, target, swapping())
    labelled = probabilities.sum(dim=1) > 0
    assert not labelled[:, 0].any()
    assert not labelled[:, 7].any()
    assert labelled[:, 1:7].all()


def test_some_batches_are_left_alone():
    image, target = batch()
    mix, random = Mixing(4, probability=0.5), np.random.default_rng(0)
    left = [torch.equal(mix(image, target, random)[0], image) for _ in range(40)]
    assert 10 < sum(left) < 30


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "mix"}, "expected a kind of mixing among mixup, cutmix|'mix'"),
        ({"concentration": 0.0}, "expected a concentration > 0, got 0.0"),
        ({"probability": 0.0}, "expected a probability in"),
        ({"kind": "cutmix", "each": True}, "expected one box for the batch"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(UsageError, match=message):
        Mixing(4, **settings)
