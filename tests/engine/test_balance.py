from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.small import network, trainer
from pupil import schedules
from pupil.distiller import Distiller, Term
from pupil.engine.balance import SCALE, balance, ratios, set_ratios, unmeasured
from pupil.errors import UsageError
from pupil.lesson import features, outputs, supervised
from pupil.schedules import Share
from pupil.taps import Tapped
from pupil.teachers import FrozenTeacher

Batch = tuple[Tensor, Tensor, Tensor]


class SquaredError(nn.Module):
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        return (student - teacher.detach()).square().mean()


def batches(count: int = 2) -> list[Batch]:
    generator = torch.Generator().manual_seed(3)
    return [
        (torch.randn(5, 4, generator=generator), torch.arange(5) % 3, torch.zeros(5, 2, dtype=torch.long))
        for _ in range(count)
    ]


def linear(seed: int) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(4, 3)


def deep(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.5), nn.Linear(6, 3))


def between(student: nn.Module, teacher: nn.Module, layers: list[str], **terms: Term) -> Distiller:
    task = {"task": Term(nn.CrossEntropyLoss(), supervised)}
    return Distiller(Tapped(student, layers), FrozenTeacher(teacher, layers), {**task, **terms}).train()


def test_the_ratio_worked_by_hand_for_a_linear_student() -> None:
    """At the logits cross-entropy pulls by (softmax - onehot) / N, the squared error by 2 (student - teacher) / NK."""
    student, teacher = linear(0), linear(1)
    distiller = between(student, teacher, [], match=Term(SquaredError(), outputs, Share(0.5)))
    labels, term = [], []
    for image, target, _ in batches():
        logits, theirs = student(image).detach(), teacher(image).detach()
        labels.append(((logits.softmax(1) - F.one_hot(target, 3)) / 5).norm())
        term.append((2 * (logits - theirs) / 15).norm())
    found = balance(distiller, batches())
    assert found == pytest.approx({"match": float(sum(labels) / sum(term))}, rel=1e-5)
    assert ratios(distiller) == found


def gradient_at(distiller: Distiller, name: str, layer: str | None, progress: float = 0.0) -> float:
    image, target, sample = batches(1)[0]
    lesson = distiller.lesson(image, target, progress=progress, sample=sample)
    place = lesson.student.output if layer is None else lesson.student.features[layer]
    return float(torch.autograd.grad(distiller.terms[name](lesson), place)[0].norm())


@pytest.mark.parametrize("share", [0.25, 3.0])
def test_a_share_of_the_labels_pull_at_the_output(share: float) -> None:
    distiller = between(linear(0), linear(1), [], match=Term(SquaredError(), outputs, Share(share)))
    balance(distiller, batches(1))
    assert gradient_at(distiller, "match", None) == pytest.approx(share * gradient_at(distiller, "task", None))


def test_a_feature_term_is_measured_at_the_layer_it_reads() -> None:
    student, teacher = deep(0).eval(), deep(1)
    distiller = between(student, teacher, ["0", "1"], hint=Term(SquaredError(), features("0"), Share(0.5)))
    distiller.eval()
    balance(distiller, batches(1))
    assert gradient_at(distiller, "hint", "0") == pytest.approx(0.5 * gradient_at(distiller, "task", "0"))
    assert gradient_at(distiller, "task", "0") != pytest.approx(gradient_at(distiller, "task", None))


def test_two_layers_pull_together() -> None:
    class Both(nn.Module):
        def forward(self, first: Tensor, second: Tensor) -> Tensor:
            return first.sum() + second.sum()

    both = Term(Both(), lambda lesson: (lesson.student.features["0"], lesson.student.output), Share(1.0))
    distiller = between(deep(0), deep(1), ["0"], both=both).eval()
    image, target, _ = batches(1)[0]
    lesson = distiller.lesson(image, target)
    places = [lesson.student.features["0"], lesson.student.output]
    pulls = torch.autograd.grad(distiller.terms["task"](lesson), places)
    expected = float(torch.cat([each.flatten() for each in pulls]).norm()) / (5 * 6 + 5 * 3) ** 0.5
    assert balance(distiller, batches(1)) == pytest.approx({"both": expected})


@pytest.mark.parametrize("scale", [1.0, 2.0 * SCALE])
def test_the_factor_on_the_gradients_leaves_no_trace_in_float32(monkeypatch: pytest.MonkeyPatch, scale: float) -> None:
    found = []
    for factor in (SCALE, scale):
        monkeypatch.setattr("pupil.engine.balance.SCALE", factor)
        terms = {
            "match": Term(SquaredError(), outputs, Share(0.5)),
            "hint": Term(SquaredError(), features("0"), Share(1.0)),
        }
        found.append(balance(between(deep(0), deep(1), ["0"], **terms), batches()))
    assert found[0] == found[1]


def test_gradients_that_float16_would_round_to_zero_count() -> None:
    class Faint(SquaredError):
        def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
            return 1e-7 * super().forward(student.float(), teacher.float())

    found = []
    for half in (False, True):
        distiller = between(linear(0), linear(1), [], faint=Term(Faint(), outputs, Share(0.5)))
        with torch.autocast("cpu", torch.float16, enabled=half):
            found.append(balance(distiller, batches())["faint"])
    assert found[1] == pytest.approx(found[0], rel=0.01)


