"""Channel-wise distillation on Cityscapes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pupil.recipes import cityscapes_structkd_pixel_pairwise as structkd
from pupil.recipes.options import Segmentation
from pupil.recipes.paper import as_published

if TYPE_CHECKING:
    from pupil.run import Run

NAME = "cityscapes-cwd"
PUBLISHED = replace(
    structkd.PUBLISHED,
    method="cwd",
    settings=("weight=3", "temperature=4"),
    # Scaling and mirroring are flags that their script for this method does not pass.
    scale="1:1",
    flip=False,
)


def cityscapes_cwd(options: Segmentation = PUBLISHED) -> Run:
    """CWD on Cityscapes: the logits at stride 8, ResNet-101 to ResNet-18.

    Command: `pupil train cityscapes-cwd --teacher RUN`
    Teacher: `pupil train cityscapes-cwd --method none --student SPEC`, that below over `resnet101`
    Control: `pupil train cityscapes-cwd --method none`
    Student: `smp:DeepLabV3/resnet18?weights=imagenet&upsampling=1`, which gives its logits at stride 8
    Data: `cityscapes/leftImg8bit` and `cityscapes/gtFine` (`--data` names another folder)
    Hardware: one GPU; memory and hours have not been measured here
    Expected result: the authors report 74.87 mIoU for PSPNet-R18 (mean of three runs on logits), 69.10 alone, teacher
    78.56; here the recipe has only been run in small

    The weight belongs to logits of 65 x 65 positions: it does not carry over to logits that are resized to the labels.
    Networks and the rest differ as :func:`pupil.recipes.cityscapes_structkd_pixel_pairwise` says. Their combined script
    adds a pixel-wise and an adversarial term, which are not part of this row of the paper's table.

    Args:
        options: the paper's, or others.
    """
    return as_published(NAME, PUBLISHED, options)
