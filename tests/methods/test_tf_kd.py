from __future__ import annotations

import torch
from torch import nn

from pupil.losses import tf_kd_loss
from pupil.methods.tf_kd import tf_kd
from pupil.tasks.classification import ClassificationTask
from pupil.tasks.segmentation import SegmentationTask


def test_images_and_maps_meet_the_virtual_teacher_at_their_labels() -> None:
    torch.manual_seed(0)
    image = torch.rand(4, 3, 8, 8)
    nets = nn.Sequential(nn.Flatten(), nn.Linear(192, 3)), nn.Conv2d(3, 3, 3, stride=2, padding=1)
    tasks = ClassificationTask(["a", "b", "c"]), SegmentationTask(["a", "b", "c"])
    targets = torch.tensor([0, 2, 1, 1]), torch.randint(0, 3, (4, 8, 8))
    targets[1][0] = 255
    for net, task, target in zip(nets, tasks, targets, strict=True):
        term = tf_kd(net, None, task, image, weight=2.0).distiller(image, target)["tf_kd"]
        logits = net(image)
        if task.kind == "dense":
            logits = nn.functional.interpolate(logits, size=(8, 8), mode="bilinear")
        torch.testing.assert_close(term, 2.0 * tf_kd_loss(logits, target, ignore_index=255))
        mixed = torch.rand(4, 3, *target.shape[1:]).softmax(dim=1)
        assert tf_kd(net, None, task, image, weight=2.0).distiller(image, mixed)["tf_kd"].isfinite()
