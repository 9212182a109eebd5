"""Our own small detectors, of torchvision's classes, which a CPU trains in seconds.

Legend: N images, K classes without the background, H x W positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from pupil.errors import UsageError, unknown
from pupil.models.decoder import ConvNorm
from pupil.models.pyramid_detectors import FAMILIES, on_pyramid
from pupil.models.small import Residual

NAMES = {f"tiny-{family}": family for family in FAMILIES}
WIDTH = 64
# Channels of the encoder at stride 2, and at strides 4 to 32, where the pyramid has 64.
STEM, STAGES = 16, (24, 32, 48, 64)


class SmallEncoder(nn.Module):
    """Residual stages down to stride 32.

    Args:
        stem: channels at stride 2.
        stages: channels at strides 4, 8, 16 and 32.
        depth: residual blocks in each stage.

    Shape:
        image (N, 3, H, W) to four maps, the finest first.
    """

    def __init__(self, stem: int, stages: Sequence[int], depth: int) -> None:
        super().__init__()
        self.stem = ConvNorm(3, stem, stride=2)
        self.stages = nn.ModuleList(
            nn.Sequential(Residual(before, out, stride=2), *(Residual(out, out) for _ in range(depth - 1)))
            for before, out in zip((stem, *stages), stages, strict=False)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        maps = [self.stem(image)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps[1:]


def small_detector(
    name: str, classes: int, *, width: int = WIDTH, depth: int = 1, min_size: int = 160, max_size: int = 320
) -> nn.Module:
    """One of our own small detectors by name, for images of about 160 pixels.

    ================  ===========  ========================
    name              parameters   levels at strides
    ================  ===========  ========================
    tiny-retinanet    0.6 million  8, 16, 32
    tiny-fcos         0.6 million  8, 16, 32
    tiny-fasterrcnn   0.7 million  4, 8, 16, 32
    ================  ===========  ========================

    Anchors and points are half as large as torchvision's, see :func:`~pupil.models.pyramid_detectors.on_pyramid`, and
    there are no coarser levels.

    Args:
        name: from the table.
        classes: K.
        width: channels of the pyramid, in multiples of 32; those of the encoder keep their proportion.
        depth: residual blocks in each of the encoder's four stages.
        min_size: to which the shorter side of an image is resized.
        max_size: which the longer side may not exceed.

    Raises:
        UsageError: for an unknown name, another width, a depth below 1, and sizes out of order.

    Example:
        >>> import torch
        >>> model = small_detector("tiny-fcos", classes=3, min_size=96).eval()
        >>> sorted(model([torch.rand(3, 96, 128)])[0])
        ['boxes', 'labels', 'scores']
    """
    if name not in NAMES:
        raise unknown("model of the family 'pupil'", name, NAMES)
    if width < 32 or width % 32:
        raise UsageError(f"expected a width in multiples of 32 channels, got {width}: pass ?width={WIDTH}")
    if depth < 1:
        raise UsageError(f"expected a depth of at least one block, got {depth}: leave it out")
    if not 0 < min_size <= max_size:
        raise UsageError(f"expected sizes with 0 < min_size <= max_size, got {min_size} and {max_size}: change one")
    stem, *stages = (channels * width // WIDTH for channels in (STEM, *STAGES))
    # A CPU waits for each proposal, and an image of this size holds few objects.
    few: dict[str, Any] = {
        "rpn_pre_nms_top_n_train": 500,
        "rpn_pre_nms_top_n_test": 500,
        "rpn_post_nms_top_n_train": 200,
        "rpn_post_nms_top_n_test": 200,
        "box_batch_size_per_image": 64,
    }
    return on_pyramid(
        NAMES[name],
        SmallEncoder(stem, stages, depth),
        (4, 8, 16, 32),
        stages,
        classes,
        width=width,
        scale=0.5,
        coarser=False,
        hidden=2 * width,
        min_size=min_size,
        max_size=max_size,
        **(few if NAMES[name] == "fasterrcnn" else {}),
    )
