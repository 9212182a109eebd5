"""What our classification networks share: a stem, stages, the mean over all positions and a linear classifier.

Legend: N images, K classes, H x W positions.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

from torch import nn


class StagedNet(nn.Sequential):
    """A classification network whose parts have one name each in all families.

    The parts are ``stem``, ``stage1``, ``stage2`` and so on, ``norm`` where one closes the last stage, ``pool`` and
    ``classifier``; ``classifier:in`` is the embedding of the image.

    Weights of convolutions are normal with variance ``2 / (kernel positions x output channels)``; normalisation starts
    as the identity, the classifier as PyTorch has it.

    Args:
        stem: from the image to the first stage.
        stages: one module each.
        channels: of the last stage.
        classes: K.
        norm: what closes the last stage of a pre-activation network.

    Shape:
        image (N, 3, H, W) to logits (N, K).

    Reference:
        Initial weights: He et al., "Delving Deep into Rectifiers", ICCV 2015, with the mode (fan out) that the field's
        networks for CIFAR use.
    """

    def __init__(
        self,
        stem: nn.Module,
        stages: Sequence[nn.Module],
        channels: int,
        classes: int,
        norm: nn.Module | None = None,
    ) -> None:
        parts = {"stem": stem, **{f"stage{index}": stage for index, stage in enumerate(stages, start=1)}}
        if norm is not None:
            parts["norm"] = norm
        parts["pool"] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        parts["classifier"] = nn.Linear(channels, classes)
        super().__init__(OrderedDict(parts))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def stages_of(
    block: Callable[[int, int, int], nn.Module], channels: int, widths: Sequence[int], depths: Sequence[int]
) -> list[nn.Module]:
    """Stages of residual blocks; the first block of every stage but the first halves the image.

    Args:
        block: makes one from the channels that come in, those that go out, and the stride.
        channels: of the stem.
        widths: channels of each stage.
        depths: blocks of each stage.
    """
    stages: list[nn.Module] = []
    for index, (out, depth) in enumerate(zip(widths, depths, strict=True)):
        first = block(channels, out, 1 if index == 0 else 2)
        stages.append(nn.Sequential(first, *(block(out, out, 1) for _ in range(depth - 1))))
        channels = out
    return stages
