"""Transforms of images that belong to one class as a whole: the crops of the field, for training and for validation.

Randomness comes from torch's global generator, which `Views` seeds for each view.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal, get_args

from pupil.data.transforms import Transform
from pupil.errors import UsageError, unknown

Crop = Literal["pad", "zoom", "none"]
SHARE = 0.875  # of a validation image's shorter side that is seen: 224 of 256


def crop_transform(
    size: tuple[int, int],
    *,
    crop: Crop = "zoom",
    zoom: tuple[float, float] = (0.08, 1.0),
    flip: bool = True,
    colour: float = 0.0,
) -> Transform:
    """Random crop, random flip and colour jitter of an image, for training.

    Args:
        size: height and width that the network sees.
        crop: "pad" surrounds the image by an eighth of the size, in black, and cuts a window (CIFAR: 4 pixels);
            "zoom" cuts a random part of the image and resizes it (ImageNet); "none" cuts the centre.
        zoom: range of that part, as shares of the image's area; its aspect ratio is between 3/4 and 4/3.
        flip: whether to mirror half of the images.
        colour: strength of the jitter of brightness, contrast and saturation, each a factor from [1 - c, 1 + c].

    Shape:
        image (3, H, W), uint8, to (3, *size), float32 in [0, 1]; the class stays as it is.

    Raises:
        UsageError: a setting out of range.

    Example:
        >>> import torch
        >>> image, label = crop_transform((32, 32), crop="pad")(torch.zeros(3, 32, 32, dtype=torch.uint8), 7)
        >>> image.shape, image.dtype, label
        (torch.Size([3, 32, 32]), torch.float32, 7)
    """
    import torch
    from torchvision.transforms import v2

    if crop not in get_args(Crop):
        raise unknown("crop", crop, get_args(Crop))
    if not 0 < zoom[0] <= zoom[1] <= 1:
        raise UsageError(
            f"expected shares of the image's area in order, 0 < FROM <= TO <= 1, got {zoom}: (0.08, 1) is usual"
        )
    if not 0 <= colour < 1:
        raise UsageError(f"expected a colour jitter from 0 to below 1, got {colour}: 0 turns it off")
    steps: list[Any] = []
    if crop == "pad":
        steps += [partial(_centre, size=size, share=1.0), v2.RandomCrop(size, padding=[size[1] // 8, size[0] // 8])]
    elif crop == "zoom":
        steps.append(v2.RandomResizedCrop(size, scale=zoom, antialias=True))
    else:
        steps.append(partial(_centre, size=size))
    if flip:
        steps.append(v2.RandomHorizontalFlip())
    if colour:
        steps.append(v2.ColorJitter(colour, colour, colour))
    return partial(_through, steps=(*steps, v2.ToDtype(torch.float32, scale=True)))


def centre_transform(size: tuple[int, int]) -> Transform:
    """The centre of an image, for validation: all of it where it has the size, else 7/8 of its shorter side.

    Example:
        >>> import torch
        >>> centre_transform((224, 224))(torch.zeros(3, 300, 400, dtype=torch.uint8), 0)[0].shape
        torch.Size([3, 224, 224])
    """
    return partial(_through, steps=(partial(_centre, size=size),))


def _through(image: Any, target: Any, *, steps: tuple[Any, ...]) -> tuple[Any, Any]:
    for step in steps:
        image = step(image)
    return image, target


def _centre(image: Any, *, size: tuple[int, int], share: float = SHARE) -> Any:
    """The centre of the image, resized so that the window is this share of the side that it fills most."""
    from torchvision.transforms.v2 import functional

    own = tuple(image.shape[-2:])
    if own == tuple(size):
        return image
    factor = max(side / length for side, length in zip(size, own, strict=True)) / share
    larger = functional.resize(image, [max(round(length * factor), 1) for length in own], antialias=True)
    return functional.center_crop(larger, list(size))
