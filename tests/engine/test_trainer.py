from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine import classifiers, launched
from engine.small import DATA, TASK, alone, equal, network, scores, taught, trainer, weights
from pupil.data.batches import Batches
from pupil.distiller import Distiller, Term
from pupil.engine.checkpoint import load_checkpoint
from pupil.engine.progress import ProgressLines
from pupil.engine.stepper import Batch
from pupil.engine.trainer import Outcome
from pupil.errors import UsageError
from pupil.methods import DETECTION, NAMES
from pupil.run import Run
from pupil.taps import Tapped


def test_a_run_leaves_everything_behind(tmp_path: Path) -> None:
    outcome = trainer(tmp_path / "run").fit()
    run = Run(tmp_path / "run")
    assert isinstance(outcome, Outcome)
    assert outcome.images == 4 * 3
    assert outcome.seconds > 0.0
    names = {str(path.relative_to(run.folder)) for path in run.folder.rglob("*") if path.is_file()}
    logs = {"run.json", "metrics.jsonl"}
    assert names == {*logs, "student.safetensors", "best.safetensors", "checkpoint/state.pt"}
    assert set(run.record["weights"]) == {"match", "hint"}
    trained = [row for row in run.metrics if "terms" in row]
    scored = [row for row in run.metrics if "metrics" in row]
    assert [row["step"] for row in trained] == [1, 2, 3, 4]
    assert [row["step"] for row in scored] == [2, 4]
    assert scored[-1]["metrics"] == outcome.metrics
    assert [row["progress"] for row in trained] == [0.25, 0.5, 0.75, 1.0]
    assert all(row["loss"] == pytest.approx(sum(row["terms"].values())) for row in trained)
    assert [row["terms"]["hint"] > 0 for row in trained] == [False, False, True, True]


