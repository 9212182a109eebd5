"""The lane networks by name, each with the preprocessing that it was published with."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from torch import nn

from pupil.errors import UsageError, unknown
from pupil.models.enet import ENetSAD
from pupil.models.erfnet import ERFNet
from pupil.models.existence import STRIDE, check_size
from pupil.models.lane_resnet import LaneResNet
from pupil.models.lane_tiny import LaneTiny
from pupil.models.preprocessing import IMAGENET, Preprocessing, attach


@dataclass(frozen=True)
class LaneNet:
    """What a name stands for.

    Args:
        build: makes the network from classes, size and existence.
        preprocessing: what it expects of its input.
        size: (H, W) of the image when nobody says another.
        weights: those that can be fetched, by an argument ``pretrained``.
    """

    build: Callable[..., nn.Module]
    preprocessing: Preprocessing
    size: tuple[int, int] = (208, 976)
    weights: tuple[str, ...] = ()


ENET = Preprocessing(mean=(0.3598, 0.3653, 0.3662), std=(0.2573, 0.2663, 0.2756), divisor=STRIDE, least=2 * STRIDE)
"""The statistics that ENet-SAD was trained with."""
CAFFE = Preprocessing(mean=(103.939, 116.779, 123.68), scale=255.0, order="BGR", divisor=STRIDE, least=2 * STRIDE)
"""Blue first, from 0 to 255, less the mean of ImageNet: what the lane version of ERFNet was trained with."""

LANE_NETS: Mapping[str, LaneNet] = {
    "enet-sad": LaneNet(ENetSAD, ENET),
    "erfnet": LaneNet(ERFNet, CAFFE),
    "lane-resnet18": LaneNet(partial(LaneResNet, depth=18), IMAGENET, weights=("imagenet",)),
    "lane-resnet34": LaneNet(partial(LaneResNet, depth=34), IMAGENET, weights=("imagenet",)),
    "lane-tiny": LaneNet(LaneTiny, replace(IMAGENET, divisor=STRIDE, least=2 * STRIDE), size=(64, 96)),
}
NAMES = tuple(LANE_NETS)


def lane_net(
    name: str, classes: int, *, size: str | None = None, existence: bool = True, weights: str | None = None
) -> nn.Module:
    """One of the lane networks by name, with its preprocessing attached.

    =============  =====================================  ==============
    name           parameters, five classes, own size     own size (HxW)
    =============  =====================================  ==============
    enet-sad       1.07 million, 0.53 without existence   208x976
    erfnet         2.61 million, 2.06 without existence   208x976
    lane-resnet18  12.3 million                           208x976
    lane-resnet34  22.4 million                           208x976
    lane-tiny      48 thousand, for a CPU                 64x96
    =============  =====================================  ==============

    All of them answer ``{"out": (N, K, H, W), "existence": (N, K - 1)}``, logits both, and name in their attribute
    ``blocks`` the four layers, shallow to deep, that attention is distilled between.

    Args:
        name: from the table.
        classes: K, the background first and then the lanes.
        size: of the image, "HEIGHTxWIDTH" in multiples of 8; None is the network's own. It shapes the existence
            branch alone: a network takes other sizes too.
        existence: whether it says which lanes exist.
        weights: "imagenet" fetches a pretrained encoder, of the ResNets alone; None is random.

    Raises:
        UsageError: for an unknown name, size or weights, and for fewer than two classes.

    Example:
        >>> import torch
        >>> net = lane_net("lane-tiny", classes=5, size="64x128")
        >>> {key: tuple(logits.shape) for key, logits in net(torch.zeros(2, 3, 64, 128)).items()}
        {'out': (2, 5, 64, 128), 'existence': (2, 4)}
    """
    if name not in LANE_NETS:
        raise unknown("lane network", name, NAMES)
    if classes < 2:
        raise UsageError(f"expected the background and at least one lane, got {classes} classes: count both")
    net = LANE_NETS[name]
    if weights is not None and weights not in net.weights:
        raise unknown(f"weights of {name}", weights, net.weights)
    options = {} if weights is None else {"pretrained": True}
    model = net.build(classes, net.size if size is None else _parsed(size), existence=existence, **options)
    return attach(model, net.preprocessing)


def _parsed(size: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)x(\d+)", size)
    if found is None:
        raise UsageError(f"expected a size as HEIGHTxWIDTH, got {size!r}: write for example 208x976")
    height, width = int(found[1]), int(found[2])
    check_size((height, width))
    return height, width
