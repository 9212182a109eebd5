"""What the command prints: the methods, the layers of a model, scores, the end of a run. It fits 80 columns."""

from __future__ import annotations

import inspect
import shlex
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from pupil.run import Run

if TYPE_CHECKING:
    from pupil.lesson import Kind
    from pupil.tasks.task import Task

WIDEST = 100


def print_columns(header: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: int = 0) -> None:
    """Rows under a header, aligned; nothing is ever cut, so that every name can be copied or searched.

    Args:
        header: names of the columns, a dim line on a terminal.
        rows: as many texts each.
        numbers: how many of the last columns are set flush right.
    """
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    left = len(header) - numbers
    console = Console(highlight=False)
    for index, row in enumerate([header, *rows]):
        cells = [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        console.print(Text("  ".join(cells).rstrip(), style="" if index else "dim"), soft_wrap=True)


def print_summary(run: Run) -> None:
    """How a run ended, beside its teacher, and where everything is."""
    from pupil.models import FAMILIES
    from pupil.report.table import Table

    table = Table([run.summary or {}])
    # One run has no control beside it, so there is no gain to show.
    shown = [column for column, name in enumerate(table.header) if name not in ("gain", "seeds")]
    rows = [[table.cells(row)[column] for column in shown] for row in table.rows]
    print()
    print_columns([table.header[column] for column in shown], rows, numbers=len(shown) - 1)
    spec = run.record["model"]["spec"]
    trust = "" if spec.partition(":")[0] in FAMILIES else f" --trust {shlex.quote(spec)}"
    print(f"\nreport  {run.folder}/report.html\nuse it  pupil predict {run.folder} IMAGES --out DIR{trust}")


def print_scores(scores: Mapping[str, float], milliseconds: float) -> None:
    """The scores of a network in percent, and the time that it takes for an image."""
    from pupil.numbers import metric_name, plain, points

    rows = [(metric_name(name), points(value)) for name, value in scores.items()]
    rows.append(("ms per image", plain(milliseconds)))
    print_columns(["score", "%"], rows, numbers=1)


def print_methods() -> None:
    """Every method with what it does, where it comes from, and its options."""
    from pupil.methods import ALIASES, NAMES, load_method, paper_of
    from pupil.methods.settings import method_options

    console = Console(highlight=False)
    for name in NAMES:
        method = load_method(name)
        paper = paper_of(name)
        short = [alias for alias, meant in ALIASES.items() if meant == name]
        console.print(Text.assemble((name, "bold"), f" ({', '.join(short)})" if short else ""))
        _paragraph(console, (inspect.getdoc(method) or "").splitlines()[0])
        if paper:
            _paragraph(console, str(paper), style="dim")
        options = [f"{option}={each.default}".lower() for option, each in method_options(method).items()]
        if options:
            _paragraph(console, f"--set {' '.join(options)}")
        console.print()
    console.print("Set an option with --set NAME=VALUE, once for each: --set share=0.5")


def print_layers(
    spec: str, size: tuple[int, int], classes: int, trust: str | None = None, *, kind: Kind = "dense"
) -> None:
    """Every layer of a model with the shapes of one forward pass."""
    from pathlib import Path

    import torch

    from pupil.models import load_model
    from pupil.models.load import kind_of_run
    from pupil.taps import dry_run
    from pupil.tasks.class_matching import names_of
    from pupil.tasks.classification import ClassificationTask
    from pupil.tasks.detection.task import DetectionTask
    from pupil.tasks.segmentation import SegmentationTask

    if Path(spec).is_dir():
        record = Run(spec).rebuildable()
        classes, kind = len(record["classes"]), kind_of_run(record)
    model = load_model(spec, classes, kind=kind, trust=trust)
    asked = {"dense": SegmentationTask, "whole": ClassificationTask, "boxes": DetectionTask}[kind]
    task: Task = asked(names_of(model) or [str(each) for each in range(classes)])
    found = dry_run(model, torch.zeros(1, 3, *size), task.call)
    rows = []
    for layer in found.layers.values():
        returns = _shape(layer.output) if layer.problem is None else layer.problem.split(":")[0]
        received = _shape(layer.received) if layer.received_problem is None else "-"
        rows.append((layer.name, layer.kind, received, returns))
    print_columns(["layer", "kind", "receives (NAME:in)", "returns (NAME)"], rows)
    if found.output is not None:
        print(f"\noutput {_shape(found.output)}, shapes without the batch")
        return
    # A detector's answer has no shape of its own; what its call names has.
    print()
    print_columns(["feature", "shape"], [(name, _shape(shape)) for name, shape in found.features.items()])


def _paragraph(console: Console, text: str, style: str = "") -> None:
    width = min(console.width, WIDEST)
    lines = textwrap.wrap(text, width, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
    console.print(Text("\n".join(lines), style=style), soft_wrap=True)


def _shape(shape: tuple[int, ...] | None) -> str:
    return "-" if shape is None else " x ".join(str(each) for each in shape[1:])