def test_scores_are_printed_in_points(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours = trainer(tmp_path / "run", alone, log_every=3)
    ours.evaluate = lambda network: {"miou": 0.0886}
    ours.fit()
    lines = [line for line in capsys.readouterr().out.splitlines() if "mIoU" in line]
    assert [line.endswith("mIoU 8.9") for line in lines] == [True] * 2
    assert lines[0] == "training  step 2/4  mIoU 8.9"


def test_the_students_file_loads_into_the_bare_model_and_scores_what_was_logged(tmp_path: Path) -> None:
    outcome = trainer(tmp_path / "run").fit()
    bare = network(5)
    bare.load_state_dict(weights(tmp_path / "run"), strict=True)
    assert scores(bare)["miou"] == outcome.metrics["miou"]


def test_the_layout_of_the_weights_changes_no_file_and_hardly_a_number(tmp_path: Path) -> None:
    found = {}
    for name, channels_last in (("plain", False), ("last", True)):
        # AdamW would enlarge the rounding of a gradient that is zero, as that of a bias before BatchNorm is.
        ours = trainer(tmp_path / name, channels_last=channels_last, optimizer="sgd", learning_rate=0.1)
        first = ours.distiller.student.model[0].weight
        assert first.is_contiguous(memory_format=torch.channels_last) == channels_last
        outcome = ours.fit()
        bare = network(5)
        bare.load_state_dict(weights(tmp_path / name), strict=True)
        assert bare[0].weight.is_contiguous()
        assert scores(bare)["miou"] == outcome.metrics["miou"]
        found[name] = weights(tmp_path / name)
    for name, value in found["plain"].items():
        torch.testing.assert_close(found["last"][name], value, rtol=1e-3, atol=1e-5)


def test_the_best_student_is_the_one_of_the_best_evaluation(tmp_path: Path) -> None:
    ours, students = trainer(tmp_path / "run", evaluations=4), []
    values = iter([0.2, 0.5, 0.4, 0.5])

    def evaluation(student: nn.Module) -> dict[str, float]:
        assert student is ours.student
        students.append(copy.deepcopy(ours.distiller.student.model.state_dict()))
        return {"miou": next(values)}

    ours.evaluate = evaluation
    ours.fit()
    assert equal(weights(tmp_path / "run", "best"), dict(students[1]))
    assert equal(weights(tmp_path / "run"), dict(students[3]))


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_equal_seeds_give_equal_bits_and_other_seeds_do_not(tmp_path: Path, optimizer: str) -> None:
    for name, seed in (("one", 0), ("two", 0), ("other", 1)):
        trainer(tmp_path / name, seed=seed, optimizer=optimizer).fit()
    assert equal(weights(tmp_path / "one"), weights(tmp_path / "two"))
    assert not equal(weights(tmp_path / "one"), weights(tmp_path / "other"))


def test_workers_and_the_number_of_evaluations_change_no_bit(tmp_path: Path) -> None:
    for name, options in (("one", {}), ("two", {"evaluations": 4}), ("three", {"workers": 1})):
        trainer(tmp_path / name, **options).fit()
    assert equal(weights(tmp_path / "one"), weights(tmp_path / "two"))
    assert equal(weights(tmp_path / "one"), weights(tmp_path / "three"))


def test_the_teacher_stays_as_it_was(tmp_path: Path) -> None:
    ours = trainer(tmp_path / "run")
    teacher = ours.distiller.teacher.model
    before = copy.deepcopy(teacher.state_dict())
    ours.fit()
    assert equal(dict(teacher.state_dict()), dict(before))
    assert all(each.grad is None for each in teacher.parameters())


def test_every_method_starts_from_the_same_student_and_sees_the_same_batches(tmp_path: Path) -> None:
    taken = []
    for make in (alone, taught):
        ours, steps = trainer(tmp_path / make.__name__, make), []
        learn = ours._learn

        def recording(parts: list[Batch], learn: Any = learn, steps: Any = steps) -> float:
            # The random state too, so that dropout strikes the same channels.
            steps.append((parts, torch.get_rng_state()))
            return learn(parts)

        ours._learn = recording
        assert equal(dict(ours.distiller.student.model.state_dict()), dict(network().state_dict()))
        ours.fit()
        taken.append(steps)
    assert len(taken[0]) == 4
    assert equal(*taken)


def test_a_finished_run_may_be_resumed_and_stays_as_it_is(tmp_path: Path) -> None:
    outcome = trainer(tmp_path / "run").fit()
    before, rows = weights(tmp_path / "run"), Run(tmp_path / "run").metrics
    again = trainer(tmp_path / "run", student=network(3), resume=True).fit()
    assert equal(weights(tmp_path / "run"), before)
    assert Run(tmp_path / "run").metrics == rows
    assert (again.metrics, again.seconds, again.images) == (outcome.metrics, outcome.seconds, outcome.images)


def test_the_first_term_that_is_not_finite_is_named_with_its_step(tmp_path: Path) -> None:
    def breaking(lesson: Any) -> float:
        return float("nan") if lesson.progress >= 0.5 else 1.0

    ours = trainer(tmp_path / "run", lambda student: taught(student, breaking), evaluations=1, log_every=50)
    with pytest.raises(UsageError, match="got NaN or infinity in term 'match' at step 2"):
        ours.fit()
    assert not (tmp_path / "run" / "student.safetensors").exists()


@pytest.mark.parametrize("clip", [0.0, 0.5])
def test_a_step_reads_nothing_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clip: float) -> None:
    # AdamW counts its steps in tensors on the CPU, which it may read without waiting for a device; SGD has none.
    ours = trainer(tmp_path / "run", lambda student: taught(student, 0.5), optimizer="sgd", clip=clip)
    ours._balance(ProgressLines("training", 1))
    steps = iter(list(ours.loading.steps(first=0)))
    ours._learn(next(steps))
    read: list[str] = []
    with monkeypatch.context() as patch:
        for name in ("item", "tolist", "__bool__", "__float__", "__int__", "__index__", "cpu", "numpy"):
            original = getattr(Tensor, name)
            patch.setattr(
                Tensor,
                name,
                lambda tensor, *args, f=original, n=name, **more: (read.append(n), f(tensor, *args, **more))[1],
            )
        ours._learn(next(steps))
        assert read == []
        ours.monitor.read()
    assert set(read) == {"tolist"}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("settings", [{}, {"optimizer": "sgd"}, {"precision": "bf16"}])
def test_a_step_never_waits_for_the_device(tmp_path: Path, settings: dict[str, Any]) -> None:
    ours = trainer(tmp_path / "run", lambda student: taught(student, 0.5), device="auto", **settings)
    ours._balance(ProgressLines("training", 1))
    steps = iter(list(ours.loading.steps(first=0)))
    ours._learn(next(steps))
    torch.cuda.set_sync_debug_mode("error")
    try:
        ours._learn(next(steps))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert set(ours.monitor.read()) == {"task", "match", "hint"}


