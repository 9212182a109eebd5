from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pupil.distiller import Distiller, Term
from pupil.engine.replay import broken_weights, inspect, refuse_broken, save_batch
from pupil.engine.stepper import Batch
from pupil.errors import UsageError
from pupil.lesson import outputs, supervised
from pupil.taps import Tapped
from pupil.teachers import FrozenTeacher


class Root(nn.Module):
    """Finite until something negative comes."""

    def forward(self, image: Tensor) -> Tensor:
        return image.sqrt()


class Gap(nn.Module):
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        return (student - teacher).square().mean()


class Log(nn.Module):
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        return (0.0 * student).log().mean()


def distiller(*, loss: nn.Module | None = None, weight: float = 1.0) -> Distiller:
    torch.manual_seed(0)
    student = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.ReLU(), Root()), nn.Linear(4, 3))
    gap = Term(loss or Gap(), outputs, weight)
    task = Term(nn.CrossEntropyLoss(), supervised)
    return Distiller(Tapped(student), FrozenTeacher(nn.Linear(4, 3)), {"task": task, "gap": gap})


def batch() -> Batch:
    image = torch.arange(8.0).view(2, 4)
    return image, torch.tensor([0, 2]), torch.tensor([[3, 11], [5, 12]])


def found(ours: Distiller, parts: list[Batch] | None = None) -> str | None:
    return inspect(ours, parts or [batch()], progress=0.5)


def test_where_everything_is_finite_there_is_nothing_to_say() -> None:
    assert found(distiller()) is None


def test_the_innermost_layer_that_showed_it_first_is_named_with_ranges() -> None:
    ours = distiller()
    # Without the ReLU the root receives something negative.
    ours.student.model[1][0] = nn.Identity()
    with torch.no_grad():
        ours.student.model[0].weight.copy_(torch.diag(torch.tensor([1.0, 1.0, -1.0, 1.0])))
        ours.student.model[0].bias.zero_()
    assert found(ours) == (", first in student.1.1 (it received -6 to 7 and showed 0 to 2.65, 2 of 8 not finite)")


def test_a_weight_that_is_not_finite_is_named() -> None:
    ours = distiller()
    ours.student.model[2].bias.data[1] = float("inf")
    said = found(ours)
    assert said.startswith(", first in student.2, whose bias had stopped being finite (it received ")
    assert "2 of 6 not finite" in said
    assert broken_weights(ours) == ["student.model.2.bias"]
    with pytest.raises(UsageError, match=r"got NaN or infinity in student\.model\.2\.bias: load others"):
        refuse_broken(ours)


def test_weights_that_nobody_trains_are_left_alone() -> None:
    ours = distiller()
    ours.student.model[2].requires_grad_(False).bias.data[1] = float("inf")
    assert broken_weights(ours) == []
    refuse_broken(ours)


def test_a_broken_teacher_is_named() -> None:
    ours = distiller()
    ours.teacher.model.weight.data.fill_(float("nan"))
    assert found(ours).startswith(", first in teacher, whose weight had stopped being finite (it received 0 to 7")


def test_a_loss_is_named_with_what_it_received() -> None:
    said = found(distiller(loss=Log()))
    assert said.startswith(", first in losses.gap.loss (it received ")
    assert said.endswith("showed nothing finite, 1 of 1 not finite)")


def test_a_weight_of_the_objective_is_named() -> None:
    assert found(distiller(weight=float("nan"))) == (
        ", though all layers and losses were finite: the weight of gap is not"
    )


def test_every_part_is_looked_at() -> None:
    image, target, sample = batch()
    assert "first in student.0 " in str(found(distiller(), [batch(), (image * torch.nan, target, sample)]))


def test_looking_leaves_no_hook() -> None:
    ours = distiller()
    found(ours)
    modules = [*ours.modules(), *ours.teacher.model.modules()]
    assert not any(module._forward_hooks for module in modules)


def test_the_batch_is_kept_beside_the_run(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    path = save_batch(folder, [batch(), batch()], step=7)
    assert path == tmp_path / "run.bad-batch.pt"
    kept: dict[str, Any] = torch.load(path, weights_only=True)
    assert kept["step"] == 7
    assert len(kept["parts"]) == 2
    assert all(torch.equal(*pair) for part in kept["parts"] for pair in zip(part, batch(), strict=True))
