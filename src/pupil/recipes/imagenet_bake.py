"""BAKE on ImageNet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pupil.recipes.options import Classification
from pupil.recipes.paper import as_published

if TYPE_CHECKING:
    from pupil.run import Run

NAME = "imagenet-bake"
PUBLISHED = Classification(
    method="bake",
    settings=("temperature=4", "ensemble_weight=0.5", "positives=1", "weight=1"),
    student="torchvision:resnet50",
    data="imagenet",
    format="folder",
    size="224x224",
    crop="zoom",
    zoom="0.08:1",
    flip=True,
    # 100 epochs in which each of 1,281,167 images is an anchor once; an anchor brings 1, and 512 images are a step.
    steps=500456,
    batch_size=512,
    optimizer="sgd",
    learning_rate=0.4,
    momentum=0.9,
    nesterov=True,
    weight_decay=5e-5,
    schedule="cosine",
    warmup=0.05,
    clip=0.0,
    sync_batch_norm=True,
    evaluations=20,
)


def imagenet_bake(options: Classification = PUBLISHED) -> Run:
    """BAKE on ImageNet: ResNet-50, 100 epochs of 1.28 million anchors, which show 2.56 million images each.

    Command: `pupil train imagenet-bake --workers 16`, in several processes as `docs/several-gpus.md` says
    Teacher: none: the network teaches itself
    Control: `pupil train imagenet-bake --method none`, which sees equally many images
    Data: `imagenet/train/n01440764/NAME.JPEG` and the same under `imagenet/val` (`--data` names another folder)
    Hardware: the authors use 8 GPUs; memory and hours have not been measured here
    Expected result: the authors report 78.0 % top-1 accuracy, and 76.8 % for a baseline that saw half as many images;
    here the recipe has only been run in small

    Every second image of a batch is an anchor, so that the published 100 epochs are 500,456 steps of 512 images: as
    many steps as the published baseline takes of 256 images, at half the learning rate, and twice its images. Compare
    what saw equally many images: the command and the control above; or, with the images of that baseline,
    `pupil train imagenet-bake --steps 250228` and the same with `--method none`.

    What differs from the authors' code:

    - The learning rate rises from a hundredth over the first 5 % of the run, theirs from a tenth over 5 epochs; the
      cosine begins behind the rise, theirs below it; and both follow the step, theirs the epoch.
    - No PCA noise on the colours, which they add with strength 0.1.
    - Running statistics of BatchNorm are validated as training leaves them; theirs are measured anew on 8,192 images.
    - Other images of an anchor's class are drawn from (seed, epoch), and anchors of a process stand before them;
      theirs follow their anchor, and come from a generator that a resumed run does not continue.

    Args:
        options: the paper's, or others.
    """
    return as_published(NAME, PUBLISHED, options)
