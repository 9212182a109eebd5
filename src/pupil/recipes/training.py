"""From a task, its data and the options to a run: what all recipes have in common."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pupil.engine.options import Training, flag
from pupil.errors import UsageError
from pupil.numbers import score
from pupil.recipes.material import Material, smaller
from pupil.run import Run, aside

if TYPE_CHECKING:
    from accelerate import Accelerator
    from torch import nn

    from pupil.data.batches import MakeBatches
    from pupil.data.mixing import Mix
    from pupil.distiller import Distiller
    from pupil.methods.plan import Plan

Options = TypeVar("Options", bound=Training)

# Options that change how a run is made, and not what comes out.
HOW = frozenset({"device", "log_every", "save_every", "skip_bad_images", "tracker", "trust", "workers"})


def run_folder(recipe: str, options: Training) -> Path:
    """Where the run goes: as told, or runs/RECIPE-METHOD-SEED."""
    return Path(options.out or f"runs/{recipe}-{options.method}-{options.seed}")


def claimed(recipe: str, options: Training) -> Path:
    """The run folder, once it is known that these options may write there.

    Raises:
        UsageError: if it holds a run and neither `resume` nor `overwrite` is set, or anything else; with `resume`, if
            there is no run, or its options are others.
    """
    folder = run_folder(recipe, options)
    Run.check_free(folder, overwrite=options.overwrite, resume=options.resume)
    # A run that an unfinished one was to replace goes when that one has ended.
    Run.check_free(aside(folder), overwrite=options.overwrite, resume=options.resume)
    for spec in (options.student, options.teacher):
        if spec and any(each.is_dir() and each.resolve() == Path(spec).resolve() for each in (folder, aside(folder))):
            raise UsageError(f"expected another folder than that of {spec!r} to write to: choose another --out")
    if options.resume:
        if not (folder / "run.json").is_file():
            raise UsageError(f"expected a run to go on with in {str(folder)!r}, got none: leave out --resume")
        refuse_other_options(Run(folder), options)
    return folder


def refuse_other_options(run: Run, options: Training) -> None:
    """Make sure that a run that is there began with these options, but for those that do not change what comes out.

    Raises:
        UsageError: naming the first one that differs.
    """
    # An option that the run does not know came with a later version, which began with its default.
    then = {each.name: each.default for each in fields(options)} | run.record["options"]
    # As it comes back from JSON, where a tuple is a list.
    now = {name: list(value) if isinstance(value, tuple) else value for name, value in options.record().items()}
    other = next((name for name in now if name not in HOW and _place(then[name]) != _place(now[name])), None)
    if other:
        raise UsageError(
            f"expected the options that the run in {str(run.folder)!r} began with, got --{flag(other)} {now[other]} "
            f"instead of {then[other]}: repeat its command, or choose another --out"
        )


def _place(value: Any) -> Any:
    """A path as the place that it leads to, anything else as it is."""
    return str(Path(value).resolve()) if isinstance(value, str) and value and Path(value).exists() else value


def train_as(recipe: str, options: Options, prepare: Callable[[Options], Material]) -> Run:
    """Train by the options, under the name of a recipe.

    Args:
        recipe: its name.
        options: those of its task.
        prepare: finds what they name.
    """
    from pupil.methods import method_name

    options = replace(options, method=method_name(options.method), **(smaller(options) if options.smoke else {}))
    claimed(recipe, options)  # before the data are looked through, which may take its time
    material = replace(prepare(options), recipe=recipe)
    count, size = len(material.train), getattr(options, "size", None)
    print(
        f"student {options.student}, {options.steps} steps of {options.batch_size} images"
        f"{f' at {size} (--size)' if size else ''}: {options.steps * options.batch_size / count:.1f} epochs of {count}"
    )
    return train(material, options)


def train(material: Material, options: Training) -> Run:
    """Train a student by the options and return its run.

    Raises:
        UsageError: for anything that the person who set the options can mend; nothing is written before the data,
            both networks and the method have been checked.
    """
    import torch

    from pupil.data.views import Views, batched
    from pupil.engine.evaluation import evaluate
    from pupil.engine.processes import make_accelerator, with_synchronized_batch_norm
    from pupil.engine.trainer import Trainer
    from pupil.methods import ALONE, load_method
    from pupil.methods.settings import parse_settings
    from pupil.models import count_parameters
    from pupil.recipes.networks import load_student, load_teacher
    from pupil.recipes.records import run_record, summary_record, teacher_record

    task, folder = material.task, claimed(material.recipe, options)
    method = load_method(options.method)
    settings = parse_settings(method, options.settings)
    accelerator = make_accelerator(options, folder)
    student = load_student(replace(options, student=material.student or options.student), task)
    # Before anything is tapped: the conversion puts new layers in the place of old ones.
    student = with_synchronized_batch_norm(student, options, accelerator)
    teacher = load_teacher(options, task)
    image, _, _ = batched([Views(material.train, material.transform, skip=options.skip_bad_images)[0, 0]])
    # Adapters are drawn after the student, so that every method starts from the same student.
    torch.manual_seed(options.seed)
    plan = method(student, teacher, task, image, **settings)
    if teacher is not None and options.method in ALONE:
        print(
            f"method {options.method} does not use the teacher {options.teacher}: "
            "choose another --method to learn from it"
        )
        teacher = None
    if tapped := plan.distiller.student.layers:
        theirs = ", ".join(getattr(plan.distiller.teacher, "layers", ())) or "none"
        beside = "" if teacher is None else f", {theirs} of the teacher"
        print(f"layers: {', '.join(tapped)} of the student{beside}")
    batches, mix = _batches(material, plan, options), _mix(material, plan, options)
    record = run_record(material, options, student)
    run = _begun(folder, record, options, accelerator)

    def evaluated(network: nn.Module) -> Mapping[str, float]:
        return evaluate(
            network,
            task,
            material.val,
            batch_size=options.batch_size,
            workers=options.workers,
            device=accelerator.device,
            rank=accelerator.process_index,
            world=accelerator.num_processes,
        )

    with _nothing_left_of_a_false_start(run, resumed=options.resume):
        trainer = Trainer(
            plan.distiller,
            material.train,
            material.transform,
            evaluated,
            metric=task.metric,
            options=options,
            run=run,
            title=f"{options.method} (seed {options.seed})",
            batches=batches,
            mix=mix,
            optimizers=plan.optimizers,
            accelerator=accelerator,
        )
        if teacher is not None:
            value = evaluated(teacher)[task.metric]
            print(f"teacher {options.teacher}: {score(task.metric, value)} on this validation set")
            run.update(teacher={**teacher_record(options, teacher), "value": value})
        outcome = trainer.fit()
        extra = count_parameters(plan.distiller) - count_parameters(student)
        run.finish(summary_record(material, options, run, student, outcome, extra=extra))
        remarks = _remarks(plan.distiller, run)
        if remarks:
            run.update(remarks=remarks)
        networks = {"teacher": teacher} if teacher is not None else {}
        if run.writes:
            _report(material, options, run, {**networks, options.method: outcome.network}, remarks)
    if run.writes:
        run.remove_replaced()
    accelerator.wait_for_everyone()
    return run


def _batches(material: Material, plan: Plan, options: Training) -> MakeBatches:
    """The batches that the data or the method asks for."""
    from pupil.data.batches import Batches

    if plan.batches is None:
        return material.batches or Batches
    if material.batches is not None:
        raise UsageError(
            f"expected a method that takes images as they come beside --unlabelled, got {options.method}, "
            "which batches them by class: leave one of them out"
        )
    if options.accumulate > 1:
        raise UsageError(
            f"expected --accumulate 1 with {options.method}, which relates the images of a batch, got "
            f"{options.accumulate}: leave it out"
        )
    return plan.batches(material.train)


def _mix(material: Material, plan: Plan, options: Training) -> Mix | None:
    if plan.mix is not None and material.mix is not None:
        raise UsageError(
            f"expected no --mixup or --cutmix with {options.method}, which mixes images itself: leave it out"
        )
    return plan.mix or material.mix


def _begun(folder: Path, record: Mapping[str, Any], options: Training, accelerator: Accelerator) -> Run:
    """The run to write: made by the first process, opened by all."""
    if not options.resume:
        # Until here, every process has looked whether the folder is free.
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            Run.create(folder, record, overwrite=options.overwrite)
        accelerator.wait_for_everyone()
    return Run(folder, writes=accelerator.is_main_process)


@contextmanager
def _nothing_left_of_a_false_start(run: Run, *, resumed: bool) -> Iterator[None]:
    """Undo a new run that fails before it keeps any step, and in any case keep the one that it replaces."""
    from pupil.engine.interrupts import Stopped

    try:
        yield
    except BaseException as error:
        if not run.writes:
            raise
        stopped = isinstance(error, Stopped)
        begun = stopped or _can_go_on(run)
        if begun and isinstance(error, KeyboardInterrupt) and not stopped:
            print(f"{run.folder} goes on from its last checkpoint with --resume")
        if begun and run.replaced:
            print(f"the earlier run stays in {run.replaced} until --resume or --overwrite ends the new one")
        elif run.replaced:
            run.restore_replaced()
        elif isinstance(error, UsageError) and not begun and not resumed:
            shutil.rmtree(run.folder)
        raise


def _can_go_on(run: Run) -> bool:
    """Whether some of the run's steps are kept: it has been validated, or saved after its start."""
    from pupil.engine.checkpoint import has_checkpoint, load_checkpoint

    if any("metrics" in row for row in run.metrics):
        return True
    return has_checkpoint(run.folder) and load_checkpoint(run.folder)["step"] > 0


