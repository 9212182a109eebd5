"""The options of a method: its keyword-only arguments, set by name and converted by annotation."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pupil.errors import UsageError, unknown


def method_options(method: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The options of a method by name."""
    parameters = inspect.signature(method).parameters
    return {name: each for name, each in parameters.items() if each.kind is inspect.Parameter.KEYWORD_ONLY}


def parse_settings(method: Callable[..., Any], settings: Iterable[str]) -> dict[str, Any]:
    """Turn `NAME=VALUE` texts into the keyword arguments of a method.

    Raises:
        UsageError: for a text without "=", an unknown name, or a value that does not fit the annotation.

    Example:
        >>> def method(student, *, temperature: float = 1.0, layer: str | None = None): ...
        >>> parse_settings(method, ["temperature=4", "layer=decoder"])
        {'temperature': 4.0, 'layer': 'decoder'}
    """
    known, hints = method_options(method), get_type_hints(method)
    values = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise UsageError(f"expected NAME=VALUE after --set, got {setting!r}: for example --set weight=1.0")
        if name not in known:
            if not known:
                raise UsageError(f"expected no options for method {method.__name__!r}, got {setting!r}: leave it out")
            raise unknown(f"option of method {method.__name__!r}", name, known)
        values[name] = _convert(name, text, hints[name])
    return values


def _convert(name: str, text: str, kind: Any) -> Any:
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            raise unknown(f"value of {name!r}", text, get_args(kind))
        return text
    if get_origin(kind) in (Union, UnionType):
        if text.lower() == "none":
            return None
        kind = next(each for each in get_args(kind) if each is not NoneType)
    if kind is bool:
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if text.lower() not in words:
            raise UsageError(f"expected true or false for {name!r}, got {text!r}")
        return words[text.lower()]
    try:
        return kind(text)
    except ValueError:
        raise UsageError(f"expected {kind.__name__} for {name!r}, got {text!r}: write --set {name}=NUMBER") from None
