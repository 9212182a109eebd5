"""The transform of an image together with its boxes, for training.

Randomness comes from torch's global generator, which `Views` seeds for each view.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch

from pupil.data.transforms import Transform
from pupil.errors import UsageError

SCORED = ("iscrowd", "difficult")  # what is marked so is there to be scored on, and not to train on


def detection_transform(
    size: tuple[int, int] | None = None,
    *,
    short: int | Sequence[int] | None = None,
    long: int | None = None,
    flip: bool = True,
    colour: float = 0.0,
    zoom_out: float = 1.0,
    crop: bool = False,
    smallest: float = 1.0,
) -> Transform:
    """Colour jitter, zooming out, cropping around boxes, random flip and resize, in this order.

    Boxes without a class, crowds and difficult objects are left out, and so are those that a crop leaves too small.
    What only a metric looks at stays behind. Images of different sizes become a list in a batch, see
    :func:`pupil.data.views.collate`.

    Args:
        size: height and width of every image, whatever its aspect; None keeps the aspect.
        short: the shorter side; of several one is drawn. None with `size` None keeps the image's own size, for
            networks that resize by themselves.
        long: what the longer side is at most, beside `short`.
        flip: whether to mirror left and right half of the time.
        colour: strength of the jitter of brightness, contrast and saturation, each a factor from [1 - c, 1 + c].
        zoom_out: half of the time the image is laid on a grey canvas up to this many times larger; 1 never does.
        crop: whether to cut a random window that overlaps well enough with a box, as SSD is trained.
        smallest: pixels that each side of a box has to keep.

    Shape:
        - image: (3, H, W), any type; returned with the new size, float32 in [0, 1].
        - target: a dict with boxes (M, 4) as `tv_tensors.BoundingBoxes` and labels (M,); returned with these two.

    Raises:
        UsageError: a setting out of range.

    Reference:
        800 and 1333 are the sides of Faster R-CNN and RetinaNet, 480 to 800 those of training at several scales. The
        zooming out and the crop are those of W. Liu et al., "SSD: Single Shot MultiBox Detector", ECCV 2016.

    Example:
        >>> from torchvision import tv_tensors
        >>> image = tv_tensors.Image(torch.zeros(3, 100, 200, dtype=torch.uint8))
        >>> boxes = tv_tensors.BoundingBoxes([[0, 0, 20, 10]], format="XYXY", canvas_size=(100, 200))
        >>> target = {"boxes": boxes.float(), "labels": torch.tensor([1])}
        >>> image, target = detection_transform(short=50, long=80, flip=False)(image, target)
        >>> image.shape, target["boxes"].tolist()
        (torch.Size([3, 40, 80]), [[0.0, 0.0, 8.0, 4.0]])
    """
    from torchvision.transforms import v2

    shorts = [] if short is None else [short] if isinstance(short, int) else list(short)
    if size is not None and (shorts or long is not None):
        raise UsageError("expected either a size or a short side with a long one, got both: choose one")
    if long is not None and not shorts:
        raise UsageError(f"expected a short side beside the long one, got only {long}: 800 goes with 1333")
    if min([*(size or ()), *shorts, 1 if long is None else long, 1]) < 1:
        raise UsageError(f"expected sides of at least 1 pixel, got {size or short}, {long}: change them")
    if not 0 <= colour < 1:
        raise UsageError(f"expected a colour jitter from 0 to below 1, got {colour}: 0 turns it off")
    if zoom_out < 1:
        raise UsageError(f"expected to zoom out by a factor of at least 1, got {zoom_out}: 1 turns it off")
    if smallest <= 0:
        raise UsageError(f"expected boxes to keep a positive side, got {smallest}: 1 pixel is usual")
    steps: list[Any] = []
    if colour:
        steps.append(v2.ColorJitter(colour, colour, colour))
    if zoom_out > 1:
        steps.append(v2.RandomZoomOut(fill=0.5, side_range=(1.0, zoom_out)))
    if crop:
        steps.append(v2.RandomIoUCrop())
    if flip:
        steps.append(v2.RandomHorizontalFlip())
    if size is not None:
        steps.append(v2.Resize(size, antialias=True))
    elif shorts:
        steps.append(v2.RandomShortestSize(shorts, max_size=long, antialias=True))
    return partial(_train, steps=tuple(steps), smallest=smallest)


def _train(image: Any, target: Any, *, steps: tuple[Any, ...], smallest: float) -> tuple[Any, Any]:
    from torchvision import tv_tensors
    from torchvision.transforms.v2 import functional

    image = functional.to_dtype(image, torch.float32, scale=True)
    boxes, labels = target["boxes"], target["labels"]
    kept = labels > 0
    for name in SCORED:
        if name in target:
            kept &= torch.as_tensor(target[name]) == 0
    # What is indexed, or went through `float()`, is a plain tensor again.
    form = getattr(boxes, "format", "XYXY")
    boxes = tv_tensors.BoundingBoxes(boxes[kept], format=form, canvas_size=image.shape[-2:])
    target = {"boxes": boxes, "labels": labels[kept]}
    for step in steps:
        image, target = step(image, target)
    boxes = functional.clamp_bounding_boxes(target["boxes"])
    boxes, kept = functional.sanitize_bounding_boxes(boxes, min_size=smallest, min_area=smallest**2)
    return image, {"boxes": boxes, "labels": target["labels"][kept]}
