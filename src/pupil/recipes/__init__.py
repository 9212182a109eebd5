"""Recipes: one function a recipe, options in, run out. Those of papers fix the papers' numbers."""

from pupil.recipes import (
    bdd100k_sad,
    cifar100_bake,
    cifar100_frskd,
    cityscapes_aicsd,
    cityscapes_cwd,
    cityscapes_structkd_pixel_pairwise,
    coco_traffic_aid,
    culane_sad,
    imagenet_bake,
    kitti_aid_fasterrcnn,
    kitti_aid_fcos,
    tusimple_sad,
    voc_aicsd,
    voc_frskd,
)

PAPERS = (
    voc_aicsd,
    cityscapes_aicsd,
    cityscapes_structkd_pixel_pairwise,
    cityscapes_cwd,
    cifar100_bake,
    imagenet_bake,
    cifar100_frskd,
    voc_frskd,
    tusimple_sad,
    culane_sad,
    bdd100k_sad,
    kitti_aid_fcos,
    kitti_aid_fasterrcnn,
    coco_traffic_aid,
)
