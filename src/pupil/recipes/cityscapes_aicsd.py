"""AICSD on Cityscapes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pupil.recipes import voc_aicsd
from pupil.recipes.options import Segmentation
from pupil.recipes.paper import as_published

if TYPE_CHECKING:
    from pupil.run import Run

NAME = "cityscapes-aicsd"
PUBLISHED = replace(
    voc_aicsd.PUBLISHED,
    settings=("variant=height", "weight=57000", "pixel_weight=3.157894737"),
    data="cityscapes",
    format="cityscapes",
    evaluation_size="512x1024",
    steps=99167,
    learning_rate=0.01,
    evaluations=40,
)


def cityscapes_aicsd(options: Segmentation = PUBLISHED) -> Run:
    """AICSD on Cityscapes: DeepLabV3+ ResNet-101 to ResNet-18, 200 epochs of 2,975 images.

    Command: `pupil train cityscapes-aicsd --teacher RUN`
    Teacher: `pupil train cityscapes-aicsd --method none --student "smp:DeepLabV3Plus/resnet101?weights=imagenet"`
    Control: `pupil train cityscapes-aicsd --method none`
    Data: `cityscapes/leftImg8bit` and `cityscapes/gtFine` (`--data` names another folder)
    Hardware: one GPU; memory and hours have not been measured here
    Expected result: the authors report 68.46 mIoU for the student, 64.09 alone, teacher 77.66, at a short side of 513;
    here the recipe has only been run in small

    The schedule is the default of their parser. Its weights for Cityscapes are not published: those of VOC stand here,
    9500 and 10, times the batch of 6, the second over 19 classes. Their code cannot compute the loss for 19 classes as
    it was released. Beyond that, it differs from the authors' code as :func:`pupil.recipes.voc_aicsd.voc_aicsd` does.

    Args:
        options: the paper's, or others.
    """
    return as_published(NAME, PUBLISHED, options)
