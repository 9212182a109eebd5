"""The transform of an image together with its lanes, for training: the lanes come out as a mask.

Randomness comes from torch's global generator, which `Views` seeds for each view.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor

from pupil.data.lanes.points import drawn_mask, without_unseen
from pupil.data.transforms import Transform
from pupil.errors import UsageError


def lanes_transform(
    size: tuple[int, int],
    *,
    scale: tuple[float, float] = (0.95, 1.05),
    rotation: float = 1.0,
    colour: float = 0.0,
    top: float = 0.0,
    width: int | None = None,
) -> Transform:
    """Random resize of both sides, random crop, small rotation and colour jitter; then the lanes are drawn as a mask.

    Height and width are resized by factors of their own, drawn around the network's size. What is larger than the
    window is cropped at random; what is smaller is padded with black, at the top and at random sides, where the mask is
    background. There is no mirroring: it would swap the slots, which depend on the position.

    Args:
        size: (H, W) of the network.
        scale: the range of the factors, drawn uniformly.
        rotation: the largest angle, in degrees, either way.
        colour: strength of the jitter of brightness, contrast and saturation, each a factor from [1 - c, 1 + c].
        top: the share of the image that is cut off above, where there is only sky.
        width: of a drawn lane in pixels; None takes about a hundredth of the network's width, as CULane's masks have
            16 of 1640, but an odd number and 3 at least.

    Shape:
        - image: (3, H, W), any type; returned as (3, *size), float32 in [0, 1].
        - lanes: (S, P, 2), see :mod:`pupil.data.lanes.points`, or a mask (H, W); returned as a mask (*size), int64, of
          the lanes that reach into the image.

    Raises:
        UsageError: a setting out of range.

    Example:
        >>> from torchvision import tv_tensors
        >>> lanes = tv_tensors.KeyPoints([[[20.0, 0], [20, 31]]], canvas_size=(32, 64))
        >>> still = lanes_transform((16, 32), scale=(1, 1), rotation=0, width=1)
        >>> image, mask = still(tv_tensors.Image(torch.zeros(3, 32, 64)), lanes)
        >>> mask.shape, mask[8].nonzero().tolist()
        (torch.Size([16, 32]), [[10]])
    """
    if min(size) < 1:
        raise UsageError(f"expected a size of at least 1 pixel, got {size[0]}x{size[1]}: change it")
    if not 0 < scale[0] <= scale[1]:
        raise UsageError(f"expected a scale range of positive factors in order, got {scale}: (1, 1) turns it off")
    if not 0 <= rotation < 90:
        raise UsageError(f"expected a rotation from 0 to below 90 degrees, got {rotation}: 0 turns it off")
    if not 0 <= colour < 1:
        raise UsageError(f"expected a colour jitter from 0 to below 1, got {colour}: 0 turns it off")
    if not 0 <= top < 1:
        raise UsageError(f"expected the share cut off at the top from 0 to below 1, got {top}: 0 cuts nothing")
    if width is not None and width < 1:
        raise UsageError(f"expected lanes drawn 1 pixel wide or more, got {width}: leave the width out")
    width = max(3, 2 * round(size[1] / 200) + 1) if width is None else width
    return partial(_train, size=size, scale=scale, rotation=rotation, colour=colour, top=top, width=width)


def _train(
    image: Any,
    target: Any,
    *,
    size: tuple[int, int],
    scale: tuple[float, float],
    rotation: float,
    colour: float,
    top: float,
    width: int,
) -> tuple[Any, Any]:
    from torchvision import tv_tensors
    from torchvision.transforms.v2 import functional

    cut = round(top * image.shape[-2])
    height, breadth = image.shape[-2] - cut, image.shape[-1]
    scaled = [max(1, round(side * _uniform(*scale))) for side in size]
    # Where the window begins in the resized image; below 0 there is padding, which at the top is all above.
    spare = [own - side for own, side in zip(scaled, size, strict=True)]
    first = [spare[0] if spare[0] < 0 else _below(spare[0]), _below(spare[1])]
    angle = _uniform(-rotation, rotation)

    image = functional.crop(image, cut, 0, height, breadth)
    image = functional.to_dtype(image, torch.float32, scale=True)
    image = functional.crop(functional.resize(image, scaled, antialias=True), *first, *size)
    image = functional.rotate(image, angle, functional.InterpolationMode.BILINEAR) if angle else image
    if colour:
        image = functional.adjust_brightness(image, _uniform(1 - colour, 1 + colour))
        image = functional.adjust_contrast(image, _uniform(1 - colour, 1 + colour))
        image = functional.adjust_saturation(image, _uniform(1 - colour, 1 + colour))

    if target.is_floating_point():
        seen = torch.from_numpy(without_unseen(target.as_subclass(Tensor).numpy(), (cut + height, breadth)))
        factors = torch.tensor([scaled[1] / breadth, scaled[0] / height])
        # The centre of the first pixel is at 0, half a pixel from the corner that all sizes share.
        points = (seen + torch.tensor([0.5, 0.5 - cut])) * factors - 0.5
        points = _rotated(points - torch.tensor([float(first[1]), float(first[0])]), angle, size)
        mask = torch.from_numpy(drawn_mask(points.numpy(), size, width).copy())
    else:
        exact, nearest = functional.InterpolationMode.NEAREST_EXACT, functional.InterpolationMode.NEAREST
        mask = functional.crop(target.as_subclass(Tensor)[None], cut, 0, height, breadth)
        mask = functional.crop(functional.resize(mask, scaled, exact), *first, *size)
        mask = (functional.rotate(mask, angle, nearest) if angle else mask)[0]
    return tv_tensors.Image(image.as_subclass(Tensor)), tv_tensors.Mask(mask.long())


def _rotated(points: Tensor, angle: float, size: tuple[int, int]) -> Tensor:
    """Points turned against the clock about the middle of the image."""
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    centre = torch.tensor([size[1] - 1.0, size[0] - 1.0]) / 2
    # The y axis points down.
    return (points - centre) @ torch.tensor([[cosine, -sine], [sine, cosine]]) + centre


def _below(spare: int) -> int:
    """A random whole number from 0 to the spare length, or from it to 0 where it is negative."""
    return int(torch.randint(abs(spare) + 1, ())) * (1 if spare >= 0 else -1)


def _uniform(low: float, high: float) -> float:
    return float(torch.empty((), dtype=torch.float64).uniform_(low, high))
