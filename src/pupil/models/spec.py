"""The text that names a model, ``family:name?option=value&option=value``, and its options as arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from pupil.errors import UsageError, unknown
from pupil.text import convert


@dataclass(frozen=True)
class Spec:
    """A model's name taken apart.

    Args:
        family: where the model comes from: ``pupil``, ``torchvision``, or a module's dotted name.
        name: the model within it.
        options: what follows the question mark, still text.
    """

    family: str
    name: str
    options: Mapping[str, str]


def parse(text: str) -> Spec:
    """Take a model's name apart.

    Raises:
        UsageError: where it is not of the form ``family:name?option=value``.

    Example:
        >>> parse("pupil:tiny?width=24&aux=true")
        Spec(family='pupil', name='tiny', options={'width': '24', 'aux': 'true'})
    """
    head, _, query = text.partition("?")
    family, colon, name = head.partition(":")
    if not (family and colon and name):
        raise UsageError(
            f"expected a model as pupil:NAME, torchvision:NAME, package.module:function or a run folder, got {text!r}: "
            "there is no such folder, and a model's name has a colon"
        )
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise UsageError(f"expected options as ?name=value&name=value, got {'?' + query!r} in {text!r}") from None
    return Spec(family, name, dict(pairs))


def arguments(
    build: Callable[..., Any], options: Mapping[str, str], kind: str, reserved: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """The options as keyword arguments of a function, each converted by the parameter's annotation.

    Args:
        build: the function that will receive them.
        options: name to text.
        kind: whose options they are, for the error, for example ``"pupil:tiny"``.
        reserved: parameters that are not the caller's to set.

    Raises:
        UsageError: for an option that the function does not take, and for a value that does not convert.

    Example:
        >>> def build(classes: int, width: int = 16, aux: bool = False): ...
        >>> arguments(build, {"width": "24", "aux": "true"}, "build", reserved=frozenset({"classes"}))
        {'width': 24, 'aux': True}
    """
    parameters = signature(build).parameters
    free = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    known = {
        name: each.annotation
        for name, each in parameters.items()
        if name not in reserved and each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
    }
    for name in options:
        if name in reserved or (name not in known and not free):
            raise (
                unknown(f"option of {kind}", name, known)
                if known
                else UsageError(f"{kind} takes no options, got {name!r}: leave it out")
            )
    return {name: convert(text, known.get(name), name) for name, text in options.items()}


def signature(build: Callable[..., Any]) -> inspect.Signature:
    """A function's signature, with annotations as types where they can be evaluated."""
    try:
        return inspect.signature(build, eval_str=True)
    except (NameError, TypeError, AttributeError, SyntaxError):
        return inspect.signature(build)
