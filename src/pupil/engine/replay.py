"""Looks closely at a step that went wrong: which layer first showed NaN or infinity, and what it had received."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor, nn

from pupil.distiller import Distiller, Term
from pupil.engine.stepper import Batch
from pupil.errors import UsageError

SUFFIX = ".bad-batch.pt"


def inspect(distiller: Distiller, parts: Sequence[Batch], progress: float) -> str | None:
    """Where a forward pass over a step's images first stops being finite, in words; None where it does not.

    Args:
        distiller: as it was before the step.
        parts: the step's images.
        progress: the moment of the step.
    """
    all_found: list[str] = []
    # All of them, also after a finding: losses may wait for other processes in each.
    for image, target, sample in parts:
        with _watched(distiller) as found, torch.compiler.set_stance("force_eager"):
            terms = distiller(image, target, progress=progress, sample=sample)
        bad = [name for name, value in terms.items() if not value.isfinite()]
        if bad and not found:
            found.append(f", though all layers and losses were finite: the weight of {' and '.join(bad)} is not")
        all_found += found
    return next(iter(all_found), None)


def of_who_found(
    parts: Sequence[Batch], found: str | None, accelerator: Accelerator
) -> tuple[Sequence[Batch], str | None]:
    """Images and finding of the first process that found something, the first process's own where none did."""
    if accelerator.num_processes == 1:
        return parts, found
    told = gather_object([(found, _on_cpu(parts) if found else None)])
    return next(((each, said) for said, each in told if said), (parts, None))


def broken_weights(distiller: Distiller) -> list[str]:
    """The trained weights that hold NaN or infinity, by name."""
    weights = {name: each for name, each in distiller.named_parameters() if each.requires_grad}
    finite = torch.stack([each.detach().isfinite().all() for each in weights.values()]).tolist()
    return [name for name, good in zip(weights, finite, strict=True) if not good]


def refuse_broken(distiller: Distiller) -> None:
    """Refuse to begin with NaN or infinity in a weight.

    Raises:
        UsageError: naming the first such weight.
    """
    if names := broken_weights(distiller):
        raise UsageError(f"expected finite weights to begin with, got NaN or infinity in {names[0]}: load others")


def save_batch(folder: Path, parts: Sequence[Batch], step: int) -> Path:
    """Write a step's images, targets and samples beside a run; `torch.load` reads them with `weights_only=True`."""
    # Not into the run: one that fails at its start is removed.
    path = folder.with_name(folder.name + SUFFIX)
    torch.save({"step": step, "parts": _on_cpu(parts)}, path)
    return path


@contextmanager
def _watched(distiller: Distiller) -> Iterator[list[str]]:
    """Within the block, the first module that shows a number that is not finite is described in the list."""
    found: list[str] = []
    teacher = getattr(distiller.teacher, "model", None)
    roots = {"student": distiller.student.model, "losses": distiller.losses}
    roots |= {"teacher": teacher} if isinstance(teacher, nn.Module) else {}
    handles = [
        module.register_forward_hook(_Watch(f"{root}.{name}".rstrip("."), found))
        for root, top in roots.items()
        for name, module in top.named_modules()
        # A term is its loss times its weight, and what is wrong with a loss is seen there.
        if not isinstance(module, Term)
    ]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


class _Watch:
    def __init__(self, name: str, found: list[str]) -> None:
        self.name = name
        self.found = found

    def __call__(self, module: nn.Module, received: Any, shown: Any) -> None:
        outputs = _tensors(shown)
        if self.found or all(bool(each.isfinite().all()) for each in outputs):
            return
        weights = [name for name, each in module.named_parameters(recurse=False) if not bool(each.isfinite().all())]
        own = f", whose {' and '.join(weights)} had stopped being finite" if weights else ""
        self.found.append(
            f", first in {self.name}{own} (it received {_range(_tensors(received))} and showed {_range(outputs)})"
        )


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value] if value.is_floating_point() and value.numel() else []
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [each for child in children for each in _tensors(child)]


def _range(tensors: Sequence[Tensor]) -> str:
    if not tensors:
        return "no tensor"
    values = torch.cat([each.detach().float().flatten() for each in tensors])
    finite = values[values.isfinite()]
    bad = values.numel() - finite.numel()
    numbers = f"{finite.min():.3g} to {finite.max():.3g}" if finite.numel() else "nothing finite"
    return f"{numbers}, {bad} of {values.numel()} not finite" if bad else numbers


def _on_cpu(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_on_cpu(each) for each in value]
    return value.detach().cpu() if isinstance(value, Tensor) else value
