"""The text that names a model, ``family:name?option=value&option=value``, and its options as arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin
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
        if not colon and "/" in text:
            raise UsageError(
                f"expected a run folder or a model as pupil:NAME, got {text!r}: there is no such run folder"
            )
        raise UsageError(
            f"expected a model as pupil:NAME, timm:NAME, package.module:function or a run folder, got {text!r}: "
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
    return {name: _value(text, known.get(name), name) for name, text in options.items()}


def _value(text: str, annotation: Any, name: str) -> Any:
    kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    single = all(kind in (bool, int, float, str, NoneType) or get_origin(kind) is Literal for kind in kinds)
    return convert(text, annotation, name) if single or "," not in text else literal(text)


def signature(build: Callable[..., Any]) -> inspect.Signature:
    """A function's signature, with annotations as types where they can be evaluated."""
    try:
        return inspect.signature(build, eval_str=True)
    except (NameError, TypeError, AttributeError, SyntaxError):
        return inspect.signature(build)


def literal(text: str) -> Any:
    """A value from its text where nobody says of which type it is; values with commas between them are a list.

    Example:
        >>> literal("0.5"), literal("2,2,2,2"), literal("relu")
        (0.5, [2, 2, 2, 2], 'relu')
    """
    return [convert(part) for part in text.split(",") if part] if "," in text else convert(text)


def wanted_weights(options: Mapping[str, str]) -> str | None:
    """Which pretrained weights the option `weights` asks for: a library's own tag, "imagenet" for its usual ones.

    Example:
        >>> wanted_weights({"weights": "true"}), wanted_weights({"weights": "none"}), wanted_weights({})
        ('imagenet', None, None)
    """
    text = options.get("weights", "none")
    if text.lower() in ("none", "false", ""):
        return None
    return "imagenet" if text.lower() in ("imagenet", "true") else text


@contextmanager
def one_line(what: str) -> Iterator[None]:
    """Turn whatever a library raises over options, files or the network into one line for the reader.

    Example:
        >>> with one_line("smp:unet refused its options"):
        ...     raise ValueError("no such depth")
        Traceback (most recent call last):
        ...
        pupil.errors.UsageError: smp:unet refused its options: no such depth
    """
    try:
        yield
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"{what}: {' '.join(str(error).split())[:300]}") from error


def untrained(spec: Spec) -> UsageError:
    """The error for a network that is asked for its own classes and has learned none."""
    return UsageError(
        f"expected a trained network, got '{spec.family}:{spec.name}', whose classifier is random: "
        "train it and pass its run"
    )
