"""What a network expects of its input: it travels on the model, so that every network normalises for itself.

Legend: N images, H x W positions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pupil.errors import UsageError, unknown
from pupil.functional.constants import constant

Model = TypeVar("Model", bound=nn.Module)
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Preprocessing:
    """From an RGB image in [0, 1] to what one network was trained on: ``(scale * image - mean) / std``.

    Sizes that the network cannot take are resampled to the nearest multiple of ``divisor`` instead of padded: the
    logits then still cover the whole image, and nobody has to crop them.

    Args:
        mean: per channel, in the network's own range and channel order.
        std: per channel, likewise.
        scale: the largest input value the network knows: 1 or 255.
        order: the network's channel order.
        divisor: the network takes heights and widths that are multiples of this.
        size: the one (H, W) that the network takes, whatever its shape; None where it takes others too.
        least: the smallest height and width that the network takes; smaller images are enlarged.

    Shape:
        (N, 3, H, W) floating point to the same shape, H and W as divisor and size ask.

    Raises:
        UsageError: for a setting out of range, and for an image of another shape or of integers.

    Example:
        >>> caffe = Preprocessing(mean=(104.0, 117.0, 124.0), std=(1.0, 1.0, 1.0), scale=255.0, order="BGR")
        >>> white = torch.ones(1, 3, 1, 1)
        >>> caffe(white).flatten().tolist()
        [151.0, 138.0, 131.0]
        >>> Preprocessing.from_json(caffe.to_json()) == caffe
        True
    """

    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (1.0, 1.0, 1.0)
    scale: float = 1.0
    order: Literal["RGB", "BGR"] = "RGB"
    divisor: int = 1
    size: tuple[int, int] | None = None
    least: int = 1

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            # Lists come out of JSON and of other libraries; tuples keep the record hashable.
            object.__setattr__(self, name, tuple(float(value) for value in getattr(self, name)))
        if self.size is not None:
            height, width = self.size
            object.__setattr__(self, "size", (int(height), int(width)))
        if len(self.mean) != 3 or len(self.std) != 3:
            raise UsageError(f"expected three channels of mean and std, got {self.mean} and {self.std}")
        if min(*self.std, self.scale) <= 0 or min(self.divisor, self.least) < 1:
            raise UsageError(
                f"expected positive std, scale, divisor and least, got {self.std}, {self.scale}, {self.divisor} and "
                f"{self.least}"
            )
        if self.order not in ("RGB", "BGR"):
            raise UsageError(f"expected order 'RGB' or 'BGR', got {self.order!r}")

    def __call__(self, image: Tensor) -> Tensor:
        if image.dim() != 4 or image.shape[1] != 3 or not image.is_floating_point():
            raise UsageError(
                f"expected an image (N, 3, H, W) of floats in [0, 1], got {tuple(image.shape)} {image.dtype}: "
                "batch it and divide by 255"
            )
        size = self.size or tuple(self._side(side) for side in image.shape[2:])
        if size != tuple(image.shape[2:]):
            image = F.interpolate(image, size=size, mode="bilinear", align_corners=False, antialias=True)
        if self.order == "BGR":
            image = image.flip(1)
        if self.mean == (0.0, 0.0, 0.0) and self.std == (1.0, 1.0, 1.0) and self.scale == 1.0:
            return image
        factor, offset = _constants(self, image.device, image.dtype)
        return torch.addcmul(offset, image, factor)

    def _side(self, side: int) -> int:
        """The side nearest to this one that the network takes."""
        return max(1, round(side / self.divisor), -(-self.least // self.divisor)) * self.divisor

    def to_json(self) -> dict[str, Any]:
        """The settings as numbers, strings and lists, for ``run.json``."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Preprocessing:
        """The preprocessing that :meth:`to_json` described."""
        known = [field.name for field in fields(cls)]
        for name in record:
            if name not in known:
                raise unknown("preprocessing setting", name, known)
        return cls(**record)


PLAIN = Preprocessing()
"""The image as it is."""
IMAGENET = Preprocessing(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
"""The statistics of ImageNet, which nearly every published backbone was trained with."""
CIFAR = Preprocessing(mean=(0.4914, 0.4822, 0.4465), std=(0.2023, 0.1994, 0.2010))
"""The statistics that the field uses for CIFAR; its std is the mean over the images of each one's own."""


def attach(model: Model, preprocessing: Preprocessing) -> Model:
    """Say what a model expects of its input, as the plain attribute ``preprocessing``; the state dict is unchanged.

    Example:
        >>> model = attach(nn.Conv2d(3, 2, 1), IMAGENET)
        >>> model.preprocessing is IMAGENET, sorted(model.state_dict())
        (True, ['bias', 'weight'])
    """
    model.preprocessing = preprocessing  # type: ignore[assignment]
    return model


def _constants(settings: Preprocessing, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Factor and offset (2, 1, 3, 1, 1) of every channel."""

    def make() -> Tensor:
        mean, std = torch.tensor([settings.mean, settings.std], dtype=torch.float64)
        return torch.stack([settings.scale / std, -mean / std]).to(dtype).view(2, 1, 3, 1, 1)

    return constant(("preprocessing", settings, dtype), device, make)
