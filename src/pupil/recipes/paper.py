"""What the recipes of papers have in common: the paper's numbers are the defaults, and any of them can be changed."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pupil.engine.options import Training
from pupil.recipes.options import Classification, Lanes, Segmentation, parse_size

if TYPE_CHECKING:
    from pupil.run import Run

Options = Segmentation | Classification | Lanes

SMOKE = 8  # a smoke run sees an eighth of the paper's sides, and fetches no weights
LEAST = 32  # which most networks still halve as often as they do
MULTIPLE = 8  # of which sides most networks take


def as_published(recipe: str, published: Options, options: Options) -> Run:
    """Train by a recipe's options, of which the paper's settings belong to the paper's method.

    Args:
        recipe: its name.
        published: the paper's options.
        options: those of this run.
    """
    from pupil.methods import method_name

    if method_name(options.method) != method_name(published.method):
        # `--method none` trains the control, or the teacher, by the same schedule.
        count = len(published.settings)
        if options.settings[:count] == published.settings:
            options = replace(options, settings=options.settings[count:])
    if options.smoke and options.student == published.student:
        options = replace(options, student=_untrained(options.student))
    if options.smoke and options.size == published.size:
        options = replace(options, **_shrunk(options))
    run: Run = general(options).train_as(recipe, options)
    return run


def general(options: Training) -> ModuleType:
    """The recipe for any data that takes such options: its module bears the name of their class.

    Example:
        >>> general(Lanes()).NAME
        'lanes'
    """
    return import_module(f"pupil.recipes.{type(options).__name__.lower()}")


def _shrunk(options: Options) -> dict[str, Any]:
    """The sizes of a smoke run."""
    sides = [max(LEAST, round(side / SMOKE / MULTIPLE) * MULTIPLE) for side in parse_size(options.size)]
    shrunk: dict[str, Any] = {"size": "x".join(map(str, sides))}
    if isinstance(options, Segmentation):
        shrunk |= {"evaluation_size": None, "base": options.base and options.base // SMOKE}
    return shrunk


def _untrained(spec: str) -> str:
    """The same network without published weights."""
    name, _, query = spec.partition("?")
    kept = "&".join(each for each in query.split("&") if not each.startswith("weights="))
    return f"{name}?{kept}" if kept else name
