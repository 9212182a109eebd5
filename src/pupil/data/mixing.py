"""Batches of mixed images: each is blended with, or partly covered by, another one, and so is its target.

Legend: N images, K classes, H x W pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pupil.errors import UsageError, unknown

Kind = Literal["mixup", "cutmix"]
Mix = Callable[[Any, Any, np.random.Generator], tuple[Any, Any]]


@dataclass(frozen=True)
class Mixing:
    """MixUp or CutMix of a whole batch, with targets that are probabilities.

    mixup:  image = share * image + (1 - share) * image[partner]
    cutmix: a box of 1 - share of the image's area comes from image[partner]

    The partners are a random permutation and share is drawn from Beta(concentration, concentration). Targets are mixed
    alike, as probabilities of the classes; a pixel that either image leaves unlabelled is unlabelled.

    Args:
        classes: number of classes K.
        kind: "mixup" or "cutmix".
        concentration: of the Beta distribution; 1 draws shares uniformly.
        each: whether every image has a share of its own (mixup alone), instead of one for the batch.
        probability: how many of the batches are mixed, in (0, 1].
        ignore_index: label of pixels without one, None where every image has a class.

    Shape:
        image (N, 3, H, W); target (N,) int64 to (N, K), or (N, H, W) int64 to (N, K, H, W).

    Raises:
        UsageError: for a setting out of range.

    Reference: H. Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018 (https://arxiv.org/abs/1710.09412);
    S. Yun et al., CutMix, ICCV 2019 (https://arxiv.org/abs/1905.04899).

    Example:
        >>> mix = Mixing(classes=3)
        >>> image, target = mix(torch.rand(4, 3, 8, 8), torch.tensor([0, 1, 2, 2]), np.random.default_rng(0))
        >>> target.shape, target.sum(dim=1)
        (torch.Size([4, 3]), tensor([1., 1., 1., 1.]))
    """

    classes: int
    kind: Kind = "mixup"
    concentration: float = 1.0
    each: bool = False
    probability: float = 1.0
    ignore_index: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise unknown("kind of mixing", self.kind, get_args(Kind))
        if not 0.0 < self.concentration < math.inf:
            raise UsageError(f"expected a concentration > 0, got {self.concentration}: 1 draws shares uniformly")
        if not 0.0 < self.probability <= 1.0:
            raise UsageError(f"expected a probability in (0, 1], got {self.probability}: 1 mixes every batch")
        if self.each and self.kind == "cutmix":
            raise UsageError("expected one box for the batch with cutmix, got each: leave it out")

    def __call__(self, image: Tensor, target: Tensor, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """The mixed batch; equal states of `random` mix alike."""
        count = len(image)
        partner = torch.from_numpy(random.permutation(count)).to(image.device)
        shares = random.beta(self.concentration, self.concentration, count if self.each else None)
        chosen = random.random() < self.probability
        target = as_probabilities(target, self.classes, self.ignore_index)
        if not chosen:
            return image, target
        if self.kind == "cutmix":
            return cut(image, target, partner, *_box(float(shares), image.shape[-2:], random))
        share = torch.as_tensor(shares, dtype=image.dtype).to(image.device)
        return blended(image, partner, share), blended_targets(target, partner, share)


def blended(values: Tensor, partner: Tensor, share: Tensor) -> Tensor:
    """share * values + (1 - share) * values[partner].

    Args:
        values: (N, ...).
        partner: (N,) which other one each is blended with.
        share: a scalar, or (N,).
    """
    share = share.to(values.dtype).reshape(-1, *[1] * (values.dim() - 1))
    return torch.lerp(values[partner], values, share)


def blended_targets(target: Tensor, partner: Tensor, share: Tensor) -> Tensor:
    """Probabilities (N, K, ...) blended alike; where one of the two is unlabelled, all zeros, so is the blend."""
    mixed = blended(target, partner, share)
    if target.dim() == 2:
        return mixed
    labelled = target.sum(dim=1, keepdim=True) > 0
    return mixed * (labelled & labelled[partner])


def cut(image: Tensor, target: Tensor, partner: Tensor, rows: slice, columns: slice) -> tuple[Tensor, Tensor]:
    """The box of rows and columns from the partner: of the image, and of a target that is a map too."""
    box = (..., rows, columns)
    mixed = image.clone()
    mixed[box] = image[partner][box]
    if target.dim() == 2:
        height, width = image.shape[-2:]
        share = 1.0 - (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)
        return mixed, blended(target, partner, torch.tensor(share).to(target.device))
    labels = target.clone()
    labels[box] = target[partner][box]
    return mixed, labels


def as_probabilities(target: Tensor, classes: int, ignore_index: int | None = None) -> Tensor:
    """Class ids as probabilities of the classes, float32; the ignored id has none of them.

    Shape:
        (N,) to (N, K), (N, H, W) to (N, K, H, W).

    Example:
        >>> as_probabilities(torch.tensor([[[0, 255]]]), 2, ignore_index=255).flatten(1)
        tensor([[1., 0., 0., 0.]])
    """
    labelled = torch.ones_like(target, dtype=torch.bool) if ignore_index is None else target != ignore_index
    ids = F.one_hot(torch.where(labelled, target, 0), classes) * labelled[..., None]
    return ids.movedim(-1, 1).float()


def _box(share: float, size: torch.Size, random: np.random.Generator) -> tuple[slice, slice]:
    """A box of 1 - share of the area about a random centre, cut at the border of the image."""
    found = []
    for side in size:
        half = round(side * math.sqrt(1.0 - share)) // 2
        centre = int(random.integers(side))
        found.append(slice(max(centre - half, 0), min(centre + half, side)))
    return found[0], found[1]
