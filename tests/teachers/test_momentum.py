from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as processes
from torch import Tensor, nn

from engine.small import TASK, equal, network, trainer
from engine.small import weights as run_weights
from pupil.distiller import Distiller, Term
from pupil.engine.checkpoint import load_checkpoint
from pupil.errors import UsageError
from pupil.lesson import Activations, Lesson, outputs, supervised
from pupil.losses import KDLoss
from pupil.taps import Tapped
from pupil.teachers import MomentumTeacher

IMAGE = torch.rand(8, 4, generator=torch.Generator().manual_seed(0))
SETTINGS: list[dict[str, Any]] = [{"decay": 0.5}, {"every": 0.25}]


def student() -> Tapped:
    torch.manual_seed(0)
    return Tapped(nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.5), nn.Linear(6, 3)), ["0"])


def at(progress: float) -> Lesson:
    return Lesson(IMAGE, None, Activations(None), progress=progress)


def moved(tapped: Tapped) -> None:
    """What a step does to a network, statistics included."""
    with torch.no_grad():
        for each in (*tapped.model.parameters(), tapped.model[1].running_mean):  # type: ignore[index]
            each += 1.0
        tapped.model[1].num_batches_tracked += 1  # type: ignore[index]


def first(tapped: Any) -> Tensor:
    """The network's first weight, as it is now."""
    weight: Tensor = tapped.model[0].weight
    return weight.detach().clone()


def test_is_hidden_from_the_optimizer_but_not_from_the_checkpoint() -> None:
    teacher = MomentumTeacher(student())
    assert list(teacher.parameters()) == list(teacher.buffers()) == []
    assert list(teacher.modules()) == [teacher]
    assert not any(each.requires_grad for each in teacher.model.parameters())
    kept = teacher.state_dict()["_extra_state"]["network"]
    assert equal(kept, teacher.model.state_dict())


def test_answers_as_the_student_in_evaluation_mode_without_gradients() -> None:
    tapped = student()
    teacher = MomentumTeacher(tapped).train()
    shown, expected = teacher(at(0.0)), tapped.eval()(IMAGE)
    assert torch.equal(shown.output, expected.output)
    assert torch.equal(shown.features["0"], expected.features["0"])
    assert not shown.output.requires_grad
    assert tapped.model[0].weight.requires_grad  # type: ignore[index]


def test_the_average_moves_once_for_each_new_progress() -> None:
    tapped = student()
    teacher = MomentumTeacher(tapped, decay=0.2)
    own = first(tapped)
    teacher(at(0.0))
    # d after n steps is 1 / 10, 2 / 11, then the decay itself.
    for progress, decay in ((0.1, 1 / 10), (0.2, 2 / 11), (0.3, 0.2), (0.4, 0.2)):
        moved(tapped)
        own = decay * own + (1 - decay) * first(tapped)
        for _ in range(3):
            teacher(at(progress))
            torch.testing.assert_close(first(teacher), own)
    assert teacher.updates == 4
    assert equal(dict(teacher.model.named_buffers()), dict(tapped.model.named_buffers()))


def test_the_copy_is_renewed_whole_where_progress_passes_a_multiple() -> None:
    tapped = student()
    teacher = MomentumTeacher(tapped, every=0.5)
    for progress, renewed in ((0.0, False), (0.2, False), (0.4, False), (0.6, True), (0.8, False), (0.99, False)):
        before = copy.deepcopy(teacher.model.state_dict())
        teacher(at(progress))
        assert equal(teacher.model.state_dict(), tapped.model.state_dict() if renewed else before)
        moved(tapped)
    assert teacher.updates == 1


def test_begins_as_the_student_is_at_the_first_lesson() -> None:
    tapped = student()
    teacher = MomentumTeacher(tapped)
    moved(tapped)
    teacher(at(0.0))
    assert equal(teacher.model.state_dict(), tapped.model.state_dict())


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_saved_state_goes_on_as_if_nothing_had_happened(settings: dict[str, Any]) -> None:
    tapped = student()
    teacher = MomentumTeacher(tapped, **settings)
    teacher(at(0.0))
    moved(tapped)
    teacher(at(0.3))
    saved, other = pickle.loads(pickle.dumps(teacher.state_dict())), student()
    other.load_state_dict(tapped.state_dict())
    restored = MomentumTeacher(other, **settings)
    restored.load_state_dict(saved, strict=True)
    for progress in (0.3, 0.4, 0.6):
        restored(at(progress))
        teacher(at(progress))
        assert equal(restored.state_dict(), teacher.state_dict())
        moved(tapped)
        moved(other)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
