from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.parallel import DistributedDataParallel

from pupil import schedules
from pupil.distiller import Distiller, Term
from pupil.errors import UsageError
from pupil.lesson import Activations, Lesson, features, outputs, supervised
from pupil.taps import Tapped
from pupil.teachers import FrozenTeacher

GENERATOR = torch.Generator().manual_seed(0)
IMAGE, TARGET = torch.rand(8, 4, generator=GENERATOR), torch.arange(8) % 3


class SquaredError(nn.Module):
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        return (student - teacher.detach()).square().mean()


class Adapted(SquaredError):
    """A loss with an adapter."""

    def __init__(self, student: int, teacher: int) -> None:
        super().__init__()
        self.adapter = nn.Linear(student, teacher)

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        return super().forward(self.adapter(student), teacher)


def network(width: int = 5) -> nn.Sequential:
    torch.manual_seed(width)
    return nn.Sequential(nn.Linear(4, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 3))


def hinted(weight: Any = 1.0) -> Distiller:
    """A student of width 5, a teacher of width 7, and a term with an adapter between their hidden layers."""
    return Distiller(
        Tapped(network(5), ["2"]),
        FrozenTeacher(network(7), ["2"]),
        {"task": Term(nn.CrossEntropyLoss(), supervised), "hint": Term(Adapted(5, 7), features("2"), weight)},
    )


def backward(distiller: Callable[..., dict[str, Tensor]], progress: float = 0.0) -> dict[str, Tensor]:
    terms = distiller(IMAGE, TARGET, progress=progress)
    sum(terms.values()).backward()  # type: ignore[union-attr]
    return terms


def test_terms_are_the_weighted_losses_by_name() -> None:
    distiller = hinted(weight=0.5).eval()
    lesson = distiller.lesson(IMAGE, TARGET)
    terms = distiller(IMAGE, TARGET)
    hint = distiller.losses["hint"].loss
    assert list(terms) == ["task", "hint"]
    assert terms["task"] == F.cross_entropy(lesson.student.output, TARGET)
    assert terms["hint"] == 0.5 * hint(lesson.student.features["2"], lesson.teacher.features["2"])


def test_weights_read_the_progress() -> None:
    distiller = hinted(schedules.linear(1.0, 0.0)).eval()
    first, later = (distiller(IMAGE, TARGET, progress=progress)["hint"] for progress in (0.0, 0.75))
    torch.testing.assert_close(later, 0.25 * first)


def test_trains_student_and_adapters_but_never_the_teacher() -> None:
    distiller = hinted()
    trained = {name.split(".")[0] for name, _ in distiller.named_parameters()}
    assert trained == {"student", "losses"}
    backward(distiller)
    assert all(parameter.grad is not None for parameter in distiller.parameters())
    assert all(parameter.grad is None for parameter in distiller.teacher.model.parameters())


def test_training_parts_never_reach_the_students_weights() -> None:
    distiller = hinted()
    network(5).load_state_dict(distiller.student.model.state_dict(), strict=True)


