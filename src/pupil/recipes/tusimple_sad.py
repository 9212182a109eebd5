"""SAD on TuSimple."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pupil.recipes import culane_sad as culane
from pupil.recipes.options import Lanes
from pupil.recipes.paper import as_published

if TYPE_CHECKING:
    from pupil.run import Run

NAME = "tusimple-sad"
PUBLISHED = replace(
    culane.PUBLISHED,
    settings=("temperature=1", "weight=0.1", f"start={1200 / 1800}"),
    data="tusimple",
    format="tusimple",
    size="368x640",
    top=0.0,
    line_width=None,
    threshold=0.2,
    smoothing=5,
    steps=1800,
)


def tusimple_sad(options: Lanes = PUBLISHED) -> Run:
    """SAD on TuSimple: ENet-SAD at 368 x 640, 1,800 steps, of which the last 600 distill.

    Command: `pupil train tusimple-sad`
    Teacher: none: the network teaches itself, each block by the next deeper one
    Control: `pupil train tusimple-sad --method none`
    Data: `tusimple` with `label_data_0313.json`, `label_data_0531.json`, `label_data_0601.json` and `clips`
    (`--data` names another folder)
    Hardware: one GPU; memory and hours have not been measured here
    Expected result: the authors report 96.64 % accuracy on the test images, with 0.0602 false positives and 0.0205
    false negatives, and 94.87 % for the plain ENet that they release; here the recipe has only been run in small

    Training has the dates 0313 and 0601, validation 0531, as the authors split them. 1,800 steps of 12 images are 6.6
    epochs of 3,268 images. They begin there with pretrained weights, here at random: `--steps 50000`, the length of
    the released script without distillation, gives both more time.

    What differs from the authors' code:

    - A lane is its points of a probability above 0.2, as there; but there only the largest contours of its map are
      kept, collinear pieces joined, and lanes shorter than 70 pixels dropped.
    - Either side is resized by 0.95 to 1.05; their script enlarges to heights of 425 to 445 and widths of 860 to 900.
    - Beyond that it differs as :func:`pupil.recipes.culane_sad` does.

    Args:
        options: the paper's, or others.
    """
    return as_published(NAME, PUBLISHED, options)
