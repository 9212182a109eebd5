"""Detectors of torchvision's classes on any encoder: a feature pyramid between the two.

Legend: N images, K classes without the background, C channels, H x W positions.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from pupil.errors import UsageError, unknown
from pupil.models.spec import one_line

# By family: the stride of the finest level, and the side of its smallest square anchor in strides.
FAMILIES = {"retinanet": (8, 4), "fcos": (8, 1), "fasterrcnn": (4, 8)}
RATIOS = (0.5, 1.0, 2.0)
# Of Faster R-CNN: positions a side of a pooled box, and the side of a box that the map at stride 16 stands for.
POOLED, CANONICAL = 7, 224


class PyramidBackbone(nn.Module):
    """An encoder that gives maps at several strides, and torchvision's feature pyramid over them.

    Args:
        encoder: gives a list of maps, each half the size of the one before.
        kept: which of its maps the pyramid sees, the finest first.
        channels: of each of these.
        width: channels of every level.
        extra: torchvision's block for coarser levels, or None.
        channels_last: whether the encoder's maps are (N, H, W, C).

    Attributes:
        out_channels: `width`, as torchvision's detectors ask.

    Shape:
        image (N, 3, H, W) to levels (N, width, h, w), by name: "0" is the finest, then "1", "2", and those of `extra`.
    """

    def __init__(
        self,
        encoder: nn.Module,
        kept: Sequence[int],
        channels: Sequence[int],
        width: int,
        extra: Any = None,
        channels_last: bool = False,
    ) -> None:
        from torchvision.ops import FeaturePyramidNetwork

        super().__init__()
        self.kept, self.channels_last, self.out_channels = tuple(kept), channels_last, width
        self.encoder = encoder
        self.pyramid = FeaturePyramidNetwork(list(channels), width, extra)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        maps = self.encoder(image)
        maps = [maps[index].permute(0, 3, 1, 2) if self.channels_last else maps[index] for index in self.kept]
        levels: dict[str, Tensor] = self.pyramid({str(level): each for level, each in enumerate(maps)})
        return levels


def on_pyramid(
    family: str,
    encoder: nn.Module,
    strides: Sequence[int],
    channels: Sequence[int],
    classes: int,
    *,
    width: int = 256,
    scale: float = 1.0,
    coarser: bool = True,
    hidden: int = 1024,
    channels_last: bool = False,
    **options: Any,
) -> nn.Module:
    """A detector of torchvision's on an encoder under a feature pyramid.

    At stride s RetinaNet has anchors of 4 s, 5 s and 6.3 s, FCOS points for objects of 4 s to 8 s, Faster R-CNN anchors
    of 8 s, as torchvision's own have; finer maps than stride 8 (Faster R-CNN: 4) are left out. The heads of RetinaNet
    normalise by groups, as in torchvision's second version.

    Args:
        family: "retinanet", "fcos" or "fasterrcnn".
        encoder: gives a list of maps.
        strides: of these maps, the finest first, each twice the one before.
        channels: of these maps.
        classes: K.
        width: channels of the pyramid; a multiple of 32 where heads normalise by groups, in RetinaNet and FCOS.
        scale: of anchors and points; 1 is for images of 800 pixels, 1/2 finds objects of half the size. FCOS learns
            from the same number of positions an object at any scale.
        coarser: whether the family's own coarser levels follow: two by convolutions of stride 2, or, in Faster R-CNN,
            one that leaves out every other position.
        hidden: channels of the second stage of Faster R-CNN.
        channels_last: whether the encoder's maps are (N, H, W, C).
        options: of torchvision's class: ``min_size``, ``image_mean``, ``score_thresh`` and so on.

    Raises:
        UsageError: for an unknown family, for an encoder without such maps, and for options that do not fit.
    """
    if family not in FAMILIES:
        raise unknown("detector", family, FAMILIES)
    for name in options:
        # torchvision's transform swallows any that it does not know.
        if name not in settings(family):
            raise unknown(f"option of {family}", name, settings(family))
    finest, side = FAMILIES[family]
    kept = [index for index, stride in enumerate(strides) if stride >= finest]
    levels = [strides[index] for index in kept]
    if len(levels) < 2 or levels != [finest << level for level in range(len(levels))]:
        raise UsageError(
            f"expected an encoder with maps at strides {finest}, {2 * finest} and so on, got {list(strides)}: "
            "choose a convolutional network such as timm:resnet18"
        )
    from torchvision.ops.feature_pyramid_network import LastLevelMaxPool, LastLevelP6P7

    extra = None
    if coarser:
        extra = LastLevelMaxPool() if family == "fasterrcnn" else LastLevelP6P7(width, width)
        levels += [2 * levels[-1]] if family == "fasterrcnn" else [2 * levels[-1], 4 * levels[-1]]
    sizes = [round(side * scale * stride) for stride in levels]
    with one_line(f"{family} refused its options"):
        backbone = PyramidBackbone(encoder, kept, [channels[each] for each in kept], width, extra, channels_last)
        if family == "fcos":
            return _fcos(backbone, classes, sizes, scale, options)
        if family == "retinanet":
            return _retinanet(backbone, classes, sizes, options)
        return _faster_rcnn(backbone, classes, sizes, scale, hidden, options)


def settings(family: str) -> list[str]:
    """The options of torchvision's class that are numbers, or lists of them.

    Args:
        family: "retinanet", "fcos", "fasterrcnn" or "ssd".

    Raises:
        UsageError: for another family.

    Example:
        >>> settings("fcos")[:4]
        ['min_size', 'max_size', 'image_mean', 'image_std']
    """
    from torchvision.models import detection

    kinds = {"retinanet": detection.RetinaNet, "fcos": detection.FCOS, "fasterrcnn": detection.FasterRCNN}
    kinds["ssd"] = detection.ssd.SSD
    if family not in kinds:
        raise unknown("detector", family, kinds)
    parameters = inspect.signature(kinds[family]).parameters.values()
    lists = ("image_mean", "image_std")
    return [each.name for each in parameters if each.name in lists or isinstance(each.default, int | float)]


def _retinanet(backbone: PyramidBackbone, classes: int, sizes: Sequence[int], options: dict[str, Any]) -> nn.Module:
    from torchvision.models.detection import RetinaNet
    from torchvision.models.detection.retinanet import RetinaNetHead

    anchors = _anchors([tuple(int(size * 2 ** (third / 3)) for third in range(3)) for size in sizes], RATIOS)
    norm = partial(nn.GroupNorm, 32)
    head = RetinaNetHead(backbone.out_channels, anchors.num_anchors_per_location()[0], classes + 1, norm_layer=norm)
    model: nn.Module = RetinaNet(backbone, classes + 1, anchor_generator=anchors, head=head, **options)
    return model


def _fcos(
    backbone: PyramidBackbone, classes: int, sizes: Sequence[int], scale: float, options: dict[str, Any]
) -> nn.Module:
    from torchvision.models.detection import FCOS

    # Told in sizes, which at half the scale are half a stride.
    options = {"center_sampling_radius": 1.5 / scale, **options}
    points = _anchors([(size,) for size in sizes], (1.0,))
    model: nn.Module = FCOS(backbone, classes + 1, anchor_generator=points, **options)
    return model


def _faster_rcnn(
    backbone: PyramidBackbone, classes: int, sizes: Sequence[int], scale: float, hidden: int, options: dict[str, Any]
) -> nn.Module:
    from torchvision.models.detection import FasterRCNN
    from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
    from torchvision.ops import MultiScaleRoIAlign

    named = [str(level) for level in range(len(backbone.kept))]
    model: nn.Module = FasterRCNN(
        backbone,
        rpn_anchor_generator=_anchors([(size,) for size in sizes], RATIOS),
        box_roi_pool=MultiScaleRoIAlign(named, POOLED, 2, canonical_scale=round(CANONICAL * scale)),
        box_head=TwoMLPHead(backbone.out_channels * POOLED**2, hidden),
        box_predictor=FastRCNNPredictor(hidden, classes + 1),
        **options,
    )
    return model


def _anchors(sizes: Sequence[tuple[int, ...]], ratios: tuple[float, ...]) -> Any:
    from torchvision.models.detection.anchor_utils import AnchorGenerator

    return AnchorGenerator(tuple(sizes), (ratios,) * len(sizes))
