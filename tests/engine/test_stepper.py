from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from pupil.distiller import Distiller, Term
from pupil.engine.options import Training
from pupil.engine.processes import make_accelerator
from pupil.engine.stepper import Batch, Stepper
from pupil.lesson import Lesson, outputs, supervised
from pupil.taps import Tapped
from pupil.teachers import FrozenTeacher

ACCELERATOR = make_accelerator(Training(device="cpu"))


def linear(seed: int, width: int = 3) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, width)).double()


def batch(count: int = 6, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(count, 4, generator=generator, dtype=torch.float64)
    return image, torch.arange(count) % 3, torch.zeros(count, 2, dtype=torch.long)


def halves(whole: Batch) -> list[Batch]:
    first, second = (tuple(each.tensor_split(2)[part] for each in whole) for part in (0, 1))
    return [first, second]


class Fool(nn.Module):
    """The student's side of a game: the critic's parameters are held still."""

    def __init__(self, critic: nn.Module) -> None:
        super().__init__()
        self.__dict__["critic"] = critic

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        still = {name: each.detach() for name, each in self.critic.named_parameters()}
        return -functional_call(self.critic, still, (student,)).mean()


class Judge(nn.Module):
    """The critic's side: the student is a target."""

    def __init__(self, critic: nn.Module) -> None:
        super().__init__()
        self.critic = critic

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        return self.critic(student.detach()).mean() - self.critic(teacher).mean()


def game() -> tuple[Distiller, nn.Module, nn.Module]:
    student, critic = linear(0), nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    terms = {"task": Term(nn.CrossEntropyLoss(), supervised), "fool": Term(Fool(critic), outputs, 0.3)}
    distiller = Distiller(
        Tapped(student), FrozenTeacher(linear(1)), {**terms, "judge": Term(Judge(critic), outputs, 0.7)}
    )
    return distiller, student, critic


def opponents(student: nn.Module, critic: nn.Module) -> list[torch.optim.Optimizer]:
    return [torch.optim.SGD(student.parameters(), lr=0.2), torch.optim.Adam(critic.parameters(), lr=0.1)]


def close(ours: nn.Module, theirs: nn.Module) -> None:
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_a_step_is_the_loop_that_everybody_writes() -> None:
    student, twin = linear(0), linear(0)
    distiller = Distiller(Tapped(student), None, {"task": Term(nn.CrossEntropyLoss(), supervised, 0.5)})
    stepper = Stepper(distiller, [torch.optim.SGD(student.parameters(), lr=0.1)], ACCELERATOR)
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.1)
    for seed in range(3):
        image, target, sample = batch(seed=seed)
        terms = stepper([(image, target, sample)], progress=0.0)
        loss = 0.5 * nn.functional.cross_entropy(twin(image), target)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        assert float(terms["task"]) == pytest.approx(loss.item())
        assert not terms["task"].requires_grad
        assert all(each.grad is None for each in student.parameters())
    close(student, twin)


@pytest.mark.parametrize("clip", [None, 0.01])
def test_two_parts_are_one_batch(clip: float | None) -> None:
    found = []
    for split in (False, True):
        distiller, student, critic = game()
        stepper = Stepper(distiller, opponents(student, critic), ACCELERATOR, clip=clip)
        for seed in range(3):
            whole = batch(seed=seed)
            terms = stepper(halves(whole) if split else [whole], progress=0.0)
        found.append((student, critic, terms))
    close(found[0][0], found[1][0])
    close(found[0][1], found[1][1])
    assert {name: float(each) for name, each in found[1][2].items()} == pytest.approx(
        {name: float(each) for name, each in found[0][2].items()}, rel=1e-12
    )


