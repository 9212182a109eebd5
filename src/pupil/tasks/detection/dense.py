"""What RetinaNet, FCOS and SSD share: one head over all levels, whose rows are anchors.

Legend: N images, L levels, A anchors of all levels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from pupil.functional.precision import precise
from pupil.tasks.detection.family import Head, Proposals, Pyramid, Seen, twin
from pupil.tasks.detection.records import ImageBatch, Targets


def watched(model: Any) -> dict[str, nn.Module]:
    """The head, which says everything at once."""
    return {"head": model.head}


def said(seen: Mapping[str, Seen]) -> tuple[Head, Proposals]:
    """What the head returned in training."""
    return seen["head"].output, None


def outputs(model: Any, images: ImageBatch, pyramid: Pyramid) -> Head:
    """What the head says of the levels."""
    head: Head = model.head(list(pyramid.values()))
    return head


def anchors_of_levels(model: Any, pyramid: Pyramid) -> tuple[int, ...]:
    """How many anchors each level has, by the anchor generator of a detector or of its first stage."""
    counts = model.anchor_generator.num_anchors_per_location()
    return tuple(count * level.shape[-2:].numel() for count, level in zip(counts, pyramid.values(), strict=True))


def one_image(head: Head, index: int, rows: slice = slice(None)) -> dict[str, Tensor]:
    """The rows of one image, as a batch of one; in float32 or better, as sums over all anchors need it."""
    return {name: precise(output[index : index + 1, rows]) for name, output in head.items()}


def matches(model: Any, targets: Targets, head: Head, anchors: Sequence[Tensor], *further: Any) -> list[Tensor]:
    """Which box each anchor belongs to, (A,) by image: below 0 none.

    The detector's own `compute_loss` matches and hands the matches to its head; here to one that only keeps them.
    """
    kept: list[Tensor] = []

    def keep(targets: Any, head_outputs: Any, anchors: Any, matched_idxs: list[Tensor]) -> dict[str, Tensor]:
        kept.extend(matched_idxs)
        return {}

    stand_in = twin(model, head=SimpleNamespace(compute_loss=keep))
    type(model).compute_loss(stand_in, list(targets), head, list(anchors), *further)
    return kept


def assigned(targets: Targets, matched: Tensor) -> tuple[Tensor, Tensor]:
    """The box (N, A, 4) and the label (N, A) that each anchor belongs to; of an anchor without one, any numbers.

    Args:
        targets: by image.
        matched: (N, A), below 0 none.
    """
    # A row of zeros after the boxes of each image, which one without boxes has too.
    boxes, labels = (
        pad_sequence([F.pad(target[name], (*[0, 0] * (target[name].dim() - 1), 0, 1)) for target in targets], True)
        for name in ("boxes", "labels")
    )
    index = matched.clamp(min=0)
    return boxes.gather(1, index[..., None].expand(-1, -1, 4)), labels.gather(1, index)


def focal_losses(logits: Tensor, labels: Tensor, positive: Tensor) -> Tensor:
    """The focal loss of each anchor, (N, A), as RetinaNet and FCOS have it."""
    from torchvision.ops import sigmoid_focal_loss

    losses = []
    # Image by image: there may be millions of logits in each.
    for ours, label, counts in zip(logits, labels, positive, strict=True):
        target = torch.zeros_like(ours).scatter_(1, label[:, None], counts[:, None].to(ours.dtype))
        losses.append(sigmoid_focal_loss(ours, target, reduction="none").sum(-1))
    return torch.stack(losses)


def by_level(losses: Mapping[str, Tensor], positive: Tensor, sizes: Sequence[int]) -> dict[str, Tensor]:
    """What anchors have lost (N, A), summed by level and image, over the positives of the image: (L, N) by name."""
    counts = positive.sum(1).clamp(min=1)
    return {name: level_sums(loss, sizes) / counts for name, loss in losses.items()}


def level_sums(values: Tensor, sizes: Sequence[int]) -> Tensor:
    """The sums (L, N) over the anchors of each level, of values (N, A)."""
    return torch.stack([part.sum(1) for part in torch.split(values, list(sizes), 1)])


def level_losses(
    model: Any, targets: Targets, head: Head, anchors: Sequence[Tensor], matched: Sequence[Tensor], sizes: Sequence[int]
) -> dict[str, Tensor]:
    """The losses of any head by level and image, (L, N) by name; over the levels they add up to the image's.

    The head is asked level by level and image by image, which keeps a device waiting. It divides by the positives among
    the anchors that it is given, at least one; those of a level are rescaled to the image's.

    Args:
        model: the detector.
        targets, head, anchors, matched: by image, head as (N, A, ...).
        sizes: how many anchors each level has.
    """
    ends = torch.tensor(sizes).cumsum(0).tolist()
    levels = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    images = []
    for index, target in enumerate(targets):
        positives = _positives(matched[index])
        parts = []
        for rows in levels:
            mine = matched[index][rows]
            losses = model.head.compute_loss([target], one_image(head, index, rows), [anchors[index][rows]], [mine])
            parts.append({name: loss * _positives(mine) / positives for name, loss in losses.items()})
        images.append(stacked(parts))
    return stacked(images, dim=1)


def stacked(parts: Sequence[Mapping[str, Tensor]], dim: int = 0) -> dict[str, Tensor]:
    """One tensor a name out of many."""
    return {name: torch.stack([part[name] for part in parts], dim) for name in parts[0]}


def _positives(matched: Tensor) -> Tensor:
    return (matched >= 0).sum().clamp(min=1)
