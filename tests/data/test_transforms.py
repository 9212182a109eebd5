"""Joint transforms: image and mask stay aligned, padding is ignored, sizes are as asked."""

from __future__ import annotations

import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision import tv_tensors

from pupil.data.transforms import training_transform
from pupil.errors import UsageError

sides = st.integers(8, 70)


def scene(height: int, width: int) -> tuple[Tensor, Tensor]:
    """A mask whose ids are rows and columns in tens, and an image whose channels say the same."""
    rows, columns = torch.meshgrid(torch.arange(height) // 10, torch.arange(width) // 10, indexing="ij")
    image = torch.stack([20 * rows + 40, 20 * columns + 40, torch.full_like(rows, 255)])
    return tv_tensors.Image(image.to(torch.uint8)), tv_tensors.Mask(10 * rows + columns)


def seen_in(image: Tensor) -> tuple[Tensor, Tensor]:
    """Mask and padding as the transformed image itself tells them."""
    rows, columns = ((image[:2] * 255 - 40) / 20).round().long()
    return 10 * rows + columns, image[2] < 0.5


@settings(max_examples=40, deadline=None)
@given(sides, sides, sides, sides, st.integers(0, 999), st.sampled_from([None, 48]))
def test_size_type_and_range(height: int, width: int, top: int, left: int, seed: int, base: int | None) -> None:
    torch.manual_seed(seed)
    image, mask = training_transform((top, left), base=base, colour=0.3)(*scene(height, width))
    assert image.shape == (3, top, left)
    assert mask.shape == (top, left)
    assert image.dtype == torch.float32
    assert mask.dtype == torch.int64
    assert isinstance(image, tv_tensors.Image)
    assert isinstance(mask, tv_tensors.Mask)
    assert image.min() >= 0
    assert image.max() <= 1


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 9999), st.floats(0.5, 2.0), st.sampled_from([None, 60]))
def test_image_and_mask_stay_aligned(seed: int, factor: float, base: int | None) -> None:
    torch.manual_seed(seed)
    transform = training_transform((48, 64), scale=(factor, factor), base=base, ignore_index=255)
    image, mask = transform(*scene(60, 80))
    told, padding = seen_in(image)
    assert torch.equal(mask == 255, padding)
    labelled = ~padding
    # Only where two areas blend may the image tell something else than the mask.
    assert (told == mask)[labelled].float().mean() > (0.75 if factor < 1 else 0.85)
    shifted = (told.roll(2, -1) == mask)[labelled].float().mean()
    assert (told == mask)[labelled].float().mean() > shifted


def test_a_third_of_the_size_takes_the_pixels_at_the_centres() -> None:
    mask = tv_tensors.Mask(torch.arange(9).repeat(9, 1))
    image = tv_tensors.Image(mask.to(torch.float32).expand(3, -1, -1) / 10)
    image, mask = training_transform(3, scale=(1, 1), flip=False)(image, mask)
    assert mask[0].tolist() == [1, 4, 7]
    assert 10 * image[0, 0, 1] == pytest.approx(4)


def test_at_own_size_and_factor_one_nothing_changes() -> None:
    image, mask = scene(30, 40)
    same_image, same_mask = training_transform((30, 40), scale=(1, 1), flip=False)(image, mask)
    torch.testing.assert_close(same_image.as_subclass(Tensor), image.as_subclass(Tensor) / 255)
    assert torch.equal(same_mask, mask)


@pytest.mark.parametrize("ignore_index", [99, 255, -1])
def test_padding_is_black_and_ignored_at_right_and_bottom(ignore_index: int) -> None:
    image, mask = training_transform(40, scale=(0.5, 0.5), flip=False, ignore_index=ignore_index)(*scene(40, 40))
    assert (mask[20:] == ignore_index).all()
    assert (mask[:, 20:] == ignore_index).all()
    assert (mask[:20, :20] != ignore_index).all()
    assert image[:, 20:].abs().max() == 0
    assert image[:, :, 20:].abs().max() == 0
    assert (image[2, :20, :20] == 1).all()


def test_flip_mirrors_both_about_half_the_time() -> None:
    torch.manual_seed(0)
    image, mask = scene(20, 30)
    flip = training_transform((20, 30), scale=(1, 1))
    flipped = 0
    for _ in range(60):
        seen, labels = flip(image, mask)
        assert torch.equal(labels, mask) or torch.equal(labels, mask.flip(-1))
        mirrored = torch.equal(labels, mask.flip(-1))
        assert torch.allclose(seen, (image.flip(-1) if mirrored else image) / 255)
        flipped += mirrored
    assert 15 < flipped < 45


def test_base_is_the_short_side_at_factor_one() -> None:
    # The image shrinks to 16 x 20 in a window of 20 x 20: four rows of padding.
    _, mask = training_transform(20, scale=(1, 1), base=16, flip=False)(*scene(32, 40))
    assert (mask == 255).sum() == 4 * 20


def test_without_a_base_the_image_just_covers_the_window() -> None:
    for size in ((20, 20), (10, 40), (40, 10)):
        _, mask = training_transform(size, scale=(1, 1))(*scene(30, 50))
        assert (mask != 255).all()


def test_colour_jitter_changes_the_image_alone() -> None:
    torch.manual_seed(0)
    image, mask = scene(20, 20)
    seen, labels = training_transform(20, scale=(1, 1), flip=False, colour=0.5)(image, mask)
    assert torch.equal(labels, mask)
    assert not torch.allclose(seen, image.float() / 255, atol=0.02)


def test_draws_follow_torchs_seed_and_cover_the_range() -> None:
    transform = training_transform(16)
    image, mask = scene(64, 64)

    def drawn(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return transform(image, mask)[0]

    assert torch.equal(drawn(3), drawn(3))
    assert len({tuple(drawn(seed).flatten().tolist()) for seed in range(10)}) == 10


def test_the_transform_can_be_sent_to_a_spawned_worker() -> None:
    again = pickle.loads(pickle.dumps(training_transform(8)))
    assert again(*scene(9, 9))[0].shape == (3, 8, 8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "a size of at least 1 pixel, got 0x0"),
        ({"size": (4, -1)}, "got 4x-1"),
        ({"scale": (2.0, 0.5)}, r"positive factors in order, got \(2.0, 0.5\)"),
        ({"scale": (0.0, 0.5)}, "positive factors in order"),
        ({"base": 0}, "a base of at least 1 pixel, got 0"),
        ({"colour": 1.0}, "from 0 to below 1, got 1.0"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        training_transform(**{"size": 8} | arguments)
