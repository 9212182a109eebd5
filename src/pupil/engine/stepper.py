"""One optimizer step: forward, one backward for all terms, and every optimizer once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim import Optimizer

from pupil.engine.optimization import parameters_of

Batch = tuple[Any, Any, Tensor]


class Stepper:
    """Turns the images of a step into one step of every optimizer.

    Opponents share the backward pass, since the second argument of a loss is detached. Gradients are unscaled and
    clipped for each optimizer's own parameters, and the scaler of float16 is updated once, after all of them.
    (Accelerate's wrapped optimizers would update it after each, and forget between two of them what was unscaled.)

    Args:
        distiller: the distiller as it is called: bare, compiled, or in data parallel form.
        optimizers: each with parameters of its own.
        accelerator: mixed precision and communication.
        clip: largest gradient norm of each optimizer's parameters, 0 for no limit.
        scaler: of float16; None where the precision needs none.
    """

    def __init__(
        self,
        distiller: nn.Module,
        optimizers: Sequence[Optimizer],
        accelerator: Accelerator,
        *,
        clip: float = 0.0,
        scaler: Any = None,
    ) -> None:
        self.distiller = distiller
        self.optimizers = optimizers
        self.accelerator = accelerator
        self.clip = clip
        self.scaler = scaler
        self._parameters = [parameters_of(optimizer) for optimizer in optimizers]

    def __call__(self, parts: Sequence[Batch], progress: float) -> dict[str, Tensor]:
        """One step on the images of all parts.

        Args:
            parts: one batch, or several equal ones whose gradients are averaged.
            progress: this moment of the run.

        Returns:
            The weighted terms by name, means over the parts.
        """
        shown = []
        for place, (image, target, sample) in enumerate(parts, start=1):
            # Processes exchange gradients once, with the last part.
            whole = place == len(parts)
            with nullcontext() if whole else self.accelerator.no_sync(self.distiller):
                with self.accelerator.autocast():
                    terms: dict[str, Tensor] = self.distiller(image, target, progress=progress, sample=sample)
                values = torch.stack(list(terms.values()))
                objective = values.sum() / len(parts)
                (objective if self.scaler is None else self.scaler.scale(objective)).backward()
            shown.append(values.detach())
        self._step()
        mean = shown[0] if len(shown) == 1 else torch.stack(shown).mean(0)
        return dict(zip(terms, mean.unbind(), strict=True))

    def _step(self) -> None:
        for optimizer, parameters in zip(self.optimizers, self._parameters, strict=True):
            if self.scaler is not None:
                self.scaler.unscale_(optimizer)
            if self.clip:
                nn.utils.clip_grad_norm_(parameters, self.clip)
        for optimizer in self.optimizers:
            if self.scaler is None:
                optimizer.step()
            else:
                self.scaler.step(optimizer)
            optimizer.zero_grad(set_to_none=True)
        if self.scaler is not None:
            self.scaler.update()
