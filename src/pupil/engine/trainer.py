"""The training loop: one for every method and task, readable in one sitting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import nn

from pupil.data.batches import Batches, MakeBatches
from pupil.data.mixing import Mix
from pupil.data.transforms import Transform
from pupil.data.views import Source, Views
from pupil.distiller import Distiller
from pupil.engine.averaging import MovingAverage
from pupil.engine.balance import balance, ratios, set_ratios, unmeasured
from pupil.engine.checkpoint import (
    has_checkpoint,
    load_checkpoint,
    random_states,
    save_checkpoint,
    set_random_states,
)
from pupil.engine.failures import explained
from pupil.engine.interrupts import Interrupts, Stopped
from pupil.engine.loading import Loading
from pupil.engine.logs import Log, status_line
from pupil.engine.monitor import Monitor, NonFiniteError
from pupil.engine.normalization import freeze_batch_norm
from pupil.engine.observer import Observer
from pupil.engine.optimization import Make, check_optimizers, make_optimizers, set_learning_rates
from pupil.engine.options import Training
from pupil.engine.processes import any_process, make_accelerator, refuse_unlike, share_buffers
from pupil.engine.progress import ProgressLines
from pupil.engine.reached import freeze_unreached
from pupil.engine.replay import broken_weights, inspect, of_who_found, refuse_broken, save_batch
from pupil.engine.stepper import Batch, Stepper
from pupil.engine.stopwatch import Stopwatch
from pupil.errors import listed
from pupil.numbers import score
from pupil.run import Run

Evaluate = Callable[[nn.Module], Mapping[str, float]]


@dataclass(frozen=True)
class Outcome:
    """What a training comes to.

    Args:
        network: whose weights the run keeps: the student, or its moving average.
        metrics: the last scores.
        seconds: time spent training, validation excluded.
        images: images seen.
    """

    network: nn.Module
    metrics: Mapping[str, float]
    seconds: float
    images: int


class Trainer:
    """Trains the student of a distiller and leaves a run behind.

    Args:
        distiller: student, teacher and objective.
        dataset: map-style data set of (image, target).
        transform: joint transform of image and target, drawn anew for every view.
        evaluate: scores a network; called `options.evaluations` times over the run.
        metric: which score decides about `best.safetensors`.
        options: length, optimizer, precision, how often to log.
        run: where logs, weights and checkpoints go.
        title: what the progress bar says.
        batches: makes the run's batch sampler; takes the arguments of `Batches`.
        mix: mixes the images and targets of a batch.
        optimizers: makes the optimizer of a term's own parameters, by the name of the term.
        accelerator: device, precision and processes; None makes one by the options.

    Raises:
        UsageError: if nothing would be trained, a part of the frozen teacher would, or a weight is not finite.
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
        batches: MakeBatches = Batches,
        mix: Mix | None = None,
        optimizers: Mapping[str, Make] | None = None,
        accelerator: Accelerator | None = None,
    ) -> None:
        self.evaluate = evaluate
        self.metric = metric
        self.options = options
        self.run = run
        self.title = title
        self.step = self.saved = 0
        self.accelerator = accelerator or make_accelerator(options, run.folder)
        self.views = Views(dataset, transform, skip=options.skip_bad_images)
        self.loading = Loading(self.views, options, self.accelerator, batches, mix)
        self.distiller = distiller.to(self.accelerator.device)
        self.student = distiller.student.model
        if options.channels_last:
            # Convolutions take the layout of their weights, and so do all layers after them.
            self.distiller.to(memory_format=torch.channels_last)
        self._train_mode()
        refuse_unlike(distiller.teacher, self.accelerator)
        self._explained = partial(
            explained, self.accelerator.device, lambda: self.step, lambda: self.saved > 0 or options.resume
        )
        with self._explained(), self.accelerator.autocast():
            if frozen := freeze_unreached(self.distiller, self.loading.trial(first=0), self.accelerator):
                print(f"frozen, since no loss reaches them: {', '.join(frozen)}")
        self.optimizers = make_optimizers(distiller, options, optimizers)
        check_optimizers(self.distiller, self.optimizers)
        refuse_broken(self.distiller)
        self.average = MovingAverage(self.student, options.ema) if options.ema else None
        if options.compile:
            for part in (distiller.student, distiller.teacher):
                if isinstance(part, nn.Module):
                    part.compile()
        prepared, scaler = self.accelerator.prepare(self.distiller), self.accelerator.scaler
        self.stepper = Stepper(prepared, self.optimizers, self.accelerator, clip=options.clip, scaler=scaler)
        self.log = Log(run, self.accelerator, options.record())
        self.monitor = Monitor(self.accelerator)
        self.observer = Observer(distiller.losses, self.accelerator)
        self.clock = Stopwatch()
        self.best = float("-inf")
        self.scores: Mapping[str, float] = {}

    @property
    def network(self) -> nn.Module:
        """What is validated and saved: the student, or its moving average."""
        return self.average.network if self.average else self.student

    def fit(self) -> Outcome:
        """Train to the end, from the start or from the run's checkpoint.

        Raises:
            UsageError: if a term of the objective stops being finite, or the machine fails: memory, disk, workers.
            Stopped: after a first Ctrl-C, once the step is finished and saved.
        """
        # Dropout is to differ between processes; the first one draws what a single process would.
        torch.manual_seed(self.options.seed + self.accelerator.process_index)
        with (
            ProgressLines(self.title, self.options.steps) as progress,
            Interrupts(progress.say) as interrupts,
            self._explained(),
        ):
            # A run that was killed before its first checkpoint has nothing to lose, and begins anew.
            if self.options.resume and (has_checkpoint(self.run.folder) or self.run.metrics):
                self._restore()
                self.run.cut_metrics(self.step)
                progress.skip(self.step)
            try:
                self._train(progress, interrupts)
            except NonFiniteError as error:
                self._explain(error)
            finally:
                self.log.close()
            self.run.save_weights(self.network.state_dict())
        return Outcome(self.network, self.scores, self.clock.seconds, self.step * self.options.batch_size)

    def _train(self, progress: ProgressLines, interrupts: Interrupts) -> None:
        steps, options = self.options.steps, self.options
        stops = {round(steps * part / options.evaluations) for part in range(1, options.evaluations + 1)}
        self._train_mode()
        self._balance(progress)
        self.clock.start()
        if not self.step:
            self._save()
        for parts in self.loading.steps(first=self.step):
            rate = self._learn(parts)
            progress.step()
            self._balance(progress)
            logs, stop = self.step % options.log_every == 0, self.step in stops
            if logs or stop:
                terms = self.monitor.read()
                self.log.terms(self.step, steps, self.clock.count(), rate, terms, self.observer.read())
                progress.status(status_line(self.step, steps, terms, self.loading.bad_names()))
            if stop:
                self._validate(progress)
            asked = interrupts.asked
            if self.accelerator.num_processes > 1:
                # Processes hear of it at different steps; they compare where they meet anyway.
                asked = (logs or stop) and any_process(asked, self.accelerator)
            if stop or asked or self.step % options.save_every == 0:
                self._save()
            if asked and self.step < steps:
                progress.say(f"{self.title}  stopped after step {self.step}/{steps}: go on with --resume")
                raise Stopped
        if bad := self.loading.bad_names():
            progress.say(f"{self.title}  replaced, since they cannot be read: {', '.join(bad)}")

    def _learn(self, parts: Sequence[Batch]) -> float:
        """One optimizer step; returns its learning rate."""
        rate = set_learning_rates(self.optimizers, self.step / self.options.steps, self.options)
        with self.observer:
            terms = self.stepper(parts, self.step / self.options.steps)
        self.monitor.update(terms, self.step)
        if self.average:
            self.average.update(self.student)
        self.step += 1
        return rate

    def _train_mode(self) -> None:
        self.distiller.train()
        if self.options.freeze_batch_norm:
            freeze_batch_norm(self.student)

    def _balance(self, progress: ProgressLines | None = None) -> None:
        """Measure the shares that begin to act now, on the batches that come next."""
        now = self.step / self.options.steps
        if now == 1.0 or not unmeasured(self.distiller, now):
            return
        self._check()
        mean = partial(self.accelerator.reduce, reduction="mean")
        with self.accelerator.autocast():
            found = balance(self.distiller, self.loading.trial(self.step), progress=now, mean=mean)
        if progress:
            self.run.update(weights=ratios(self.distiller))
            weights = ", ".join(f"{name} {ratio:.3g}" for name, ratio in found.items())
            progress.say(f"{self.title}  weights for a share of 1: {weights}")

    def _validate(self, progress: ProgressLines) -> None:
        self._check()
        share_buffers(self.network, self.accelerator)
        self.scores = {name: float(value) for name, value in self.evaluate(self.network).items()}
        self._train_mode()
        self.log.write({"step": self.step, "seconds": self.clock.seconds, "metrics": dict(self.scores)})
        reached = self.scores[self.metric]
        progress.say(f"{self.title}  step {self.step}/{self.options.steps}  {score(self.metric, reached)}")
        if reached > self.best:
            self.best = reached
            self.run.save_weights(self.network.state_dict(), "best")
        self.clock.start()

    def _explain(self, error: NonFiniteError) -> NoReturn:
        """Go back to the last checkpoint and on to the bad step, and look at that one closely."""
        found = None
        self._restore()
        for parts in self.loading.steps(first=self.step):
            step = self.step
            if step == error.step:
                with self.accelerator.autocast():
                    found = inspect(self.distiller, parts, step / self.options.steps)
                break
            self._learn(parts)
            if broken := broken_weights(self.distiller):
                found = f", since the gradients of step {step} broke {listed(broken)}"
                break
            self._balance()
        theirs, found = of_who_found(parts, found, self.accelerator)
        kept = f"; its batch is kept in {save_batch(self.run.folder, theirs, step)}" if self.run.writes else ""
        raise NonFiniteError(error.where, error.step, (found or ", though not when it was done again") + kept)

    def _check(self) -> None:
        """Make sure that losses and weights are finite, so that a checkpoint always is."""
        self.monitor.check()
        if broken_weights(self.distiller):
            raise NonFiniteError("the weights", self.step)

    @property
    def _kept(self) -> dict[str, Any]:
        """All whose state a checkpoint keeps."""
        kept: dict[str, Any] = {"distiller": self.distiller, "average": self.average}
        kept |= {
            "monitor": self.monitor,
            "observer": self.observer,
            "scaler": self.accelerator.scaler,
            **{f"optimizer {n}": each for n, each in enumerate(self.optimizers)},
        }
        return {name: each for name, each in kept.items() if each is not None}

    def _save(self) -> None:
        self._check()
        # Every process draws dropout of its own, so every one's generators are kept.
        random = gather_object([random_states(self.accelerator.device)])
        bad = self.loading.bad()
        states = {name: each.state_dict() for name, each in self._kept.items()}
        if not self.run.writes:
            return
        state = {
            "step": self.step,
            "seconds": self.clock.count(),
            "best": self.best,
            "scores": dict(self.scores),
            "ratios": ratios(self.distiller),
            "random": random,
            "bad": bad,
        }
        save_checkpoint(self.run.folder, state | states)
        self.saved = self.step

    def _restore(self) -> None:
        state = load_checkpoint(self.run.folder, self._kept)
        self.step, self.clock.seconds, self.best = state["step"], state["seconds"], state["best"]
        self.scores = state["scores"]
        set_ratios(self.distiller, state["ratios"])
        if self.accelerator.process_index < len(state["random"]):
            set_random_states(state["random"][self.accelerator.process_index], self.accelerator.device)
        if self.views.bad is not None and state["bad"] is not None:
            self.views.bad |= state["bad"]