def test_the_gradient_is_clipped_as_a_whole(tmp_path: Path) -> None:
    before = network()
    ours = trainer(
        tmp_path / "run",
        alone,
        optimizer="sgd",
        learning_rate=1.0,
        momentum=0.0,
        weight_decay=0.0,
        warmup=0.0,
        clip=1e-3,
    )
    ours._learn(next(ours.loading.steps(first=0)))
    pairs = zip(ours.distiller.student.model.parameters(), before.parameters(), strict=True)
    moved = torch.cat([(now - then).flatten() for now, then in pairs])
    assert float(moved.detach().norm()) == pytest.approx(1e-3, rel=1e-3)


def test_the_learning_rate_follows_progress(tmp_path: Path) -> None:
    ours = trainer(tmp_path / "run", alone, schedule="cosine", warmup=0.0, learning_rate=0.1)
    ours.fit()
    rates = [row["learning_rate"] for row in ours.run.metrics if "terms" in row]
    assert rates == pytest.approx([0.1, 0.1 * (1 + 0.5**0.5) / 2, 0.05, 0.1 * (1 - 0.5**0.5) / 2])


def test_a_head_without_a_loss_is_frozen_with_one_notice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class TwoHeads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.main, self.aux = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)

        def forward(self, image: Tensor) -> dict[str, Tensor]:
            return {"out": self.main(image), "aux": self.aux(image)}

    def without(student: nn.Module) -> Distiller:
        task = Term(*TASK.objective(auxiliary_weight=0.0))
        return Distiller(Tapped(student, call=TASK.call), None, {"task": task})

    ours = trainer(tmp_path / "run", without, TwoHeads())
    assert capsys.readouterr().out == "frozen, since no loss reaches them: aux.weight, aux.bias\n"
    assert [len(group["params"]) for group in ours.optimizers[0].param_groups] == [2]
    ours.fit()
    trainer(tmp_path / "quiet", alone, TwoHeads())
    assert capsys.readouterr().out.count("frozen") == 0


def test_a_layer_shared_with_the_teacher_is_refused(tmp_path: Path) -> None:
    def sharing(student: nn.Module) -> Distiller:
        distiller = taught(student)
        distiller.teacher.model[0] = student[0]
        return distiller

    with pytest.raises(UsageError, match=r"expected a teacher of its own, got '0.weight' of the teacher"):
        trainer(tmp_path / "run", sharing)


def test_a_frozen_student_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a student that learns"):
        trainer(tmp_path / "run", alone, network().requires_grad_(False))


def test_each_training_has_its_own_precision(tmp_path: Path) -> None:
    for index, precision in enumerate(["no", "bf16", "no"]):
        ours = trainer(tmp_path / str(index), lambda student: taught(student, 0.5), precision=precision)
        seen: list[torch.dtype] = []
        ours.distiller.student.model.register_forward_hook(
            lambda module, args, output, seen=seen: seen.append(output.dtype)
        )
        terms = ours.stepper(next(ours.loading.steps(first=0)), progress=0.0)
        assert seen == [torch.bfloat16 if precision == "bf16" else torch.float32]
        assert {each.dtype for each in terms.values()} == {torch.float32}


def test_a_precision_that_the_device_lacks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(**settings: Any) -> None:
        raise ValueError("needs a GPU")

    monkeypatch.setattr("pupil.engine.processes.Accelerator", lacking)
    with pytest.raises(UsageError, match="cannot train with --precision bf16 here: needs a GPU"):
        trainer(tmp_path / "run", precision="bf16")


def test_scores_of_any_number_type_are_kept_as_plain_numbers(tmp_path: Path) -> None:
    ours = trainer(tmp_path / "run", alone)
    ours.evaluate = lambda network: {"miou": torch.tensor(0.5)}
    ours.fit()
    assert load_checkpoint(tmp_path / "run")["scores"] == {"miou": 0.5}


def broken_gradient(at: int) -> Any:
    """A teacher's term that is finite for ever, and whose gradient is infinite in one step."""

    def inputs(lesson: Any) -> tuple[Tensor, Tensor]:
        shown = lesson.student.output * 1.0
        if lesson.progress == at / 10 and torch.is_grad_enabled() and shown.requires_grad:
            shown.register_hook(lambda gradient: gradient * torch.inf)
        return shown, lesson.teacher.output

    return inputs


LONG: dict[str, Any] = {"steps": 10, "evaluations": 1, "log_every": 50, "save_every": 2, "workers": 0}


