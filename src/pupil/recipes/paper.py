"""What the recipes of papers have in common: the paper's numbers are the defaults, and any of them can be changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pupil.recipes.options import Segmentation, parse_size

if TYPE_CHECKING:
    from pupil.run import Run

SMOKE = 8  # a smoke run sees an eighth of the paper's sides, and fetches no weights


def as_published(recipe: str, published: Segmentation, options: Segmentation) -> Run:
    """Train by a recipe's options, of which the paper's settings belong to the paper's method.

    Args:
        recipe: its name.
        published: the paper's options.
        options: those of this run.
    """
    from pupil.methods import method_name
    from pupil.recipes.segmentation import train_as

    if method_name(options.method) != method_name(published.method):
        # `--method none` trains the control, or the teacher, by the same schedule.
        count = len(published.settings)
        if options.settings[:count] == published.settings:
            options = replace(options, settings=options.settings[count:])
    if options.smoke and options.student == published.student:
        options = replace(options, student=_untrained(options.student))
    if options.smoke and options.size == published.size:
        height, width = (side // SMOKE for side in parse_size(published.size))
        base = options.base and options.base // SMOKE
        options = replace(options, size=f"{height}x{width}", evaluation_size=None, base=base)
    return train_as(recipe, options)


def _untrained(spec: str) -> str:
    """The same network without published weights."""
    name, _, query = spec.partition("?")
    kept = "&".join(each for each in query.split("&") if not each.startswith("weights="))
    return f"{name}?{kept}" if kept else name
