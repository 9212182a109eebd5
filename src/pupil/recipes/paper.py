"""What the recipes of papers have in common: the paper's numbers are the defaults, and any of them can be changed."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pupil.engine.options import Training
from pupil.recipes.options import Classification, Detection, Lanes, Segmentation, parse_size

if TYPE_CHECKING:
    from pupil.run import Run

Options = Segmentation | Classification | Lanes | Detection

SMOKE = 8  # a smoke run sees an eighth of the paper's sides, and fetches no weights
LEAST = 32  # which most networks still halve as often as they do
MULTIPLE = 8  # of which sides most networks take
SIDES = ("min_size", "max_size")  # of a detector, which resizes images itself


def as_published(recipe: str, published: Options, options: Options) -> Run:
    """Train by a recipe's options, of which the paper's settings belong to the paper's methods.

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
            options = replace(options, settings=(*_shared(published, options.method), *options.settings[count:]))
    if options.smoke and options.student == published.student:
        options = replace(options, student=_small(options.student))
    if options.smoke and options.size and options.size == published.size:
        options = replace(options, **_shrunk(options, options.size))
    run: Run = general(options).train_as(recipe, options)
    return run


def _shared(published: Options, method: str) -> tuple[str, ...]:
    """The paper's settings that another of its own methods takes too, as aid-self does of aid's."""
    from pupil.methods import load_method, paper_of
    from pupil.methods.settings import method_options

    paper = paper_of(published.method)
    if paper is None or paper_of(method) != paper:
        return ()
    known = method_options(load_method(method))
    return tuple(each for each in published.settings if each.partition("=")[0] in known)


def general(options: Training) -> ModuleType:
    """The recipe for any data that takes such options: its module bears the name of their class.

    Example:
        >>> general(Lanes()).NAME
        'lanes'
    """
    return import_module(f"pupil.recipes.{type(options).__name__.lower()}")


def _shrunk(options: Options, size: str) -> dict[str, Any]:
    """The sizes of a smoke run."""
    shrunk: dict[str, Any] = {"size": "x".join(str(_side(side)) for side in parse_size(size))}
    if isinstance(options, Segmentation):
        shrunk |= {"evaluation_size": None, "base": options.base and options.base // SMOKE}
    return shrunk


def _small(spec: str) -> str:
    """The same network without published weights, and for smaller images where it says how large they are."""
    name, _, query = spec.partition("?")
    kept = []
    for option, _, value in (each.partition("=") for each in query.split("&") if each):
        if option != "weights":
            kept.append(f"{option}={_side(int(value)) if option in SIDES else value}")
    return f"{name}?{'&'.join(kept)}" if kept else name


def _side(side: int) -> int:
    return max(LEAST, round(side / SMOKE / MULTIPLE) * MULTIPLE)
