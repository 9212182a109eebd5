"""SAD on CULane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pupil.recipes.options import Lanes
from pupil.recipes.paper import as_published

if TYPE_CHECKING:
    from pupil.run import Run

NAME = "culane-sad"
PUBLISHED = Lanes(
    method="sad",
    settings=("temperature=1", "weight=0.1", f"start={40_000 / 60_000}"),
    student="pupil:enet-sad",
    data="CULane",
    format="culane",
    size="208x976",
    top=240 / 590,
    scale="0.95:1.05",
    rotation=1.0,
    colour=0.0,
    line_width=9,  # the benchmark's masks have 16 of 1640 pixels, which is 9.5 of 976
    background_weight=0.4,
    existence_weight=0.1,
    iou_weight=0.1,
    threshold=0.3,
    smoothing=9,
    steps=60_000,
    batch_size=12,
    optimizer="sgd",
    learning_rate=0.01,
    momentum=0.9,
    nesterov=True,
    weight_decay=1e-4,
    schedule="poly",
    warmup=0.0,
    clip=0.0,
    evaluations=6,
)


def culane_sad(options: Lanes = PUBLISHED) -> Run:
    """SAD on CULane: ENet-SAD at 208 x 976, 60,000 steps, of which the last 20,000 distill.

    Command: `pupil train culane-sad`
    Teacher: none: the network teaches itself, each block by the next deeper one
    Control: `pupil train culane-sad --method none`
    Data: `CULane` with `list/train_gt.txt`, `list/val_gt.txt`, the images, and `X.lines.txt` beside each `X.jpg`
    (`--data` names another folder)
    Hardware: one GPU; memory and hours have not been measured here
    Expected result: the paper reports a total F1 of 70.8 on the test images, the authors' repository 72.0 for the model
    that it releases; here the recipe has only been run in small

    `pupil evaluate RUN --split test` scores the test images, and `--split night` those of one kind of scene; the run
    itself validates on the list for it. The size and the cut of the top 240 of 590 rows are those of the authors' code;
    the paper has 288 x 800.

    What differs from the authors' code:

    - Blocks learn from blocks, as the paper says; in the code there is no such loss, but one against the labels that
      is off. The IoU of the lanes is part of the objective, as in the paper; in the code it is not.
    - Weights begin at random; theirs come from a pretrained ENet. Their network is a binary file: this one follows a
      rebuild of it, with 1.07 million parameters instead of 0.98.
    - Lanes are drawn from their points behind the random resizing; theirs are masks, resized with the images.
    - Either side is resized by 0.95 to 1.05, theirs to heights of 194 to 224 and widths of 936 to 1018.

    Args:
        options: the paper's, or others.
    """
    return as_published(NAME, PUBLISHED, options)
