"""The transform of an image together with its mask of class ids, for training.

Randomness comes from torch's global generator, which `Views` seeds for each view.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from pupil.errors import UsageError

Transform = Callable[[Any, Any], tuple[Any, Any]]


def training_transform(
    size: int | tuple[int, int],
    *,
    scale: tuple[float, float] = (0.5, 2.0),
    base: int | None = None,
    flip: bool = True,
    colour: float = 0.0,
    ignore_index: int = 255,
) -> Transform:
    """Random scale, random crop with padding, random flip and colour jitter: the field's usual augmentation.

    The image is resized by a random factor, then a window of `size` is cut at a random place. Where the resized image
    is smaller than the window it is padded at the right and at the bottom: the image with black, the mask with the
    ignore index. (Padding masks with 0, as several released code bases do, teaches class 0 on the padding.) Only
    the window is ever resized, so the cost does not grow with the image.

    Args:
        size: height and width of the window; one number for a square.
        scale: the range of the factor, drawn uniformly.
        base: the short side of the image at factor 1, None where the image is to cover the window just so.
        flip: whether to mirror left and right half of the time.
        colour: strength of the jitter of brightness, contrast and saturation, each a factor from [1 - c, 1 + c].
        ignore_index: the id of padding in the mask.

    Shape:
        - image: (3, H, W), any type; returned as (3, *size), float32 in [0, 1].
        - mask: (H, W), integers; returned as (*size), int64.

    Raises:
        UsageError: a size, a scale or a strength out of range.

    Example:
        >>> from torchvision import tv_tensors
        >>> image = tv_tensors.Image(torch.full((3, 30, 40), 255, dtype=torch.uint8))
        >>> mask = tv_tensors.Mask(torch.zeros(30, 40, dtype=torch.int64))
        >>> image, mask = training_transform(32, scale=(0.5, 0.5), ignore_index=11)(image, mask)
        >>> image.shape, mask.shape, mask.unique().tolist()
        (torch.Size([3, 32, 32]), torch.Size([32, 32]), [0, 11])
    """
    if not 0 < scale[0] <= scale[1]:
        raise UsageError(f"expected a scale range of positive factors in order, got {scale}")
    if base is not None and base < 1:
        raise UsageError(f"expected a base of at least 1 pixel, got {base}")
    if not 0 <= colour < 1:
        raise UsageError(f"expected a colour jitter from 0 to below 1, got {colour}")
    return partial(
        _train, size=_pair(size), scale=scale, base=base, flip=flip, colour=colour, ignore_index=ignore_index
    )


def _train(
    image: Any,
    mask: Any,
    *,
    size: tuple[int, int],
    scale: tuple[float, float],
    base: int | None,
    flip: bool,
    colour: float,
    ignore_index: int,
) -> tuple[Any, Any]:
    from torchvision import tv_tensors
    from torchvision.transforms.v2 import functional

    height, width = mask.shape[-2:]
    cover = max(size[0] / height, size[1] / width) if base is None else base / min(height, width)
    factor = cover * _uniform(*scale)
    # The window in the pixels of the image: what fits into it, how large that is there, and where it lies.
    filled = [min(side, max(round(own * factor), 1)) for side, own in zip(size, (height, width), strict=True)]
    taken = [min(max(round(side / factor), 1), own) for side, own in zip(filled, (height, width), strict=True)]
    top, left = (int(torch.randint(own - part + 1, ())) for own, part in zip((height, width), taken, strict=True))

    image = functional.resized_crop(image, top, left, *taken, size=filled, antialias=True)
    # Nearest pixel by its centre: torchvision's nearest rounds down, half a pixel off the image.
    rows, columns = (start + _centres(part, side) for start, part, side in zip((top, left), taken, filled, strict=True))
    labels = mask.as_subclass(Tensor).long()[rows[:, None], columns]
    if colour:
        image = functional.adjust_brightness(image, _uniform(1 - colour, 1 + colour))
        image = functional.adjust_contrast(image, _uniform(1 - colour, 1 + colour))
        image = functional.adjust_saturation(image, _uniform(1 - colour, 1 + colour))
    if flip and _uniform(0, 1) < 0.5:
        image, labels = functional.horizontal_flip(image), labels.flip(-1)
    padding = (0, size[1] - filled[1], 0, size[0] - filled[0])
    image = F.pad(functional.to_dtype(image, torch.float32, scale=True), padding)
    labels = F.pad(labels, padding, value=ignore_index)
    return tv_tensors.Image(image), tv_tensors.Mask(labels)


def _centres(own: int, side: int) -> Tensor:
    """The pixel of `own` that lies nearest the centre of each pixel of `side`."""
    return ((2 * torch.arange(side) + 1) * own) // (2 * side)


def _uniform(low: float, high: float) -> float:
    return float(torch.empty((), dtype=torch.float64).uniform_(low, high))


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    height, width = (size, size) if isinstance(size, int) else size
    if height < 1 or width < 1:
        raise UsageError(f"expected a size of at least 1 pixel, got {height}x{width}")
    return height, width
