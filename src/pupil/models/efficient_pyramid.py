"""The segmentation student of FRSKD: an EfficientNet under a feature pyramid of six levels.

Legend: N images, K classes, C channels, H x W positions.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from pupil.errors import UsageError, unknown
from pupil.models.spec import one_line
from pupil.networks.feature_pyramid import ConvNormReLU, PyramidLayer, enlarged, head

# By name: torchvision's backbone, and the channels of the pyramid.
SIZES = {
    "efficient-pyramid-b0": ("efficientnet_b0", 64),
    "efficient-pyramid-b1": ("efficientnet_b1", 88),
    "efficient-pyramid-b2": ("efficientnet_b2", 112),
}
NAMES = tuple(SIZES)
# The stages of torchvision's EfficientNet whose first block halves the map, from stride 8 on: levels end after it.
HALVING = (2, 3, 4)


class EfficientPyramid(nn.Module):
    """Maps at strides 4 to 128, three pyramid layers over them, and a head on the finest.

    P2 to P5 are the encoder's maps at strides 4 to 32, P6 and P7 its last one through 3x3 convolutions of stride 2. On
    the way down each map of P4 to P2 adds the enlarged one above it; then come the pyramid layers.

    Args:
        blocks: of the encoder, by level: to strides 4, 8, 16 and 32.
        channels: of the encoder's map at each of these.
        width: channels of every level of the pyramid.
        classes: K.

    Attributes:
        levels: names of the layers that show the finished P2 to P7, for methods that compare them.

    Shape:
        image (N, 3, H, W) of any size to logits (N, K, H / 4, W / 4), rounded up.

    Reference:
        The segmentation code of MingiJi/FRSKD (M. Ji et al., CVPR 2021). What differs here:

        - The stem keeps the activation that the pretrained weights expect; there it is left out.
        - Running statistics of laterals and head move by 0.01 a step; there by 0.997, so that they follow the last
          batch alone and the evaluation jumps from epoch to epoch.
        - Whole blocks are dropped at random, as the encoder was trained; there never.
        - Logits stay at stride 4, and the task enlarges them; there the network does.
        - Two 3x3 convolutions that nothing reads are left out.
    """

    levels = ("pyramid.2.down.0", *(f"pyramid.2.up.{level}" for level in range(5)))

    def __init__(self, blocks: list[nn.Sequential], channels: list[int], width: int, classes: int) -> None:
        super().__init__()
        self.encoder = nn.ModuleList(blocks)
        self.lateral = nn.ModuleList(ConvNormReLU(each, width, kernel=1) for each in channels)
        self.coarser = nn.ModuleList(
            [ConvNormReLU(channels[-1], width, stride=2), ConvNormReLU(width, width, stride=2)]
        )
        self.pyramid = nn.Sequential(*(PyramidLayer(width) for _ in range(3)))
        self.head = head(width, classes)

    def forward(self, image: Tensor) -> Tensor:
        encoded: list[Tensor] = []
        for blocks in self.encoder:
            encoded.append(blocks(encoded[-1] if encoded else image))
        sixth = self.coarser[0](encoded[-1])
        levels = [sixth, self.coarser[1](sixth)]
        maps = [lateral(each) for lateral, each in zip(self.lateral, encoded, strict=True)]
        coarse, *finer = maps[::-1]
        levels.insert(0, coarse)
        for fine in finer:
            levels.insert(0, fine + enlarged(levels[0], fine))
        logits: Tensor = self.head(self.pyramid(levels)[0])
        return logits


def efficient_pyramid(name: str, classes: int, *, pretrained: bool = False) -> EfficientPyramid:
    """One of the three published sizes, on a random or a pretrained encoder.

    ====================  ===========  =====
    name                  parameters   width
    ====================  ===========  =====
    efficient-pyramid-b0  4.1 million  64
    efficient-pyramid-b1  6.7 million  88
    efficient-pyramid-b2  8.1 million  112
    ====================  ===========  =====

    Args:
        name: from the table.
        classes: K.
        pretrained: fetch the encoder's weights of ImageNet.

    Raises:
        UsageError: for an unknown name, fewer than one class, and weights that cannot be fetched.

    Example:
        >>> import torch
        >>> efficient_pyramid("efficient-pyramid-b0", classes=5).eval()(torch.zeros(1, 3, 64, 96)).shape
        torch.Size([1, 5, 16, 24])
    """
    if name not in SIZES:
        raise unknown("model of the family 'pupil'", name, SIZES)
    if classes < 1:
        raise UsageError(f"expected at least one class, got {classes}")
    from torchvision.models import get_model

    backbone, width = SIZES[name]
    with one_line(f"cannot get the weights of {backbone}"):
        stages = get_model(backbone, weights="DEFAULT" if pretrained else None).features[:-1]
    flat: list[nn.Module] = []
    ends = []
    for place, stage in enumerate(stages):
        # The stem is one layer; every other stage is a row of blocks.
        flat += [stage] if place == 0 else stage
        if place in HALVING:
            ends.append(len(flat) - len(stage) + 1)
    parts = [nn.Sequential(*flat[start:end]) for start, end in pairwise([0, *ends, len(flat)])]
    return EfficientPyramid(parts, [_channels(part) for part in parts], width, classes)


def _channels(blocks: nn.Sequential) -> int:
    last = [each for each in blocks.modules() if isinstance(each, nn.Conv2d)][-1]
    return last.out_channels
