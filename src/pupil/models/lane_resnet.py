"""ResNet-18 and ResNet-34 as lane networks: dilated to stride 8, logits resized, a branch for which lanes exist.

Legend: N images, K classes (the background and K - 1 lanes), C channels, H x W positions.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from pupil.errors import unknown
from pupil.models.decoder import ConvNorm
from pupil.models.existence import ExistenceBranch, lane_answer
from pupil.models.spec import one_line

DEPTHS = (18, 34)


class LaneResNet(nn.Module):
    """A ResNet of torchvision whose last two stages keep stride 8 and are dilated by 2 and 4.

    A 3x3 convolution brings its 512 channels to 128; from these come the logits, by a 1x1 convolution and a bilinear
    resize to the image, and the existence of lanes. At 208x976 and five classes it has 12,312,494 parameters with
    18 layers and 22,420,654 with 34, 545,257 of them in the existence branch.

    Args:
        classes: K.
        size: (H, W) of the image, multiples of 8: the existence branch is built for it.
        depth: 18 or 34.
        existence: whether it says which lanes exist.
        pretrained: start from torchvision's weights on ImageNet, which are fetched; random otherwise.

    Shape:
        image (N, 3, H, W) to the dictionary ``{"out": (N, K, H, W), "existence": (N, K - 1)}``, both of them logits;
        without ``existence`` to ``{"out": ...}``.

    Raises:
        UsageError: for another depth, a size that is no multiple of 8, or weights that cannot be fetched.

    Reference:
        The baselines of Y. Hou, Z. Ma, C. Liu, C. C. Loy, "Learning Lightweight Lane Detection CNNs by Self Attention
        Distillation", ICCV 2019, which have no released code: the decoder is ours, the dilation that of SCNN (X. Pan
        et al., "Spatial As Deep: Spatial CNN for Traffic Scene Understanding", AAAI 2018), whose features also come
        at stride 8 with 128 channels.

    Example:
        >>> import torch
        >>> answer = LaneResNet(classes=5, size=(32, 64)).eval()(torch.zeros(1, 3, 32, 64))
        >>> answer["out"].shape, answer["existence"].shape
        (torch.Size([1, 5, 32, 64]), torch.Size([1, 4]))
    """

    blocks = ("encoder.block1", "encoder.block2", "encoder.block3", "encoder.block4")

    def __init__(
        self,
        classes: int,
        size: tuple[int, int],
        *,
        depth: int = 18,
        existence: bool = True,
        pretrained: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = _encoder(depth, pretrained)
        self.reduce = ConvNorm(512, 128)
        self.classifier = nn.Conv2d(128, classes, 1)
        self.existence = ExistenceBranch(128, classes, size) if existence else None

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        features = self.reduce(self.encoder(image))
        logits = self.classifier(features)
        logits = F.interpolate(logits, size=image.shape[2:], mode="bilinear", align_corners=False)
        return lane_answer(logits, features, self.existence)


def _encoder(depth: int, pretrained: bool) -> nn.Sequential:
    from torchvision.models import get_model

    if depth not in DEPTHS:
        raise unknown("depth of a lane ResNet", str(depth), map(str, DEPTHS))
    with one_line(f"cannot get the weights of resnet{depth}"):
        resnet = get_model(f"resnet{depth}", weights="DEFAULT" if pretrained else None)
    encoder = nn.Sequential()
    encoder.add_module("stem", nn.Sequential(resnet.conv1, resnet.bn1, resnet.relu, resnet.maxpool))
    for index in range(1, 5):
        encoder.add_module(f"block{index}", getattr(resnet, f"layer{index}"))
    _dilate(resnet.layer3, first=1, rest=2)
    _dilate(resnet.layer4, first=2, rest=4)
    return encoder


def _dilate(stage: nn.Module, *, first: int, rest: int) -> None:
    """Trade a stage's stride for dilation, which torchvision does for bottlenecks alone.

    The first convolution takes the place of the strided one and sees what that saw; all others are further apart.
    """
    dilation = first
    for layer in stage.modules():
        if isinstance(layer, nn.Conv2d):
            layer.stride = (1, 1)
            if layer.kernel_size == (3, 3):
                layer.dilation = layer.padding = (dilation, dilation)
                dilation = rest
