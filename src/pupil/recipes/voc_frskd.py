"""FRSKD on Pascal VOC 2012."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pupil.recipes.options import Segmentation
from pupil.recipes.paper import as_published

if TYPE_CHECKING:
    from pupil.run import Run

NAME = "voc-frskd"
PUBLISHED = Segmentation(
    method="frskd",
    settings=("temperature=1", "weight=1", "feature_weight=50", "depth=2", f"start={40 / 60}"),
    student="pupil:efficient-pyramid-b0?weights=imagenet",
    data="VOCdevkit/VOC2012",
    format="voc",
    size="512x512",
    evaluation_size="512x512",
    base=512,
    scale="0.5:2.0",
    colour=0.0,
    steps=2745,
    batch_size=32,
    accumulate=2,
    optimizer="sgd",
    learning_rate=0.01,
    momentum=0.9,
    weight_decay=5e-4,
    schedule="step",
    milestones=f"{40 / 60}",
    warmup=0.0,
    clip=0.0,
    evaluations=12,
)


def voc_frskd(options: Segmentation = PUBLISHED) -> Run:
    """FRSKD on Pascal VOC 2012: EfficientNet-B0 under a feature pyramid, 60 epochs of 1,464 images.

    Command: `pupil train voc-frskd`
    Teacher: none: the network teaches itself, by two more pyramid layers and a head that are left behind
    Control: `pupil train voc-frskd --method none`
    Data: `VOCdevkit/VOC2012` with `JPEGImages`, `SegmentationClass`, `ImageSets/Segmentation` (`--data` names another)
    Hardware: one GPU; memory and hours have not been measured here
    Expected result: the authors report 80.55 mIoU, and 79.07 alone, on other images than these; here the recipe has
    only been run in small

    Distillation begins after two thirds of the run, where the learning rate falls, and its weights rise from there.

    What differs from the authors' code:

    - They train on the training and validation images of VOC 2007 and 2012 together, and validate on the test images of
      2007. Here training has the 1,464 images of 2012's `train.txt` and validation its `val.txt`;
      `--format voc-sbd --steps 19841` takes 60 epochs of the 10,582 images of VOC and SBD.
    - Images are padded with an ignored label; theirs with 0, which teaches background. No Gaussian blur.
    - Gradients are not clipped; theirs at a value of 2. Those of an unfinished step do not reach the next epoch.
    - Weights of distillation rise with each step; theirs with each epoch. Logits are compared at a quarter of the
      image's size; theirs are enlarged first.
    - The network keeps the activation behind its stem and drops whole blocks at random, as its pretrained weights
      expect; its running statistics move by 0.01 a step, theirs by 0.997, which follows the last batch alone.
    - Validation resizes images to 512 x 512 and counts at the labels' own size; theirs resizes the labels as well.

    Args:
        options: the paper's, or others.
    """
    return as_published(NAME, PUBLISHED, options)
