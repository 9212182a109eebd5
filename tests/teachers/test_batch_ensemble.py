from __future__ import annotations

import copy
import pickle

import pytest
import torch
import torch.distributed as processes
from torch import Tensor, nn

from pupil.distiller import Distiller, Term
from pupil.errors import UsageError
from pupil.functional.batch_ensemble import ensembled_targets
from pupil.lesson import Activations, Lesson, outputs, supervised
from pupil.losses import KDLoss
from pupil.taps import Tapped
from pupil.teachers import BatchEnsembleTeacher

IMAGES = 6


def lesson(rows: slice = slice(None), dtype: torch.dtype = torch.float64, scale: float = 1.0) -> Lesson:
    random = torch.Generator().manual_seed(0)
    feature = torch.randn(IMAGES, 5, generator=random, dtype=torch.float64)
    logits = scale * torch.randn(IMAGES, 4, generator=random, dtype=torch.float64)
    student = Activations(logits[rows].to(dtype).requires_grad_(), {"pool": feature[rows].to(dtype).requires_grad_()})
    return Lesson(None, None, student)


def targets(shown: Lesson, **settings: float) -> Tensor:
    return ensembled_targets(shown.student.features["pool"], shown.student.output, **settings)


def test_the_softened_output_is_the_ensemble() -> None:
    shown = lesson()
    answer = BatchEnsembleTeacher("pool", temperature=3.0, weight=0.9)(shown)
    torch.testing.assert_close((answer.output / 3.0).softmax(dim=1), targets(shown, temperature=3.0, weight=0.9))
    assert not answer.output.requires_grad
    assert answer.features == {}
    assert answer.batch is None


def test_the_ordinary_loss_has_the_published_gradient() -> None:
    shown = lesson()
    logits = shown.student.output
    KDLoss(temperature=4.0)(logits, BatchEnsembleTeacher("pool")(shown).output).backward()
    refined = targets(shown, temperature=4.0, weight=0.5)
    torch.testing.assert_close(logits.grad, 4.0 / IMAGES * ((logits.detach() / 4.0).softmax(dim=1) - refined))
    assert shown.student.features["pool"].grad is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_target_of_zero_stays_finite(dtype: torch.dtype) -> None:
    shown = lesson(dtype=dtype, scale=1e4)
    assert (targets(shown, temperature=1.0, weight=0.0) == 0).any()
    answer = BatchEnsembleTeacher("pool", temperature=1.0, weight=0.0)(shown)
    assert answer.output.isfinite().all()
    loss = KDLoss(temperature=1.0)(shown.student.output, answer.output)
    loss.backward()
    assert loss.isfinite()
    assert shown.student.output.grad.isfinite().all()


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 7), nn.ReLU(), nn.Linear(7, 4))


def distiller() -> Distiller:
    terms = {"task": Term(nn.CrossEntropyLoss(), supervised), "bake": Term(KDLoss(temperature=4.0), outputs)}
    return Distiller(Tapped(network(), ["3:in"]), BatchEnsembleTeacher("3:in"), terms)


def test_trains_with_the_student_and_leaves_nothing_behind() -> None:
    whole = distiller()
    image, target = torch.rand(8, 3, 2, 2), torch.arange(8) % 4
    assert [id(each) for each in whole.parameters()] == [id(each) for each in whole.student.model.parameters()]
    assert list(whole.teacher.state_dict()) == []
    optimizer = torch.optim.SGD(whole.parameters(), lr=0.5)
    first = whole(image, target)
    sum(first.values()).backward()
    optimizer.step()
    assert 0 < whole(image, target)["bake"] != first["bake"] > 0


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda whole: pickle.loads(pickle.dumps(whole))])
def test_copies_are_whole(duplicate) -> None:
    whole = distiller()
    image, target = torch.rand(8, 3, 2, 2), torch.arange(8) % 4
    assert torch.equal(duplicate(whole)(image, target)["bake"], whole(image, target)["bake"])
    assert "'3:in', temperature=4.0, weight=0.5, gather=True" in repr(whole)


def test_mistakes_are_refused() -> None:
    with pytest.raises(UsageError, match=r"'head' among the features of the student, got pool: add it to the tapped"):
        BatchEnsembleTeacher("head")(lesson())
    with pytest.raises(UsageError, match=r"expected an ensembling weight in \[0, 1\), got 1"):
        BatchEnsembleTeacher("pool", weight=1)
    with pytest.raises(UsageError, match=r"expected a temperature above zero, got 0"):
        BatchEnsembleTeacher("pool", temperature=0)
    dense = Lesson(None, None, Activations(torch.zeros(2, 4, 8, 8), {"pool": torch.zeros(2, 5)}))
    with pytest.raises(UsageError, match=r"expected logits \(N, K\)"):
        BatchEnsembleTeacher("pool")(dense)


def ask(rank: int, address: str, results: str) -> None:
    processes.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    own = lesson(slice(3 * rank, 3 * rank + 3))
    answers = [BatchEnsembleTeacher("pool", gather=gather)(own).output for gather in (True, False)]
    torch.save(answers, f"{results}/{rank}.pt")
    processes.destroy_process_group()


@pytest.mark.slow
def test_two_processes_share_their_batch_unless_told_otherwise(tmp_path) -> None:
    torch.multiprocessing.spawn(ask, (f"file://{tmp_path}/meeting", str(tmp_path)), nprocs=2)
    whole = BatchEnsembleTeacher("pool")(lesson()).output
    for rank in (0, 1):
        rows = slice(3 * rank, 3 * rank + 3)
        together, alone = torch.load(f"{tmp_path}/{rank}.pt", weights_only=True)
        torch.testing.assert_close(together, whole[rows])
        torch.testing.assert_close(alone, BatchEnsembleTeacher("pool")(lesson(rows)).output)
        assert not torch.allclose(together, alone)