def test_a_copied_distiller_follows_its_own_student(duplicate: Callable[[Distiller], Distiller]) -> None:
    tapped = student()
    distiller = Distiller(tapped, MomentumTeacher(tapped, decay=0.0), {"task": Term(nn.CrossEntropyLoss(), supervised)})
    distiller.lesson(IMAGE)
    twin = duplicate(distiller)
    moved(tapped)
    twin.lesson(IMAGE, progress=0.1)
    assert equal(first(twin.teacher), first(twin.student))
    assert not equal(first(twin.teacher), first(tapped))
    moved(twin.student)
    twin.lesson(IMAGE, progress=0.2)
    assert equal(first(twin.teacher), first(twin.student))


@pytest.mark.parametrize("where", [torch.float64, "meta"])
def test_follows_the_module_that_holds_it(where: Any) -> None:
    tapped = student()
    teacher = MomentumTeacher(tapped)
    Distiller(tapped, teacher, {}).to(where)
    weight = first(teacher)
    assert where in (weight.dtype, weight.device.type)


def learning(tapped_student: nn.Module, settings: dict[str, Any]) -> Distiller:
    tapped = Tapped(tapped_student, ["1"], TASK.call)
    terms = {"task": Term(*TASK.objective()), "kd": Term(KDLoss(), outputs, 0.5)}
    return Distiller(tapped, MomentumTeacher(tapped, **settings), terms)


class PowerCut(Exception):
    """The run stops here."""


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("parts", [1, 2])
def test_a_run_that_was_cut_goes_on_to_the_bits_of_the_unbroken_one(
    tmp_path: Path, settings: dict[str, Any], parts: int
) -> None:
    options: dict[str, Any] = {"steps": 8, "batch_size": 4, "evaluations": 2, "save_every": 3, "accumulate": parts}

    def make(network: nn.Module) -> Distiller:
        return learning(network, settings)

    whole = trainer(tmp_path / "whole", make, **options)
    whole.fit()
    assert whole.distiller.teacher.updates == (7 if "decay" in settings else 3)  # type: ignore[union-attr]
    cut = trainer(tmp_path / "cut", make, **options)
    learn = cut._learn

    def learn_until_the_cut(batches: Any) -> float:
        if cut.step == 5:
            raise PowerCut
        return learn(batches)

    cut._learn = learn_until_the_cut  # type: ignore[method-assign]
    with pytest.raises(PowerCut):
        cut.fit()
    trainer(tmp_path / "cut", make, student=network(3), resume=True, **options).fit()
    states = [load_checkpoint(tmp_path / name)["distiller"] for name in ("cut", "whole")]
    assert equal(*states)
    assert not equal(states[0]["teacher._extra_state"]["network"]["3.weight"], states[0]["student.model.3.weight"])
    assert equal(run_weights(tmp_path / "cut"), run_weights(tmp_path / "whole"))
    assert not [name for name in run_weights(tmp_path / "cut") if "teacher" in name]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_compiled_teacher_follows_without_being_compiled_anew(settings: dict[str, Any]) -> None:
    tapped = student()
    teacher = MomentumTeacher(tapped, **settings)
    compiled = torch.compile(teacher, backend="eager")
    plain = copy.deepcopy(teacher)
    with torch._dynamo.config.patch(error_on_recompile=True):
        for step in range(6):
            expected = plain(at(step / 6)).output
            torch.testing.assert_close(compiled(at(step / 6)).output, expected)
            moved(tapped)
            moved(plain._student)


def share(rank: int, address: str, results: str) -> None:
    processes.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    tapped = student()
    teacher = MomentumTeacher(tapped, every=0.5)
    tapped.model[1].running_mean += rank  # type: ignore[index]
    teacher(at(0.0))
    torch.save(teacher.model.state_dict(), f"{results}/{rank}.pt")
    processes.destroy_process_group()


@pytest.mark.slow
def test_a_renewed_copy_is_the_same_in_all_processes(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(share, (f"file://{tmp_path}/meeting", str(tmp_path)), nprocs=2)
    ours, theirs = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    assert equal(ours, theirs)


def test_refuses_settings_that_mean_nothing() -> None:
    for decay in (-0.1, 1.0):
        with pytest.raises(UsageError, match=r"expected a decay in \[0, 1\)"):
            MomentumTeacher(student(), decay=decay)
    for every in (0.0, 1.5):
        with pytest.raises(UsageError, match=r"expected every in \(0, 1\]"):
            MomentumTeacher(student(), every=every)
