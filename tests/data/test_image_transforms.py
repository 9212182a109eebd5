from __future__ import annotations

import pytest
import torch
from torchvision import tv_tensors

from pupil.data.image_transforms import centre_transform, crop_transform
from pupil.data.views import Views
from pupil.errors import UsageError


def picture(height: int, width: int) -> tv_tensors.Image:
    generator = torch.Generator().manual_seed(0)
    return tv_tensors.Image(torch.randint(256, (3, height, width), generator=generator, dtype=torch.uint8))


@pytest.mark.parametrize("crop", ["pad", "zoom", "none"])
@pytest.mark.parametrize("own", [(32, 32), (40, 30), (20, 64)])
def test_every_crop_has_the_size(crop: str, own: tuple[int, int]) -> None:
    image, label = crop_transform((32, 32), crop=crop)(picture(*own), 5)  # type: ignore[arg-type]
    assert (image.shape, image.dtype, label) == ((3, 32, 32), torch.float32, 5)
    assert 0 <= image.min() <= image.max() <= 1


def test_padding_moves_the_image_by_an_eighth_at_most() -> None:
    white = tv_tensors.Image(torch.full((3, 32, 32), 255, dtype=torch.uint8))
    torch.manual_seed(0)
    transform = crop_transform((32, 32), crop="pad", flip=False)
    shares = [float((transform(white, 0)[0] > 0).float().mean()) for _ in range(50)]
    assert (28 / 32) ** 2 <= min(shares) < max(shares) <= 1


def test_equal_views_are_equal_and_others_differ() -> None:
    views = Views([(picture(32, 32), 1)], crop_transform((32, 32), crop="pad", colour=0.2))
    assert torch.equal(views[0, 3][0], views[0, 3][0])
    assert not torch.equal(views[0, 3][0], views[0, 4][0])


def test_flipping_can_be_turned_off() -> None:
    image = picture(32, 32)
    for flip, kinds in ((False, 1), (True, 2)):
        transform = crop_transform((32, 32), crop="none", flip=flip)
        assert len({float(transform(image, 0)[0][0, 0, 0]) for _ in range(20)}) == kinds


def test_validation_sees_the_centre_and_leaves_images_of_the_size_alone() -> None:
    image = picture(32, 32)
    assert torch.equal(centre_transform((32, 32))(image, 0)[0], image)
    marked = tv_tensors.Image(torch.zeros(3, 64, 128, dtype=torch.uint8))
    marked[:, 32, 64] = 255
    seen, _ = centre_transform((28, 28))(marked, 0)
    row, column = divmod(int(seen[0].argmax()), 28)
    assert abs(row - 14) <= 1
    assert abs(column - 14) <= 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"crop": "cut"}, "crop"), ({"zoom": (0.0, 1.0)}, "shares of the image's area"), ({"colour": 1.0}, "jitter")],
)
def test_settings_out_of_range_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        crop_transform((8, 8), **settings)  # type: ignore[arg-type]