def _remarks(distiller: Distiller, run: Run) -> list[str]:
    """What the losses say about what they noticed last, which is also printed."""
    from pupil.observations import observations_of

    last: Mapping[str, Mapping[str, float]] = next(
        (row["observed"] for row in reversed(run.metrics) if "observed" in row), {}
    )
    heard = {name: one for name, (one, *_) in observations_of(distiller.losses).items() if name in last}
    remarks = [remark for name, one in heard.items() if (remark := one.explain(last[name]))]
    for remark in remarks:
        print(remark)
    return remarks


def _report(
    material: Material, options: Training, run: Run, networks: Mapping[str, nn.Module], notes: Sequence[str]
) -> None:
    from pupil.recipes.options import as_command
    from pupil.recipes.pictures import same_scenes
    from pupil.report.page import write_report

    write_report(
        run.folder / "report.html",
        title=f"{material.recipe}: {run.record['options']['method']}",
        lead=f"{run.record['options']['student']} on {run.record['data']}, one seed.",
        summaries=[run.summary or {}],
        curves=[run.metrics],
        pictures=same_scenes(material.val, material.task, networks),
        legend=material.task.legend,
        notes=notes,
        commands=[
            as_command(material.recipe, options),
            f"pupil evaluate {run.folder}",
            f"pupil predict {run.folder} IMAGES --out DIR",
        ],
    )