def test_the_state_makes_a_strict_round_trip() -> None:
    distiller, twin = hinted(), hinted()
    backward(distiller)
    optimizer = torch.optim.SGD(distiller.parameters(), lr=0.1)
    optimizer.step()
    twin.load_state_dict(distiller.state_dict(), strict=True)
    for ours, theirs in zip(distiller.eval()(IMAGE, TARGET).values(), twin.eval()(IMAGE, TARGET).values(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
def test_copies_are_whole_and_independent(duplicate: Callable[[Distiller], Distiller]) -> None:
    distiller = hinted(schedules.ramp_up(2.0, until=0.5)).eval()
    twin = duplicate(distiller)
    expected = distiller(IMAGE, TARGET, progress=0.3)
    with torch.no_grad():
        distiller.student.model[3].bias += torch.arange(3.0)
    shown = twin(IMAGE, TARGET, progress=0.3)
    assert all(torch.equal(shown[name], expected[name]) for name in expected)
    assert not torch.equal(distiller(IMAGE, TARGET, progress=0.3)["task"], expected["task"])


def test_wrapped_first_and_compiled_after_agrees_with_eager() -> None:
    eager = hinted(schedules.after(0.5, 2.0))
    compiled = torch.compile(copy.deepcopy(eager), backend="eager", fullgraph=True)
    for progress in (0.0, 0.5, 0.75):
        expected, found = backward(eager, progress), backward(compiled, progress)
        torch.testing.assert_close(found, expected)
    for ours, theirs in zip(eager.parameters(), compiled.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


# A term that is silent now.


@pytest.mark.parametrize("weight", [0.0, schedules.after(0.5, 3.0), schedules.Share(0.0)])
def test_a_silent_term_asks_nothing_and_keeps_every_gradient(weight: Any) -> None:
    distiller = hinted(weight)
    hint = distiller.losses["hint"].loss
    hint.register_forward_pre_hook(lambda module, args: pytest.fail("a silent term asked its loss"))
    assert backward(distiller)["hint"] == 0.0
    assert all(torch.equal(p.grad, torch.zeros_like(p)) for p in hint.parameters())


def test_a_silent_term_needs_no_plain_tensor() -> None:
    """A detector shows a record and takes a list of images."""
    shown = Activations({"boxes": [IMAGE]})
    term = Term(SquaredError(), outputs, weight=0.0)
    for lesson in (Lesson([IMAGE], None, shown), Lesson(None, None, Activations(None))):
        assert term(lesson) == torch.zeros(())


@pytest.fixture
def one_process(tmp_path: Path) -> Iterator[None]:
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("one_process")
def test_data_parallel_training_stays_whole_while_a_term_is_silent() -> None:
    distiller = hinted(schedules.after(0.5, 3.0))
    parallel = DistributedDataParallel(distiller, find_unused_parameters=False)
    for progress in (0.0, 0.25, 0.5, 0.75):
        distiller.zero_grad()
        backward(parallel, progress)  # raises where a parameter of the last step had no gradient
        assert all(parameter.grad is not None for parameter in distiller.parameters())
    assert distiller.losses["hint"].loss.adapter.weight.grad.any()


# Teachers of every kind.


def test_without_a_teacher_the_student_learns_alone() -> None:
    distiller = Distiller(Tapped(network()), None, {"task": Term(nn.CrossEntropyLoss(), supervised)})
    assert distiller.lesson(IMAGE, TARGET).teacher is None
    assert backward(distiller)["task"].isfinite()


def test_a_teacher_that_is_a_function_of_the_lesson() -> None:
    def mean_of_the_batch(lesson: Lesson) -> Activations:
        assert lesson.teacher is None
        return Activations(lesson.student.output.mean(0, keepdim=True))

    distiller = Distiller(Tapped(network()), mean_of_the_batch, {"match": Term(SquaredError(), outputs)}).eval()
    output = distiller.student(IMAGE).output
    torch.testing.assert_close(distiller(IMAGE)["match"], output.var(0, correction=0).mean())


class Auxiliary(nn.Module):
    """A teacher that reads the student's features and trains with it."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(5, 3)

    def forward(self, lesson: Lesson) -> Activations:
        return Activations(self.head(lesson.student.features["2"]))


def taught(lesson: Lesson) -> tuple[Any, Any]:
    return lesson.teacher.output, lesson.target  # type: ignore[union-attr]


def test_a_teacher_with_parameters_is_trained() -> None:
    terms = {"match": Term(SquaredError(), outputs), "teacher": Term(nn.CrossEntropyLoss(), taught)}
    distiller = Distiller(Tapped(network(), ["2"]), Auxiliary(), terms)
    assert any(name.startswith("teacher.head") for name in distiller.state_dict())
    before = distiller.teacher.head.weight.detach().clone()
    backward(distiller)
    torch.optim.SGD(distiller.parameters(), lr=0.1).step()
    assert not torch.equal(distiller.teacher.head.weight, before)


def test_the_lesson_passes_on_progress_and_sample() -> None:
    seen: list[Lesson] = []

    def teacher(lesson: Lesson) -> Activations:
        seen.append(lesson)
        return lesson.student

    sample = torch.tensor([[3, 1]])
    lesson = Distiller(Tapped(network()), teacher, {}).lesson(IMAGE, TARGET, progress=0.25, sample=sample)
    for each in (seen[0], lesson):
        assert (each.image, each.target, each.progress, each.sample) == (IMAGE, TARGET, 0.25, sample)
    assert lesson.teacher is lesson.student


def test_the_batch_that_the_student_transformed_is_everybodys_batch() -> None:
    def stacking(model: nn.Module, images: list[Tensor], targets: list[Tensor]) -> Activations:
        image, target = torch.stack(images), torch.stack(targets)
        return Activations(model(image), batch=(image, target))

    teacher = FrozenTeacher(network(7))
    terms = {"task": Term(nn.CrossEntropyLoss(), supervised), "match": Term(SquaredError(), outputs)}
    distiller = Distiller(Tapped(network(), call=stacking), teacher, terms)
    lesson = distiller.lesson(list(IMAGE), list(TARGET))
    assert torch.equal(lesson.image, IMAGE)
    assert torch.equal(lesson.target, TARGET)
    assert torch.equal(lesson.teacher.output, teacher.model(IMAGE))
    assert all(term.isfinite() for term in distiller(list(IMAGE), list(TARGET)).values())


# Several optimizers: one sum, one backward pass, each steps its own.


class Fool(nn.Module):
    def __init__(self, critic: nn.Module) -> None:
        super().__init__()
        self.critic = [critic]  # in a list, so that this term does not own it

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        held = {name: parameter.detach() for name, parameter in self.critic[0].named_parameters()}
        return -functional_call(self.critic[0], held, (student,)).mean()


class Judge(nn.Module):
    def __init__(self, critic: nn.Module) -> None:
        super().__init__()
        self.critic = critic

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        return self.critic(student.detach()).mean() - self.critic(teacher.detach()).mean()


def test_opponents_share_one_backward_pass() -> None:
    critic = nn.Linear(3, 1)
    terms = {"fool": Term(Fool(critic), outputs), "critic": Term(Judge(critic), outputs)}
    distiller = Distiller(Tapped(network()), FrozenTeacher(network(7)), terms)
    groups = [list(distiller.student.parameters()), list(distiller.losses["critic"].parameters())]
    assert sum(map(len, groups)) == len(list(distiller.parameters()))

    lesson = copy.deepcopy(distiller).lesson(IMAGE)
    backward(distiller)
    by_hand = (lesson.student.output - lesson.teacher.output).mean(0, keepdim=True)
    torch.testing.assert_close(critic.weight.grad, by_hand)
    torch.testing.assert_close(distiller.student.model[3].bias.grad, -critic.weight.detach()[0])
    for group in groups:
        before = [parameter.detach().clone() for parameter in distiller.parameters()]
        torch.optim.SGD(group, lr=0.1).step()
        moved = {id(p) for p, old in zip(distiller.parameters(), before, strict=True) if not torch.equal(p, old)}
        assert moved
        assert moved <= {id(parameter) for parameter in group}


# The door.


def test_one_network_cannot_be_student_and_teacher() -> None:
    model = network()
    with pytest.raises(UsageError, match=r"got one as student and teacher: pass copy\.deepcopy\(model\)"):
        Distiller(Tapped(model), FrozenTeacher(model), {})
    Distiller(Tapped(model), FrozenTeacher(copy.deepcopy(model)), {})


@pytest.mark.parametrize("name", ["", "a.b", "items", "training"])
def test_a_name_that_no_module_can_have_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"got {name!r} for a term: rename it"):
        Distiller(Tapped(network()), None, {name: Term(SquaredError(), outputs)})


def test_bare_parts_are_refused_with_the_wrapping_they_need() -> None:
    with pytest.raises(UsageError, match=r"got Sequential: pass Tapped\(student\)"):
        Distiller(network(), None, {})  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"expected 'task' to be a Term, got CrossEntropyLoss"):
        Distiller(Tapped(network()), None, {"task": nn.CrossEntropyLoss()})  # type: ignore[dict-item]
