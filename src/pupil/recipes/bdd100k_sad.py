"""SAD on the lanes of BDD100K."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pupil.recipes import culane_sad as culane
from pupil.recipes.options import Lanes
from pupil.recipes.paper import as_published

if TYPE_CHECKING:
    from pupil.run import Run

NAME = "bdd100k-sad"
PUBLISHED = replace(
    culane.PUBLISHED,
    # One class of all lanes: nearly every image has one, and the authors give its existence no weight.
    student="pupil:enet-sad?existence=false",
    existence_weight=0.0,
    data="bdd100k",
    format="bdd100k",
    size="360x640",
    top=0.0,
    line_width=None,
    smoothing=None,
)


def bdd100k_sad(options: Lanes = PUBLISHED) -> Run:
    """SAD on the lanes of BDD100K: ENet-SAD at 360 x 640, 60,000 steps, of which the last 20,000 distill.

    Command: `pupil train bdd100k-sad`
    Teacher: none: the network teaches itself, each block by the next deeper one
    Control: `pupil train bdd100k-sad --method none`
    Data: `bdd100k` with `list/train_gt_bdd.txt` and `list/val_gt_bdd.txt`, which name an image and a mask a line
    (`--data` names another folder)
    Hardware: one GPU; memory and hours have not been measured here
    Expected result: the authors report an IoU of 16.02 with 36.56 % of the lanes' pixels found, and about 14.6 with
    34.1 % for the plain ENet; here the recipe has only been run in small

    The masks are the authors' own form of the official labels: both borders of a lane merged into its centre line, 8
    pixels wide to train on and 2 to test on. Their test images are the official validation images, and 10,000 of the
    training images validate. The start of distillation is that on CULane; for these data none is published.

    What differs from the authors' code:

    - Images are resized to 360 x 640 as in the paper; their script crops from 720 x 1280, 4 images a step.
    - Beyond that it differs as :func:`pupil.recipes.culane_sad` does.

    Args:
        options: the paper's, or others.
    """
    return as_published(NAME, PUBLISHED, options)
