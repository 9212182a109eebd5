"""AID on the traffic in COCO."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pupil.recipes import kitti_aid_fcos as kitti
from pupil.recipes.options import Detection
from pupil.recipes.paper import as_published

if TYPE_CHECKING:
    from pupil.run import Run

NAME = "coco-traffic-aid"
# 12 epochs of 25,000 images; how many the choice keeps is not published, and the run says.
PUBLISHED = replace(kitti.PUBLISHED, data="coco", format="coco-traffic", steps=37_500, warmup=800 / 37_500)


def coco_traffic_aid(options: Detection = PUBLISHED) -> Run:
    """AID on COCO's traffic, 13 classes: FCOS ResNet-101 to ResNet-50, 12 epochs of about 25,000 images.

    Command: `pupil train coco-traffic-aid --teacher RUN`
    Teacher: `pupil train coco-traffic-aid --method none --steps 75000 --warmup 0.0107 --freeze-batch-norm --student
    SPEC`, 24 epochs of
    `timm:resnet101?detector=fcos&weights=tv_in1k&min_size=480,512,544,576,608,640,672,704,736,768,800&max_size=1333`
    Control: `pupil train coco-traffic-aid --method none`
    Data: `coco/annotations/instances_train2017.json`, `coco/train2017`, and the same for val2017 (`--data` names
    another folder)
    Hardware: one GPU; memory and hours have not been measured here
    Expected result: the authors report 2.5 mAP over the baseline of the teacher, with GFL; here the recipe has only
    been run in small

    An image is kept if it shows a bicycle, car, motorcycle, bus, train, truck, traffic light, fire hydrant or stop
    sign; persons, parking meters, cats and dogs in it are to be found as well. How many images that leaves is not
    published. A run says it first, and how many epochs its steps are; `--steps` sets them right, 1.5 for each image.

    Their mAP is at IoU 0.5, which `pupil evaluate` calls `map_50`; runs are compared by COCO's own. What AID adds is
    the difference to the method fbkd, as for KITTI.

    The learning rate is 0.005 for 8 images; they have 0.002. Some of their settings leave out cats and dogs. Beyond
    that, it differs from the authors' code as :func:`pupil.recipes.kitti_aid_fcos` does.

    Args:
        options: the paper's, or others.
    """
    return as_published(NAME, PUBLISHED, options)
