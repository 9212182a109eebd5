"""The options of a method: its keyword-only arguments, set by name and converted by annotation."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, get_type_hints

from pupil.errors import UsageError, unknown
from pupil.text import convert


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
        values[name] = convert(text, hints[name], name)
    return values
