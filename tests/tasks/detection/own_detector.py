"""A detector of somebody's own: each cell says what has its centre there, and where its sides are."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import batched_nms

from pupil import Activations
from pupil.tasks.detection import DetectorRecord, ImageBatch, TaskLosses

STRIDES = {"p3": 8, "p4": 16, "p5": 32}


class Centres(nn.Module):
    def __init__(self, classes, width=16):
        super().__init__()
        self.transform = GeneralizedRCNNTransform(96, 160, [0.5] * 3, [0.25] * 3)
        self.stem = nn.Sequential(nn.Conv2d(3, width, 4, 4), nn.ReLU())
        self.down = nn.ModuleList(nn.Sequential(nn.Conv2d(width, width, 3, 2, 1), nn.ReLU()) for _ in STRIDES)
        self.head = nn.Conv2d(width, classes + 4, 1)

    def levels(self, images):
        features, levels = self.stem(images), {}
        for name, down in zip(STRIDES, self.down, strict=True):
            levels[name] = features = down(features)
        return levels

    def losses(self, levels, targets):
        """Those of each level and image, (L, N) by name."""
        rows = [
            [self.cell_losses(said, stride, target) for said, target in zip(self.head(level), targets, strict=True)]
            for level, stride in zip(levels.values(), STRIDES.values(), strict=True)
        ]
        both = torch.stack([torch.stack(row) for row in rows])
        return {"classification": both[..., 0], "sides": both[..., 1]}

    def cell_losses(self, said, stride, target):
        boxes, (height, width) = target["boxes"] / stride, said.shape[1:]
        x, y = ((boxes[:, :2] + boxes[:, 2:]) / 2).long().T
        x, y = x.clamp(max=width - 1), y.clamp(max=height - 1)
        heat = torch.zeros_like(said[:-4])
        heat[target["labels"] - 1, y, x] = 1
        classification = F.binary_cross_entropy_with_logits(said[:-4], heat)
        sides = (said[-4:, y, x] - (boxes.T - torch.stack([x, y, x, y]))).abs().sum() / max(1, len(boxes))
        return torch.stack([classification, sides])

    def forward(self, images, targets=None):
        """As torchvision's detectors: losses by name in training, else boxes, labels and scores of each image."""
        sizes = [tuple(image.shape[-2:]) for image in images]
        batch, targets = self.transform(images, targets)
        levels = self.levels(batch.tensors)
        if self.training:
            return {name: loss.sum(0).mean() for name, loss in self.losses(levels, targets).items()}
        found = [self.found([self.head(level)[index] for level in levels.values()]) for index in range(len(images))]
        return self.transform.postprocess(found, batch.image_sizes, sizes)

    def found(self, levels):
        boxes, logits = [], []
        for said, stride in zip(levels, STRIDES.values(), strict=True):
            y, x = torch.meshgrid(*(torch.arange(side, device=said.device) for side in said.shape[1:]), indexing="ij")
            boxes.append(((said[-4:] + torch.stack([x, y, x, y])) * stride).flatten(1).T)
            logits.append(said[:-4].flatten(1).T)
        scores, labels = torch.cat(logits).sigmoid().max(1)
        boxes = torch.cat(boxes)
        best = batched_nms(boxes, scores, labels, 0.5)[:20]
        return {"boxes": boxes[best], "labels": labels[best] + 1, "scores": scores[best]}


def call(model, image, target=None):
    batch = image
    if not isinstance(image, ImageBatch):  # the student's images, as they come
        images, target = model.transform(image, target)
        batch = ImageBatch.of(images, model.transform)
    levels = model.levels(batch.tensors)
    losses = model.losses(levels, target) if target is not None else {}
    record = DetectorRecord(
        tuple(levels),
        losses={name: loss.sum(0).mean() for name, loss in losses.items()},
        task_losses=TaskLosses(losses) if losses else None,
    )
    return Activations(record, levels, (batch, target))


def small(classes, width=16):
    model = Centres(classes, width)
    model.call = call
    return model


def large(classes):
    return small(classes, width=24)


def without_call(classes):
    return Centres(classes)