def test_opponents_in_one_backward_are_the_two_steps_written_out() -> None:
    distiller, student, critic = game()
    _, student_twin, critic_twin = game()
    ours = Stepper(distiller, opponents(student, critic), ACCELERATOR)
    generator, discriminator = opponents(student_twin, critic_twin)
    teacher = linear(1)
    for seed in range(4):
        image, target, _ = whole = batch(seed=seed)
        ours([whole], progress=0.0)
        shown = student_twin(image)
        (nn.functional.cross_entropy(shown, target) - 0.3 * critic_twin(shown).mean()).backward()
        generator.step()
        # What the generator's loss left on the critic is thrown away, as every such loop does.
        discriminator.zero_grad()
        (0.7 * (critic_twin(shown.detach()).mean() - critic_twin(teacher(image).detach()).mean())).backward()
        discriminator.step()
        generator.zero_grad()
        discriminator.zero_grad()
    close(student, student_twin)
    close(critic, critic_twin)


def test_each_optimizers_own_parameters_are_clipped() -> None:
    distiller, student, critic = game()
    before = copy.deepcopy((student, critic))
    optimizers = [torch.optim.SGD(each.parameters(), lr=1.0) for each in (student, critic)]
    Stepper(distiller, optimizers, ACCELERATOR, clip=1e-3)([batch()], progress=0.0)
    for now, then in zip((student, critic), before, strict=True):
        moved = [(a - b).flatten() for a, b in zip(now.parameters(), then.parameters(), strict=True)]
        assert torch.cat(moved).norm().item() == pytest.approx(1e-3, rel=1e-2)


def overflowing(lesson: Lesson) -> tuple[Any, Any]:
    """In the middle of the run the loss is finite and its gradient is not, as in float16 under a large scale."""
    shown = lesson.student.output * 1.0
    if lesson.progress == 0.5:
        shown.register_hook(lambda gradient: gradient * torch.inf)
    return shown, lesson.target


def test_an_overflow_skips_the_step_and_halves_the_scale_once() -> None:
    distiller, student, critic = game()
    distiller.losses["wild"] = Term(nn.CrossEntropyLoss(), overflowing)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    stepper = Stepper(distiller, opponents(student, critic), ACCELERATOR, clip=0.5, scaler=scaler)
    stepper([batch(seed=0)], progress=0.0)
    before = copy.deepcopy((student.state_dict(), critic.state_dict()))
    terms = stepper([batch(seed=1)], progress=0.5)
    assert all(bool(each.isfinite()) for each in terms.values())
    assert scaler.get_scale() == 512.0
    for module, then, moved in ((student, before[0], False), (critic, before[1], True)):
        same = all(torch.equal(each, then[name]) for name, each in module.state_dict().items())
        # The critic's gradients were whole, so its optimizer steps.
        assert same != moved
    stepper([batch(seed=2)], progress=0.75)
    assert scaler.get_scale() == 512.0
    assert not torch.equal(student[0].weight, before[0]["0.weight"])


def test_with_a_scaler_gradients_are_unscaled_once_for_each_optimizer() -> None:
    """The same as without one, and as the loop written out: unscale, clip and step each, update once."""
    found = []
    for scaler in (None, torch.amp.GradScaler("cpu", init_scale=2.0**14, growth_interval=2)):
        distiller, student, critic = game()
        stepper = Stepper(distiller, opponents(student, critic), ACCELERATOR, clip=0.01, scaler=scaler)
        for seed in range(5):
            stepper(halves(batch(seed=seed)), progress=0.0)
        found.append((student, critic))
    # Grown after every second step, not after every second optimizer.
    assert scaler.get_scale() == 2.0**16
    close(found[0][0], found[1][0])
    close(found[0][1], found[1][1])

    distiller, student, critic = game()
    optimizers, by_hand = opponents(student, critic), torch.amp.GradScaler("cpu", init_scale=2.0**14, growth_interval=2)
    for seed in range(5):
        for image, target, _ in halves(batch(seed=seed)):
            by_hand.scale(sum(distiller(image, target).values()) / 2).backward()
        for optimizer, module in zip(optimizers, (student, critic), strict=True):
            by_hand.unscale_(optimizer)
            nn.utils.clip_grad_norm_(module.parameters(), 0.01)
        for optimizer in optimizers:
            by_hand.step(optimizer)
            optimizer.zero_grad()
        by_hand.update()
    assert by_hand.state_dict() == scaler.state_dict()
    close(found[1][0], student)
    close(found[1][1], critic)