@pytest.mark.parametrize("settings", [{}, {"accumulate": 3}, {"workers": 1}], ids=str)
def test_a_bad_step_is_done_again_and_looked_at(tmp_path: Path, settings: dict[str, Any]) -> None:
    def breaking(lesson: Any) -> float:
        return float("nan") if lesson.progress == 0.7 else 1.0

    ours = trainer(tmp_path / "run", lambda student: taught(student, breaking), **{**LONG, **settings})
    with pytest.raises(UsageError) as caught:
        ours.fit()
    line = str(caught.value)
    assert line.startswith("expected finite losses, got NaN or infinity in term 'match' at step 7, though all layers")
    assert "the weight of match is not; its batch is kept in " in line
    # Checkpoints were written after 2, 4, 5 and 6 steps, all before the bad one.
    assert load_checkpoint(tmp_path / "run")["step"] == 6
    kept = torch.load(tmp_path / "run.bad-batch.pt", weights_only=True)
    assert kept["step"] == 7
    samples = torch.cat([sample for _, _, sample in kept["parts"]])
    assert [tuple(each) for each in samples.tolist()] == list(Batches(7, 3, steps=10, seed=0))[7]
    for image, target, sample in kept["parts"]:
        for place, item in enumerate(sample.tolist()):
            assert equal(ours.views[tuple(item)], (image[place], target[place], sample[place]))


def test_a_layer_that_breaks_is_named_with_its_ranges(tmp_path: Path) -> None:
    class Fragile(nn.Module):
        steps = 0

        def forward(self, image: Tensor) -> Tensor:
            return image / (0.0 if bool((image.flatten(1).amax(1) == 1.25).any()) else 1.0)

    # One image of the seven is too bright for the first layer.
    data = [
        (image if index != 3 else torch.full_like(image, 1.25), target) for index, (image, target) in enumerate(DATA)
    ]
    student = nn.Sequential(Fragile(), nn.Conv2d(3, 3, 1))
    first = next(step for step, batch in enumerate(Batches(7, 3, steps=10, seed=0)) if 3 in dict(batch))
    ours = trainer(tmp_path / "run", alone, student, data=data, **LONG)
    with pytest.raises(UsageError) as caught:
        ours.fit()
    assert f"in term 'task' at step {first}, first in student.0 (it received " in str(caught.value)
    assert " to 1.25 and showed " in str(caught.value)
    kept = torch.load(tmp_path / "run.bad-batch.pt", weights_only=True)
    assert 3 in kept["parts"][0][2][:, 0]


@pytest.mark.parametrize(
    ("at", "shown"), [(4, "term 'task' at step 5"), (5, "the weights at step 6"), (9, "the weights at step 10")]
)
def test_weights_that_break_in_a_step_of_finite_losses(tmp_path: Path, at: int, shown: str) -> None:
    def make(student: nn.Module) -> Distiller:
        distiller = taught(student, 0.5)
        distiller.losses["match"].inputs = broken_gradient(at)
        distiller.losses["hint"].weight = 0.1
        return distiller

    ours = trainer(tmp_path / "run", make, **{**LONG, "save_every": 3})
    with pytest.raises(UsageError) as caught:
        ours.fit()
    line = str(caught.value)
    assert f"got NaN or infinity in {shown}, since the gradients of step {at} broke student.model.0.weight" in line
    kept = torch.load(tmp_path / "run.bad-batch.pt", weights_only=True)
    assert kept["step"] == at
    samples = [tuple(each) for each in kept["parts"][0][2].tolist()]
    assert samples == list(Batches(7, 3, steps=10, seed=0))[at]
    saved = load_checkpoint(tmp_path / "run")
    assert saved["step"] == at // 3 * 3
    assert all(bool(each.isfinite().all()) for each in saved["distiller"].values())
    assert not (tmp_path / "run" / "best.safetensors").exists()


def test_broken_weights_are_not_taken_for_a_share_that_cannot_be_measured(tmp_path: Path) -> None:
    def make(student: nn.Module) -> Distiller:
        distiller = taught(student, 0.5)
        distiller.losses["match"].inputs = broken_gradient(4)
        return distiller

    # The share of "hint" is measured after step 4.
    with pytest.raises(UsageError, match="got NaN or infinity in the weights at step 5, since the gradients of step 4"):
        trainer(tmp_path / "run", make, **LONG).fit()


def test_a_student_that_comes_broken_is_refused_at_the_door(tmp_path: Path) -> None:
    student = network()
    student[3].bias.data[0] = torch.nan
    with pytest.raises(
        UsageError, match=r"expected finite weights to begin with, got NaN or infinity in student\.model\.3"
    ):
        trainer(tmp_path / "run", student=student)


