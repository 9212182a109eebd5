"""Faster R-CNN, and Mask and Keypoint R-CNN built on it: proposals first, then a head for each of them.

Legend: N images, L levels, A anchors of all levels, P proposals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pupil.functional.precision import precise
from pupil.tasks.detection import dense
from pupil.tasks.detection.family import Family, Head, Proposals, Pyramid, Seen, twin
from pupil.tasks.detection.records import ImageBatch, Targets, TaskLosses

BETA = 1 / 9  # of the smooth L1 loss of the first stage


def watched(model: Any) -> dict[str, nn.Module]:
    """Where the sampled proposals go in, and where their logits come out."""
    return {"pool": model.roi_heads.box_roi_pool, "predictor": model.roi_heads.box_predictor}


def said(seen: Mapping[str, Seen]) -> tuple[Head, Proposals]:
    """The logits and box deltas of the proposals that the second stage was trained on."""
    _, proposals, *_ = seen["pool"].received
    return _named(seen["predictor"].output), tuple(proposals)


def outputs(model: Any, images: ImageBatch, pyramid: Pyramid) -> Head:
    """What the second stage says of the student's proposals; nothing where the batch brings none."""
    if images.proposals is None:
        return {}
    roi_heads = model.roi_heads
    pooled = roi_heads.box_roi_pool(dict(pyramid), list(images.proposals), images.image_sizes)
    return _named(roi_heads.box_predictor(roi_heads.box_head(pooled)))


def anchors_of_levels(model: Any, pyramid: Pyramid) -> tuple[int, ...]:
    """None: the rows of the second stage are proposals."""
    return ()


def task_losses(model: Any, images: ImageBatch, pyramid: Pyramid, head: Head, targets: Targets) -> TaskLosses:
    """The losses of the first stage by level and image, and those of the second, shared by all levels.

    Both stages draw samples. They draw them from the random state as it is now, which is put back afterwards: what the
    student draws does not depend on whether its teacher was asked.
    """
    device = images.tensors.device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        proposals, levels = _first_stage(model.rpn, images, pyramid, targets)
        shared = _second_stage(model.roi_heads, images, pyramid, proposals, targets)
    return TaskLosses(levels, shared)


class _Matched(NamedTuple):
    """What the first stage hands to its loss: all images one after the other, then one entry an image."""

    objectness: Tensor
    deltas: Tensor
    labels: Sequence[Tensor]
    targets: Sequence[Tensor]


def _first_stage(
    rpn: Any, images: ImageBatch, pyramid: Pyramid, targets: Targets
) -> tuple[list[Tensor], dict[str, Tensor]]:
    """The proposals, as many as in training, and the losses (L, N) over the sampled anchors."""
    kept: list[_Matched] = []

    def keep(*matched: Any) -> tuple[float, float]:
        kept.append(_Matched(*matched))
        return 0.0, 0.0

    proposals, _ = twin(rpn, training=True, compute_loss=keep)(images, pyramid, list(targets))
    found = kept[0]
    positive, negative = (torch.stack(list(each)).bool() for each in rpn.fg_bg_sampler(found.labels))
    sampled = positive | negative
    labels, deltas = torch.stack(list(found.labels)), torch.stack(list(found.targets))
    objectness = F.binary_cross_entropy_with_logits(
        precise(found.objectness).view_as(labels), labels, reduction="none"
    ).masked_fill(~sampled, 0)
    # An anchor without a box has a target that is not finite.
    boxes = (
        F.smooth_l1_loss(precise(found.deltas).view_as(deltas), deltas, beta=BETA, reduction="none")
        .sum(-1)
        .masked_fill(~positive, 0)
    )
    sizes = dense.anchors_of_levels(rpn, pyramid)
    samples = sampled.sum(1).clamp(min=1)
    return proposals, {
        name: dense.level_sums(loss, sizes) / samples
        for name, loss in (("loss_objectness", objectness), ("loss_rpn_box_reg", boxes))
    }


def _second_stage(
    roi_heads: Any, images: ImageBatch, pyramid: Pyramid, proposals: Sequence[Tensor], targets: Targets
) -> dict[str, Tensor]:
    """The losses (N,) by name, those of masks and keypoints included."""
    # As in training, every layer inside it as it was.
    training = twin(roi_heads, training=True)
    # The stride of a level is found from the size of the maps, which belong to the padded image.
    size = tuple(images.tensors.shape[-2:])
    losses = []
    for index, target in enumerate(targets):
        maps = {name: level[index : index + 1] for name, level in pyramid.items()}
        losses.append(training(maps, [proposals[index]], [size], [target])[1])
    return dense.stacked(losses)


def _named(predicted: Any) -> dict[str, Tensor]:
    class_logits, box_regression = predicted
    return {"class_logits": class_logits, "box_regression": box_regression}


FASTER_RCNN = Family(watched, said, outputs, anchors_of_levels, task_losses, two_stage=True)
