from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pupil.errors import UsageError
from pupil.losses import ps_kd_loss
from pupil.methods.ps_kd import ps_kd
from pupil.tasks.classification import ClassificationTask
from pupil.tasks.segmentation import SegmentationTask

IMAGE = torch.rand(6, 3, 4, 4, generator=torch.Generator().manual_seed(0))
TARGET = torch.tensor([0, 2, 1, 0, 2, 1])


def test_the_first_epoch_is_of_the_labels_and_then_the_past_gains() -> None:
    torch.manual_seed(0)
    student = nn.Sequential(nn.Flatten(), nn.Linear(48, 3))
    distiller = ps_kd(student, None, ClassificationTask(["a", "b", "c"]), IMAGE, trust=0.8, every=0.25).distiller
    optimizer = torch.optim.SGD(distiller.parameters(), lr=0.5)
    past = copy.deepcopy(student)
    for step in range(8):
        progress = step / 8
        if step in (2, 4, 6):
            past = copy.deepcopy(student)
        trust = 0.8 * progress if step >= 2 else 0.0
        terms = distiller(IMAGE, TARGET, progress=progress)
        labels = F.cross_entropy(student(IMAGE), TARGET)
        torch.testing.assert_close(terms["task"], (1 - trust) * labels)
        assert (terms["ps_kd"] > 0) == (step in (3, 5, 7))
        expected = ps_kd_loss(student(IMAGE), past(IMAGE), TARGET, trust)
        weights = list(student.parameters())
        ours, theirs = (torch.autograd.grad(each, weights) for each in (expected, sum(terms.values())))
        torch.testing.assert_close(ours, theirs)
        sum(distiller(IMAGE, TARGET, progress=progress).values()).backward()
        optimizer.step()
        optimizer.zero_grad()


def test_maps_are_mixed_where_there_are_labels() -> None:
    torch.manual_seed(0)
    student = nn.Conv2d(3, 3, 1)
    task = SegmentationTask(["a", "b", "c"])
    target = torch.randint(0, 3, (6, 4, 4))
    target[:, :2] = 255
    distiller = ps_kd(student, None, task, IMAGE).distiller
    distiller.lesson(IMAGE, target, progress=0.5)
    past = copy.deepcopy(student)
    with torch.no_grad():
        student.weight += 0.3
    terms = distiller(IMAGE, target, progress=0.501)
    expected = ps_kd_loss(student(IMAGE), past(IMAGE), target, 0.8 * 0.501, ignore_index=255)
    ours, theirs = (torch.autograd.grad(each, list(student.parameters())) for each in (expected, sum(terms.values())))
    torch.testing.assert_close(ours, theirs)


def test_refuses_a_trust_out_of_range() -> None:
    with pytest.raises(UsageError, match=r"expected trust in \[0, 1\], got 2.0"):
        ps_kd(nn.Flatten(), None, ClassificationTask(["a", "b"]), IMAGE, trust=2.0)
