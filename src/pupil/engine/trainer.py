"""The training loop: one for every method and task, readable in one sitting."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor
from torch.optim import Optimizer
from torch.utils.data import DataLoader, Sampler

from pupil.data.batches import Batches, Item
from pupil.data.transforms import Transform
from pupil.data.views import Source, Views
from pupil.distiller import Distiller
from pupil.engine.balance import balance, ratios, set_ratios
from pupil.engine.checkpoint import load_checkpoint, random_states, save_checkpoint, set_random_states
from pupil.engine.monitor import Monitor
from pupil.engine.optimization import check_optimizers, make_optimizer, set_learning_rate
from pupil.engine.options import Training
from pupil.engine.progress import ProgressLines
from pupil.engine.reached import freeze_unreached
from pupil.errors import UsageError
from pupil.numbers import score
from pupil.run import Run

TRIAL_BATCHES = 8

Evaluate = Callable[[], Mapping[str, float]]


@dataclass(frozen=True)
class Outcome:
    """What a training comes to.

    Args:
        metrics: the last scores.
        seconds: time spent training, validation excluded.
        images: images seen.
    """

    metrics: Mapping[str, float]
    seconds: float
    images: int


class Trainer:
    """Trains the student of a distiller and leaves a run behind.

    Args:
        distiller: student, teacher and objective.
        dataset: map-style data set of (image, target).
        transform: joint transform of image and target, drawn anew for every view.
        evaluate: scores the student; called `options.evaluations` times over the run.
        metric: which score decides about `best.safetensors`.
        options: length, optimizer, precision, how often to log.
        run: where logs, weights and checkpoints go.
        title: what the progress bar says.
        batches: makes the run's batch sampler; takes the arguments of `Batches`.

    Raises:
        UsageError: if nothing would be trained, or a part of the frozen teacher would.
    """

    def __init__(
        self,
        distiller: Distiller,
        dataset: Source,
        transform: Transform | None,
        evaluate: Evaluate,
        *,
        metric: str,
        options: Training,
        run: Run,
        title: str = "training",
        batches: Callable[..., Sampler[list[Item]]] = Batches,
    ) -> None:
        self.dataset = dataset
        self.batches = batches
        self.transform = transform
        self.evaluate = evaluate
        self.metric = metric
        self.options = options
        self.run = run
        self.title = title
        self.accelerator = _accelerator(options)
        self.distiller = distiller.to(self.accelerator.device).train()
        if options.channels_last:
            # Convolutions take the layout of their weights, and so do all layers after them.
            self.distiller.to(memory_format=torch.channels_last)
        if frozen := freeze_unreached(self.distiller, self._trial_batches(first=0)):
            print(f"frozen, since no loss reaches them: {', '.join(frozen)}")
        self.optimizer: Optimizer = make_optimizer(
            (each for each in distiller.parameters() if each.requires_grad), options
        )
        check_optimizers(self.distiller, [self.optimizer])
        self.prepared, self.stepper = self.accelerator.prepare(self.distiller, self.optimizer)
        self.step = 0
        self.seconds = 0.0
        self.best = float("-inf")
        self.scores: Mapping[str, float] = {}

    def fit(self) -> Outcome:
        """Train to the end, from the start or from the run's checkpoint.

        Raises:
            UsageError: if a term of the objective stops being finite.
        """
        torch.manual_seed(self.options.seed)
        if self.options.resume:
            self._restore()
        monitor = Monitor()
        steps, every = self.options.steps, self.options.log_every
        stops = {round(steps * part / self.options.evaluations) for part in range(1, self.options.evaluations + 1)}
        self.distiller.train()
        with ProgressLines(self.title, steps, done=self.step) as progress:
            self._balance(progress)
            clock = time.perf_counter()
            for image, target, sample in self._batches(first=self.step):
                rate = set_learning_rate(self.optimizer, self.step / steps, self.options)
                monitor.update(self._learn(image, target, sample), self.step)
                self.step += 1
                progress.step()
                if self.step < steps:
                    self._balance(progress)
                if self.step % every == 0 or self.step in stops:
                    terms = monitor.read()
                    clock = self._count_time(clock)
                    self._log(rate, terms)
                    progress.status(_line(self.step, steps, terms))
                if self.step in stops:
                    self._validate(progress)
                    clock = time.perf_counter()
        self.run.save_weights(self.distiller.student.model.state_dict())
        return Outcome(self.scores, self.seconds, self.step * self.options.batch_size)

    def _learn(self, image: Tensor, target: Any, sample: Tensor) -> dict[str, Tensor]:
        """One optimizer step."""
        with self.accelerator.autocast():
            terms: dict[str, Tensor] = self.prepared(
                image, target, progress=self.step / self.options.steps, sample=sample
            )
        self.accelerator.backward(torch.stack(list(terms.values())).sum())
        if self.options.clip:
            self.accelerator.clip_grad_norm_(self.prepared.parameters(), self.options.clip)
        self.stepper.step()
        self.stepper.zero_grad(set_to_none=True)
        return terms

    def _batches(self, first: int, *, workers: int | None = None) -> Iterator[tuple[Any, Any, Tensor]]:
        """The run's batches on the device, beginning with any one of them."""
        device = self.accelerator.device
        loader = DataLoader(
            Views(self.dataset, self.transform),
            batch_sampler=self.batches(
                len(self.dataset),
                self.options.batch_size,
                steps=self.options.steps,
                seed=self.options.seed,
                first=first,
                rank=self.accelerator.process_index,
                world=self.accelerator.num_processes,
            ),
            num_workers=self.options.workers if workers is None else workers,
            pin_memory=device.type == "cuda",
            # A generator of its own: the loader would otherwise draw from the training's.
            generator=torch.Generator(),
        )
        for image, target, sample in loader:
            yield image.to(device, non_blocking=True), target.to(device, non_blocking=True), sample

    def _trial_batches(self, first: int) -> Iterator[tuple[Any, Any, Tensor]]:
        """Some of the batches that come next, to measure something before they are trained on."""
        return islice(self._batches(first, workers=0), TRIAL_BATCHES)

    def _balance(self, progress: ProgressLines) -> None:
        """Measure the shares that begin to act now, on the batches that come next."""
        found = balance(self.distiller, self._trial_batches(self.step), progress=self.step / self.options.steps)
        if found:
            self.run.update(weights=ratios(self.distiller))
            weights = ", ".join(f"{name} {ratio:.3g}" for name, ratio in found.items())
            progress.say(f"{self.title}  weights for a share of 1: {weights}")

    def _validate(self, progress: ProgressLines) -> None:
        self.scores = {name: float(value) for name, value in self.evaluate().items()}
        self.run.log({"step": self.step, "seconds": self.seconds, "metrics": dict(self.scores)})
        reached = self.scores[self.metric]
        progress.say(f"{self.title}  step {self.step}/{self.options.steps}  {score(self.metric, reached)}")
        if reached > self.best:
            self.best = reached
            self.run.save_weights(self.distiller.student.model.state_dict(), "best")
        save_checkpoint(self.run.folder, self._state())

    def _log(self, rate: float, terms: Mapping[str, float]) -> None:
        self.run.log(
            {
                "step": self.step,
                "progress": self.step / self.options.steps,
                "seconds": self.seconds,
                "learning_rate": rate,
                "loss": sum(terms.values()),
                "terms": dict(terms),
            }
        )

    def _count_time(self, since: float) -> float:
        now = time.perf_counter()
        self.seconds += now - since
        return now

    def _state(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "seconds": self.seconds,
            "best": self.best,
            "scores": dict(self.scores),
            "ratios": ratios(self.distiller),
            "distiller": self.distiller.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.accelerator.scaler.state_dict() if self.accelerator.scaler else {},
            "random": random_states(self.accelerator.device),
        }

    def _restore(self) -> None:
        state = load_checkpoint(self.run.folder)
        self.distiller.load_state_dict(state["distiller"])
        self.optimizer.load_state_dict(state["optimizer"])
        set_ratios(self.distiller, state["ratios"])
        self.step, self.seconds, self.best = state["step"], state["seconds"], state["best"]
        self.scores = state["scores"]
        if self.accelerator.scaler:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        set_random_states(state["random"], self.accelerator.device)
        self.run.cut_metrics(self.step)


def _accelerator(options: Training) -> Accelerator:
    # Accelerate keeps the first one's settings for the whole process; the next training may have its own.
    AcceleratorState._reset_state(reset_partial_state=True)
    try:
        return Accelerator(cpu=options.device == "cpu", mixed_precision=options.precision)
    except ValueError as error:
        raise UsageError(f"cannot train with --precision {options.precision} here: {error}") from None


def _line(step: int, steps: int, terms: Mapping[str, float]) -> str:
    return "  ".join([f"step {step}/{steps}", *(f"{name} {value:.3f}" for name, value in terms.items())])