def test_what_was_logged_before_a_bad_step_stays(tmp_path: Path) -> None:
    def breaking(lesson: Any) -> float:
        return float("nan") if lesson.progress == 0.7 else 1.0

    settings = {**LONG, "log_every": 1, "save_every": 100}
    with pytest.raises(UsageError, match="at step 7"):
        trainer(tmp_path / "run", lambda student: taught(student, breaking), **settings).fit()
    assert [row["step"] for row in Run(tmp_path / "run").metrics] == [1, 2, 3, 4, 5, 6, 7]


def test_the_average_is_what_is_validated_and_saved(tmp_path: Path) -> None:
    ours, seen = trainer(tmp_path / "run", ema=0.5), []

    def evaluation(model: nn.Module) -> Mapping[str, float]:
        seen.append(copy.deepcopy(model.state_dict()))
        return {"miou": 0.5}

    ours.evaluate = evaluation
    # The same by hand, from what each step leaves behind.
    expected = {name: each.clone() for name, each in ours.student.state_dict().items()}
    update = ours.average.update

    def updating(student: nn.Module) -> None:
        decay = min(0.5, (1 + ours.average.updates) / (10 + ours.average.updates))
        for name, value in student.state_dict().items():
            mixed = decay * expected[name] + (1 - decay) * value
            expected[name] = mixed if value.is_floating_point() else value.clone()
        update(student)

    ours.average.update = updating
    outcome = ours.fit()
    saved = weights(tmp_path / "run")
    assert outcome.network is ours.average.network
    assert equal(saved, dict(seen[1]))
    assert equal(weights(tmp_path / "run", "best"), dict(seen[0]))
    assert saved["1.num_batches_tracked"] == ours.student[1].num_batches_tracked == 4
    for name, value in expected.items():
        torch.testing.assert_close(saved[name], value, rtol=1e-5, atol=1e-6)
    assert not equal(saved["0.weight"], ours.student[0].weight.detach())


def test_the_average_does_not_change_the_training(tmp_path: Path) -> None:
    plain, averaged = trainer(tmp_path / "plain"), trainer(tmp_path / "averaged", ema=0.9)
    plain.fit()
    averaged.fit()
    assert equal(dict(plain.student.state_dict()), dict(averaged.student.state_dict()))


def test_frozen_batch_norm_stays_as_it_came(tmp_path: Path) -> None:
    student = network()
    student[1].running_mean.uniform_()
    student[1].weight.data.uniform_()
    before = copy.deepcopy(student[1].state_dict())
    ours, modes = trainer(tmp_path / "run", taught, student, freeze_batch_norm=True), []

    def evaluation(model: nn.Module) -> Mapping[str, float]:
        # Somebody's own evaluation need not know what was frozen, nor put anything back.
        model.train() if modes else model.eval()
        modes.append(model.training)
        return {"miou": 0.5}

    ours.evaluate = evaluation
    ours.fit()
    assert modes == [False, True]
    assert equal(dict(student[1].state_dict()), dict(before))
    assert (student.training, student[1].training, student[2].training) == (True, False, True)
    assert not equal(student[0].weight.detach(), network()[0].weight.detach())


