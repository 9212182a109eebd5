"""The command `pupil`: typer turns the options of recipes into flags; nothing here imports torch before it must."""

from __future__ import annotations

import inspect
import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn, get_type_hints

import typer

from pupil import __version__
from pupil.engine.options import Training, flag
from pupil.errors import UsageError
from pupil.recipes import PAPERS, classification, detection, lanes, segmentation
from pupil.recipes.options import Classification, Detection, Lanes, Segmentation, parse_size

if TYPE_CHECKING:
    from pupil.run import Run

# Newer versions of typer carry their own copy of click; its exceptions are found through typer either way.
MISUSE: Any = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")

INTERRUPTED = 130

app = typer.Typer(
    name="pupil",
    help="Make vision models smaller and better by knowledge distillation.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
train_app = typer.Typer(rich_markup_mode=None)
app.add_typer(train_app, name="train")

Best = Annotated[bool, typer.Option("--best", help="Take the weights of the best validation, not the last.")]
Trust = Annotated[str | None, typer.Option(help="package.module:function that the run names and that may be imported.")]


def main() -> None:
    """Run the command; a mistake of the user's is one line and exit code 2."""
    if os.environ.get("RANK", "0") != "0":
        # Where several processes train one student, the first one speaks for all; errors are each one's own.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    shown, warnings.showwarning = warnings.showwarning, _warn
    try:
        code = app(prog_name="pupil", standalone_mode=False)
    except UsageError as error:
        _refuse(str(error))
    except MISUSE as error:
        _refuse(error.format_message())
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    finally:
        warnings.showwarning = shown
    if code == INTERRUPTED:  # which some versions of typer return, and others raise
        print("pupil: interrupted", file=sys.stderr)
    sys.exit(code)


def _warn(message: Warning | str, *where: Any, **how: Any) -> None:
    """A warning as one line, without the place in the code that gave it."""
    print(f"pupil: {' '.join(str(message).split())}", file=sys.stderr)


def _refuse(message: str) -> NoReturn:
    print(f"pupil: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(2)


def _version(shown: bool) -> None:
    if shown:
        print(f"pupil {__version__}")
        raise typer.Exit


def _help_without_command(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.callback(invoke_without_command=True)
def pupil(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Make vision models smaller and better by knowledge distillation."""
    _help_without_command(context)


@train_app.callback(invoke_without_command=True)
def train(context: typer.Context) -> None:
    """Train a network, alone or from a teacher."""
    _help_without_command(context)


def options_command(defaults: Training, run: Callable[[Any], None], text: str) -> Callable[..., None]:
    """A command whose flags are the fields of an options class, with some options as their defaults."""

    def command(**values: Any) -> None:
        run(replace(defaults, **{**values, "settings": (*defaults.settings, *(values["settings"] or ()))}))

    hints = get_type_hints(type(defaults))
    parameters = []
    for each in fields(defaults):
        kind = list[str] if each.name == "settings" else hints[each.name]
        names = [] if kind is bool else [f"--{flag(each.name)}"]
        default = None if each.name == "settings" else getattr(defaults, each.name)
        shown = Annotated[kind, typer.Option(*names, help=each.metadata["help"])]  # type: ignore[valid-type]
        parameters.append(
            inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=shown)
        )
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    command.__doc__ = text
    return command


def _train(recipe: Callable[[Any], Run], options: Training) -> None:
    from pupil.report.console import print_summary

    print_summary(recipe(options))


def _offer(name: str, recipe: Callable[[Any], Run], defaults: Training) -> None:
    # The mark keeps the lines of a paragraph as they are.
    text = inspect.cleandoc(recipe.__doc__ or "").partition("\n\nArgs:")[0].replace("\n\n", "\n\n\b\n")
    train_app.command(name)(options_command(defaults, partial(_train, recipe), text))


_offer(segmentation.NAME, segmentation.segmentation, Segmentation())
_offer(classification.NAME, classification.classification, Classification())
_offer(lanes.NAME, lanes.lanes, Lanes())
_offer(detection.NAME, detection.detection, Detection())
for module in PAPERS:
    _offer(module.NAME, getattr(module, module.NAME.replace("-", "_")), module.PUBLISHED)


@app.command()
def demo(
    seeds: Annotated[str, typer.Option(help="Paired seeds, separated by spaces or commas.")] = "0 1 2",
    out: Annotated[str, typer.Option(help="Folder of the comparison.")] = "runs/demo",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the comparison in --out.")] = False,
    smoke: Annotated[bool, typer.Option("--smoke", help="Shrink everything: does it run at all?")] = False,
) -> None:
    """A teacher, then one small student with and without it, on drawn street scenes; about three minutes."""
    from pupil.recipes.demo import demo as run_demo

    run_demo(seeds=seeds, out=out, overwrite=overwrite, smoke=smoke)


@app.command()
def compare(
    runs: Annotated[
        list[str], typer.Argument(help="Run folders, or NAME=FOLDER; a run of method none is the control.")
    ],
    out: Annotated[str, typer.Option(help="Folder for report.html and summary.json.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the comparison in --out.")] = False,
    trust: Annotated[
        list[str] | None, typer.Option(help="package.module:function that a run names and that may be imported.")
    ] = None,
) -> None:
    """Put finished runs side by side: the table, gains paired by seed, curves and pictures."""
    from pupil.recipes.comparison import compare_runs

    compare_runs(runs, out, overwrite=overwrite, trust=trust or ())


@app.command()
def evaluate(
    run: Annotated[str, typer.Argument(help="Run folder.")],
    data: Annotated[str | None, typer.Option(help="Data to score on; by default the run's own.")] = None,
    format: Annotated[str | None, typer.Option(help="Layout of that data folder; by default found.")] = None,
    split: Annotated[str, typer.Option(help="Split of that data: val, test, a scene of CULane.")] = "val",
    batch_size: Annotated[int, typer.Option(help="Images at once.")] = 16,
    best: Best = False,
    trust: Trust = None,
) -> None:
    """Score a run's student on a validation set; maps at the labels' own resolution."""
    from pupil.recipes.trained import evaluate_run
    from pupil.report.console import print_scores

    print_scores(*evaluate_run(run, data, format=format, split=split, batch_size=batch_size, best=best, trust=trust))


@app.command()
def predict(
    run: Annotated[str, typer.Argument(help="Run folder.")],
    images: Annotated[list[str], typer.Argument(help="Images, folders, or quoted patterns.")],
    out: Annotated[str, typer.Option(help="Folder for the predictions.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace pictures that are there already.")] = False,
    skip_bad_images: Annotated[
        bool, typer.Option("--skip-bad-images", help="Leave out images that cannot be read, instead of stopping.")
    ] = False,
    best: Best = False,
    score: Annotated[
        float | None, typer.Option(help="Score from which on overlays show a box, by default 0.5; for detectors.")
    ] = None,
    trust: Trust = None,
) -> None:
    """Write what a run's student predicts: masks, lanes or boxes and an overlay for every image, or a table of classes.

    Segmentation: masks/NAME.png. Lanes: lanes.json in TuSimple's form. Detection: boxes.json in COCO's form, all boxes
    with their scores. These with overlays/NAME.png. Classification: predictions.csv.
    """
    from pupil.recipes.trained import predict_images

    predict_images(
        run,
        images,
        out,
        overwrite=overwrite,
        skip_bad_images=skip_bad_images,
        best=best,
        score=score,
        trust=trust,
    )


@app.command()
def methods() -> None:
    """List the methods, where each comes from, and its options (--set NAME=VALUE)."""
    from pupil.report.console import print_methods

    print_methods()


@app.command()
def recipes() -> None:
    """List the recipes: `pupil train RECIPE --help` shows the flags of each."""
    from pupil.report.console import print_columns

    commands = train_app.registered_commands
    rows = [(str(each.name), (each.callback.__doc__ or "").partition("\n")[0]) for each in commands if each.callback]
    print_columns(["recipe", "what it does"], rows)


@app.command()
def layers(
    model: Annotated[
        str, typer.Argument(help="FAMILY:NAME (pupil, torchvision, timm, smp, transformers, or your module), or a run.")
    ],
    size: Annotated[str, typer.Option(help="Height x width of the image.")] = "256x256",
    classes: Annotated[int, typer.Option(help="Number of classes; a run knows its own.")] = 21,
    kind: Annotated[
        Literal["dense", "whole", "boxes"],
        typer.Option(help="For segmentation and lanes, classification, or detection; a run knows its own."),
    ] = "dense",
    trust: Trust = None,
) -> None:
    """Print every layer that can be tapped, with the shape of what it returns and of what it received."""
    from pupil.report.console import print_layers

    print_layers(model, parse_size(size), classes, trust, kind=kind)