@pytest.mark.parametrize(("precision", "dtype"), [("no", torch.float32), ("bf16", torch.bfloat16)])
def test_a_trainer_measures_in_the_precision_of_its_run(tmp_path: Path, precision: str, dtype: torch.dtype) -> None:
    student, seen = network(), []
    ours = trainer(tmp_path / "run", student=student, precision=precision)
    student.register_forward_hook(lambda module, received, shown: seen.append(shown.dtype))
    ours._balance()
    # One for each batch of the run.
    assert seen == [dtype] * 4


def test_a_term_is_measured_when_it_begins() -> None:
    share = Share(0.5, schedules.after(0.5, 1.0))
    distiller = between(linear(0), linear(1), [], match=Term(SquaredError(), outputs, share))
    assert balance(distiller, batches(), progress=0.25) == {}
    assert not unmeasured(distiller, 0.25)
    assert list(unmeasured(distiller, 0.5)) == ["match"]
    with pytest.raises(UsageError, match="has not been measured"):
        distiller(*batches(1)[0][:2], progress=0.5)
    balance(distiller, batches(1), progress=0.5)
    assert not unmeasured(distiller, 0.75)
    labels = gradient_at(distiller, "task", None, progress=0.5)
    assert gradient_at(distiller, "match", None, progress=0.5) == pytest.approx(0.5 * labels)


def test_what_is_known_is_not_measured_again() -> None:
    distiller = between(linear(0), linear(1), [], match=Term(SquaredError(), outputs, Share(0.5)))
    set_ratios(distiller, {"match": 7.0})
    assert balance(distiller, batches()) == {}
    assert ratios(distiller) == {"match": 7.0}


def test_plain_weights_are_left_alone() -> None:
    distiller = between(linear(0), linear(1), [], match=Term(SquaredError(), outputs, 0.3))
    assert balance(distiller, batches()) == {}
    assert distiller.terms["match"].weight == 0.3


def test_it_leaves_no_trace() -> None:
    distiller = between(deep(0), deep(1), ["0"], hint=Term(SquaredError(), features("0"), Share(0.5)))
    image, target, _ = batches(1)[0]
    sum(distiller(image, target).values() if ratios(distiller) else [distiller.student(image).output.sum()]).backward()
    gradients = [copy.deepcopy(each.grad) for each in distiller.parameters()]
    state, random = copy.deepcopy(distiller.state_dict()), torch.get_rng_state()
    balance(distiller, batches())
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(each, state[name]) for name, each in distiller.state_dict().items())
    assert all(torch.equal(a.grad, b) for a, b in zip(distiller.parameters(), gradients, strict=True))


def refused(distiller: Distiller, items: list[Batch] | None = None) -> str:
    state = torch.get_rng_state()
    with pytest.raises(UsageError) as caught:
        balance(distiller, items or batches())
    assert torch.equal(torch.get_rng_state(), state)
    return str(caught.value)


def detached(lesson: Any) -> tuple[Any, Any]:
    return lesson.student.output.detach(), lesson.teacher.output


def test_a_term_without_a_gradient_is_refused_by_name() -> None:
    same = between(linear(0), copy.deepcopy(linear(0)), [], match=Term(SquaredError(), outputs, Share(0.5)))
    assert "expected term 'match' to pull at the student, got a gradient of 0.0e+00" in refused(same)
    cut = between(linear(0), linear(1), [], match=Term(SquaredError(), detached, Share(0.5)))
    assert "expected term 'match' to pull at the student" in refused(cut)


def test_a_frozen_student_is_refused() -> None:
    frozen = between(linear(0).requires_grad_(False), linear(1), [], match=Term(SquaredError(), outputs, Share(0.5)))
    assert "'match'" in refused(frozen)


def test_batches_without_labels_are_refused() -> None:
    distiller = between(linear(0), linear(1), [], match=Term(SquaredError(), outputs, Share(0.5)))
    distiller.terms["task"].loss = nn.CrossEntropyLoss(reduction="sum")
    unlabelled = [(image, torch.full_like(target, -100), sample) for image, target, sample in batches()]
    assert "expected the task loss to pull where term 'match' looks, got no gradient" in refused(distiller, unlabelled)


def test_nan_is_not_taken_for_agreement() -> None:
    distiller = between(linear(0), linear(1), [], match=Term(SquaredError(), outputs, Share(0.5)))
    broken = [(image * torch.nan, target, sample) for image, target, sample in batches()]
    assert "expected finite gradients to measure term 'match', got nan" in refused(distiller, broken)


def test_a_share_needs_a_task_to_compare_with() -> None:
    terms = {"match": Term(SquaredError(), outputs, Share(0.5))}
    lonely = Distiller(Tapped(linear(0)), FrozenTeacher(linear(1)), terms)
    assert "expected a term named 'task' to compare shares with, got ['match']" in refused(lonely)
