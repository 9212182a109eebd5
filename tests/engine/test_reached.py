from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.small import network, trainer
from pupil import schedules
from pupil.distiller import Distiller, Term
from pupil.engine.reached import freeze_unreached
from pupil.lesson import Activations, Lesson, supervised
from pupil.taps import Tapped


class TwoHeads(nn.Module):
    """A body with two heads, and a layer that is skipped at random."""

    def __init__(self, skip: float = 0.0) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6))
        self.sometimes = nn.Linear(6, 6)
        self.main = nn.Linear(6, 3)
        self.aux = nn.Linear(6, 3)
        self.skip = skip

    def forward(self, image: Tensor) -> Activations:
        shown = self.body(image)
        if torch.rand(()) >= self.skip:
            shown = self.sometimes(shown)
        return Activations(self.main(shown), {"aux": self.aux(shown)})


def call(model: nn.Module, image: Any, target: Any = None) -> Activations:
    return model(image)


def auxiliary(lesson: Lesson) -> tuple[Any, Any]:
    return lesson.student.features["aux"], lesson.target


def distiller(skip: float = 0.0, **terms: Term) -> Distiller:
    torch.manual_seed(0)
    return Distiller(
        Tapped(TwoHeads(skip), call=call), None, {"task": Term(nn.CrossEntropyLoss(), supervised), **terms}
    ).train()


def batches(count: int = 8, asked: list[int] | None = None) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    for index in range(count):
        if asked is not None:
            asked.append(index)
        yield torch.randn(6, 4, generator=generator), torch.arange(6) % 3, torch.zeros(6, 2, dtype=torch.long)


def trainable(module: nn.Module) -> set[str]:
    return {name for name, each in module.named_parameters() if each.requires_grad}


@pytest.mark.parametrize("mixed", [False, True])
def test_a_head_without_a_loss_is_frozen(mixed: bool) -> None:
    ours = distiller()
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        assert freeze_unreached(ours, batches()) == ["aux.weight", "aux.bias"]
    assert trainable(ours.student.model) == set(dict(TwoHeads().named_parameters())) - {"aux.weight", "aux.bias"}


@pytest.mark.parametrize(("precision", "dtype"), [("no", torch.float32), ("bf16", torch.bfloat16)])
def test_a_trainer_asks_in_the_precision_of_its_run(tmp_path: Path, precision: str, dtype: torch.dtype) -> None:
    student, seen = network(), []
    student.register_forward_hook(lambda module, received, shown: seen.append(shown.dtype))
    trainer(tmp_path / "run", student=student, precision=precision)
    assert seen == [dtype]


def test_where_everything_is_reached_one_batch_is_enough() -> None:
    asked: list[int] = []
    ours = distiller(aux=Term(nn.CrossEntropyLoss(), auxiliary))
    assert freeze_unreached(ours, batches(asked=asked)) == []
    assert trainable(ours.student.model) == set(dict(TwoHeads().named_parameters()))
    assert asked == [0]


@pytest.mark.parametrize("weight", [schedules.after(0.5, 1.0), schedules.linear(0.0, 1.0)])
def test_a_term_that_starts_later_counts(weight: Any) -> None:
    assert freeze_unreached(distiller(aux=Term(nn.CrossEntropyLoss(), auxiliary, weight)), batches()) == []


def test_a_term_that_never_acts_does_not_count() -> None:
    ours = distiller(aux=Term(nn.CrossEntropyLoss(), auxiliary, 0.0))
    assert freeze_unreached(ours, batches()) == ["aux.weight", "aux.bias"]


def test_a_layer_that_is_skipped_at_random_is_not_frozen() -> None:
    ours = distiller(skip=0.5)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(next(seed for seed in range(9) if first_draw(seed) < 0.5))
        assert freeze_unreached(ours, batches()) == ["aux.weight", "aux.bias"]


def first_draw(seed: int) -> float:
    return float(torch.rand((), generator=torch.Generator().manual_seed(seed)))


def test_what_was_frozen_before_is_not_reported() -> None:
    ours = distiller()
    ours.student.model.aux.requires_grad_(False)
    assert freeze_unreached(ours, batches()) == []


def test_a_student_that_nothing_reaches_is_frozen_whole() -> None:
    ours = distiller()
    ours.losses["task"].inputs = lambda lesson: (lesson.student.output.detach(), lesson.target)
    assert len(freeze_unreached(ours, batches())) == len(list(ours.student.model.parameters()))


def test_it_leaves_no_trace() -> None:
    ours, state = distiller(), torch.get_rng_state()
    before = {name: each.clone() for name, each in ours.state_dict().items()}
    freeze_unreached(ours, batches())
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(each, before[name]) for name, each in ours.state_dict().items())
    assert all(each.grad is None for each in ours.parameters())
