"""What the command prints: the methods, the layers of a model, the end of a run."""

from __future__ import annotations

import inspect

from rich.console import Console
from rich.table import Table

from pupil.run import Run


def print_summary(run: Run) -> None:
    """How a run ended, and where everything is."""
    summary = run.summary or {}
    score = f"{summary['metric']} {100 * summary['value']:.2f} %"
    teacher = summary["teacher"]
    against = f"  (teacher {100 * teacher['value']:.2f} %)" if teacher else ""
    size = f"{summary['student']['parameters']:,} parameters, {summary['steps']} steps"
    print(f"{summary['method']}: {score}{against}  {size}")
    print(f"run: {run.folder}  (weights student.safetensors, report.html)")


def print_methods() -> None:
    """Every method with its source and its options."""
    from importlib import import_module

    from pupil.methods import NAMES, load_method
    from pupil.methods.settings import method_options

    console = Console()
    for name in NAMES:
        method, module = load_method(name), import_module(f"pupil.methods.{name}")
        console.print(
            f"[bold]{name.replace('_', '-')}[/]  {(inspect.getdoc(method) or '').splitlines()[0]}", highlight=False
        )
        paper = getattr(module, "PAPER", None)
        if paper:
            console.print(f"    {paper}", highlight=False, markup=False)
        options = [f"{option}={each.default}" for option, each in method_options(method).items()]
        if options:
            console.print(f"    --set {'  '.join(options)}", highlight=False, markup=False)


def print_layers(spec: str, size: tuple[int, int], classes: int, trust: str | None = None) -> None:
    """Every layer of a model with the shapes of one forward pass."""
    from pathlib import Path

    import torch

    from pupil.models import load_model
    from pupil.taps import dry_run
    from pupil.tasks.segmentation import SegmentationTask

    if Path(spec).is_dir():
        classes = len(Run(spec).record["classes"])
    model = load_model(spec, classes, trust=trust)
    task = SegmentationTask([str(each) for each in range(classes)])
    found = dry_run(model, torch.zeros(1, 3, *size), task.call)
    table = Table("layer", "kind", "returns", "receives (NAME:in)", "not to be tapped because", box=None)
    for layer in found.layers.values():
        table.add_row(
            layer.name, layer.kind, _shape(layer.output), _shape(layer.received), (layer.problem or "").split(":")[0]
        )
    Console().print(table)
    print(f"output {_shape(found.output)}")


def _shape(shape: tuple[int, ...] | None) -> str:
    return "-" if shape is None else " x ".join(str(each) for each in shape)
