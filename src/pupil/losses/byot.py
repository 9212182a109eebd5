"""Be your own teacher (BYOT): early classifiers on the student's shallow layers learn from its last one.

Legend: N images, K classes, C channels, H x W positions.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.functional.checks import check_temperature
from pupil.functional.labels import IGNORED, label_probabilities, soft_cross_entropy
from pupil.functional.masking import masked_mean
from pupil.functional.resizing import resized
from pupil.losses.hint import hint_loss
from pupil.losses.kd import kd_loss
from pupil.networks.bottleneck import Bottleneck
from pupil.paper import Paper

Shown = tuple[Tensor, Tensor]  # a feature and the logits that follow from it


def byot_loss(
    student: Sequence[Shown],
    teacher: Shown,
    target: Tensor,
    *,
    temperature: float = 3.0,
    soft_weight: float = 0.5,
    hint_weight: float = 0.03,
    ignore_index: int = IGNORED,
) -> Tensor:
    """What the early classifiers learn: the labels, the last classifier's predictions, and its feature.

    L = sum over early classifiers of (1 - soft_weight) CE(labels) + soft_weight temperature² KL(last || early)
        + hint_weight mean over elements of (early feature - last feature)²

    The cross-entropy of the last classifier is the task loss, and stands beside this.

    Args:
        student: feature and logits of each early classifier, the feature with the last one's channels.
        teacher: feature and logits of the last classifier; they get no gradient, and maps are resampled to the size of
            each early one.
        target: class ids; or probabilities, as mixed images have them. The logits of maps are resampled to them.
        temperature: softens both predictions.
        soft_weight: how much the last classifier counts against the labels, in [0, 1].
        hint_weight: weight of the features.
        ignore_index: id of positions without a label; probabilities that are all zeros have none either.

    Shape:
        logits: (N, K) beside features (N, C), or (N, K, h, w) beside (N, C, h, w), each at a size of its own;
        target: (N,) or (N, H, W) int64, or the same with K at dimension 1; returns a scalar.

    Raises:
        UsageError: for features or logits that do not fit together, a temperature <= 0, or a weight out of range.

    Reference:
        L. Zhang, J. Song, A. Gao, J. Chen, C. Bao, K. Ma, "Be Your Own Teacher: Improve the Performance of
        Convolutional Neural Networks via Self Distillation", ICCV 2019, of which no code is known. The defaults are
        those of the authors' code for their next method, ArchipLab-LinfengZhang/pytorch-scalable-neural-networks:
        temperature 3, soft weight 0.5, and 5e-7 on the sum of squares of a whole batch, which is 0.03 of their mean
        with 128 images and 512 channels. There the shallow maps pass an attention first. The release of the journal
        version (pytorch-self-distillation-final) has soft weight 0.3, no hint and no temperature²; the
        re-implementation in use (luanyunteng/pytorch-be-your-own-teacher) takes 0.1 and 1e-6, and 1 - 0.1 of the task
        loss too.

    Example:
        >>> import torch
        >>> early = torch.zeros(2, 8), torch.zeros(2, 3)
        >>> byot_loss([early, early], early, torch.tensor([0, 2]))
        tensor(1.0986)
    """
    _check(temperature, soft_weight, hint_weight)
    last_feature, last_logits = (each.detach() for each in teacher)
    size = target.shape[-2:]
    labels, labelled = label_probabilities(target, _at(last_logits, size), ignore_index)
    total = last_logits.new_zeros(())
    for feature, logits in student:
        soft = kd_loss(logits, _at(last_logits, logits.shape[2:]), temperature=temperature)
        hard = masked_mean(soft_cross_entropy(_at(logits, size), labels), labelled)
        total = total + (1.0 - soft_weight) * hard + soft_weight * soft
        if hint_weight:
            total = total + hint_weight * hint_loss(feature, _at(last_feature, feature.shape[2:]))
    return total


class BYOTLoss(nn.Module):
    """Be your own teacher with the early classifiers, which are trained beside the student and then discarded.

    Each of the student's shallow maps passes a bottleneck of its own, to the channels of the student's last feature,
    and a linear classifier of its own: of the mean over positions where the student tells one class for an image, of
    every position where it tells one for each. What they show is compared by :func:`byot_loss`.

    Args:
        channels: of each shallow map.
        last_channels: of the feature that the last classifier receives.
        classes: K.
        strides: by how much each bottleneck shrinks its map; None shrinks none.
        temperature: softens both predictions.
        soft_weight: how much the last classifier counts against the labels.
        hint_weight: weight of the features.
        ignore_index: id of positions without a label.

    Shape:
        student: a sequence of maps (N, C, H, W); teacher: the last feature, (N, C) or (N, C, h, w), and the last
        logits, (N, K) or (N, K, h, w); target: ids or probabilities; returns a scalar.

    Raises:
        UsageError: where there are not as many strides or maps as channels.

    Example:
        >>> import torch
        >>> loss = BYOTLoss([8, 16], 32, classes=5, strides=[4, 2])
        >>> shallow = torch.randn(2, 8, 16, 16), torch.randn(2, 16, 8, 8)
        >>> loss(shallow, (torch.randn(2, 32), torch.randn(2, 5)), torch.tensor([0, 4])).shape
        torch.Size([])
    """

    paper = Paper(
        title="Be Your Own Teacher: Improve the Performance of Convolutional Neural Networks via Self Distillation",
        authors="L. Zhang, J. Song, A. Gao, J. Chen, C. Bao, K. Ma",
        venue="ICCV",
        year=2019,
        url="https://arxiv.org/abs/1905.08094",
    )

    def __init__(
        self,
        channels: Sequence[int],
        last_channels: int,
        classes: int,
        *,
        strides: Sequence[int] | None = None,
        temperature: float = 3.0,
        soft_weight: float = 0.5,
        hint_weight: float = 0.03,
        ignore_index: int = IGNORED,
    ) -> None:
        super().__init__()
        _check(temperature, soft_weight, hint_weight)
        strides = [1] * len(channels) if strides is None else strides
        if len(strides) != len(channels) or not channels:
            raise UsageError(
                f"expected one stride for each shallow map, got {list(strides)} for {list(channels)}: pass as many"
            )
        self.temperature, self.soft_weight, self.hint_weight = temperature, soft_weight, hint_weight
        self.ignore_index = ignore_index
        self.bottlenecks = nn.ModuleList(
            Bottleneck(each, last_channels, stride=stride) for each, stride in zip(channels, strides, strict=True)
        )
        self.classifiers = nn.ModuleList(nn.Linear(last_channels, classes) for _ in channels)

    def forward(self, student: Sequence[Tensor], teacher: Shown, target: Tensor) -> Tensor:
        if len(student) != len(self.bottlenecks):
            raise UsageError(f"expected {len(self.bottlenecks)} shallow maps, got {len(student)}: tap as many layers")
        feature, logits = teacher
        dense = logits.dim() == 4
        if not dense and feature.dim() == 4:
            feature = feature.mean((2, 3))
        features = [bottleneck(each) for bottleneck, each in zip(self.bottlenecks, student, strict=True)]
        if not dense:
            features = [each.mean((2, 3)) for each in features]
        early = [
            classifier(each.movedim(1, -1)).movedim(-1, 1)
            for classifier, each in zip(self.classifiers, features, strict=True)
        ]
        return byot_loss(
            list(zip(features, early, strict=True)),
            (feature, logits),
            target,
            temperature=self.temperature,
            soft_weight=self.soft_weight,
            hint_weight=self.hint_weight,
            ignore_index=self.ignore_index,
        )

    def extra_repr(self) -> str:
        return f"temperature={self.temperature}, soft_weight={self.soft_weight}, hint_weight={self.hint_weight}"


def _at(shown: Tensor, size: Sequence[int]) -> Tensor:
    """Maps at this size; vectors as they are."""
    return resized(shown, size) if shown.dim() == 4 and len(size) == 2 else shown


def _check(temperature: float, soft_weight: float, hint_weight: float) -> None:
    check_temperature(temperature)
    if not 0.0 <= soft_weight <= 1.0 or not hint_weight >= 0.0:
        raise UsageError(
            f"expected a soft weight in [0, 1] and a hint weight of at least 0, got {soft_weight} and {hint_weight}: "
            "0.5 and 0.03 are the defaults"
        )