def test_a_term_may_bring_an_optimizer_of_its_own(tmp_path: Path) -> None:
    optimizers = {"hint": lambda parameters: torch.optim.SGD(parameters, lr=0.5)}
    ours = trainer(tmp_path / "run", lambda student: taught(student, 0.5), optimizers=optimizers, schedule="constant")
    before = copy.deepcopy(ours.distiller.losses["hint"].state_dict())
    ours.fit()
    assert [type(each).__name__ for each in ours.optimizers] == ["AdamW", "SGD"]
    assert not equal(dict(ours.distiller.losses["hint"].state_dict()), dict(before))
    states = load_checkpoint(tmp_path / "run")
    assert states["optimizer 1"]["param_groups"][0]["lr"] == 0.5


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_tracker_writes_into_the_run_and_changes_no_line(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    for name, tracker in (("plain", "none"), ("tracked", "tensorboard")):
        trainer(tmp_path / name, tracker=tracker).fit()
    assert list((tmp_path / "tracked").rglob("events.out.tfevents.*"))
    rows = [Run(tmp_path / name).metrics for name in ("plain", "tracked")]
    for row in (*rows[0], *rows[1]):
        row.pop("seconds")
    assert rows[0] == rows[1]
    assert equal(weights(tmp_path / "plain"), weights(tmp_path / "tracked"))


def test_too_large_a_batch_is_told_before_the_first_step(tmp_path: Path) -> None:
    class Greedy(nn.Conv2d):
        def forward(self, image: Tensor) -> Tensor:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(UsageError, match="out of memory in step 0: lower --batch-size"):
        trainer(tmp_path / "run", alone, nn.Sequential(Greedy(3, 3, 1)))


def test_images_that_cannot_be_read_are_counted_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Broken(list[Any]):
        names = tuple(f"image-{index}.png" for index in range(7))

        def __getitem__(self, index: Any) -> Any:
            if index == 4:
                raise OSError("truncated")
            return super().__getitem__(index)

    trainer(tmp_path / "run", alone, data=Broken(DATA), skip_bad_images=True).fit()
    lines = capsys.readouterr().out.splitlines()
    met = [4 in dict(batch) for batch in Batches(7, 3, steps=4, seed=0)].index(True)
    counted = [line.endswith("  images replaced: 1") for line in lines if " task " in line]
    assert counted == [step >= met for step in range(4)]
    assert lines[-1] == "training  replaced, since they cannot be read: image-4.png"
    with pytest.raises(UsageError, match=r"cannot use image-4\.png: OSError: truncated"):
        trainer(tmp_path / "strict", alone, data=Broken(DATA)).fit()


@pytest.mark.slow
def test_compiled_networks_learn_what_eager_ones_learn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[nn.Module] = []

    def compile_without_a_c_compiler(part: nn.Module) -> None:
        compiled.append(part)
        part._compiled_call_impl = torch.compile(part._call_impl, backend="aot_eager")

    monkeypatch.setattr(nn.Module, "compile", compile_without_a_c_compiler)
    found = {}
    for name, chosen in (("eager", False), ("compiled", True)):
        # AdamW would enlarge the rounding of a gradient that is zero, as that of a bias before BatchNorm is.
        ours = trainer(tmp_path / name, compile=chosen, optimizer="sgd", learning_rate=0.1)
        outcome = ours.fit()
        found[name] = weights(tmp_path / name)
        assert outcome.metrics["miou"] == scores(ours.distiller.student.model)["miou"]
    assert compiled == [ours.distiller.student, ours.distiller.teacher]
    for name, value in found["eager"].items():
        torch.testing.assert_close(found["compiled"][name], value, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
# The compiler looks at features of the student, and keeps this from being shown, not from being an error.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf Tensor")
@pytest.mark.parametrize("method", ["bake", "frskd", "ps-kd"])
def test_compiled_self_distillation_learns_what_the_eager_one_learns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    compiled: list[nn.Module] = []

    def compile_without_a_c_compiler(part: nn.Module) -> None:
        compiled.append(part)
        part._compiled_call_impl = torch.compile(part._call_impl, backend="aot_eager")

    monkeypatch.setattr(nn.Module, "compile", compile_without_a_c_compiler)
    settings = launched.WHOLE[method]
    for name, chosen in (("eager", False), ("compiled", True)):
        ours = classifiers.trainer(tmp_path / name, method, settings=settings, compile=chosen)
        ours.fit()
    assert compiled == [ours.distiller.student, ours.distiller.teacher]
    terms = [[row["terms"] for row in Run(tmp_path / name).metrics if "terms" in row] for name in ("eager", "compiled")]
    assert terms[1] == [pytest.approx(row, rel=1e-3, abs=1e-5) for row in terms[0]]
    for name, value in weights(tmp_path / "eager").items():
        torch.testing.assert_close(weights(tmp_path / "compiled")[name], value, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("method", [name for name in NAMES if name not in DETECTION])
def test_what_is_trained_beside_the_student_stays_behind(tmp_path: Path, method: str) -> None:
    if method in launched.WHOLE:
        ours, bare = classifiers.trainer(tmp_path / "run", method, steps=1), classifiers.network(seed=9)
    else:
        ours = launched.trainer(tmp_path / "run", launched.by_method(method), steps=1)
        bare = launched.network(4, 9)
    ours.fit()
    known = {id(each) for each in ours.student.parameters()}
    beside = [name for name, each in ours.distiller.named_parameters() if id(each) not in known]
    assert bool(beside) == (method in ("hint", "byot", "frskd"))
    for name in ("student", "best"):
        kept = weights(tmp_path / "run", name)
        assert list(kept) == sorted(bare.state_dict())
        bare.load_state_dict(kept)
    assert all(torch.equal(each, bare.state_dict()[name]) for name, each in ours.student.state_dict().items())
