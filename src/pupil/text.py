"""Values from the text that people type for them: `--set share=0.5`, `pupil:tiny?width=24`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pupil.errors import UsageError, unknown


def convert(text: str, annotation: Any = None, name: str = "option") -> Any:
    """A value from its text: as the annotation says, or as a literal where it says nothing that text can be.

    Args:
        text: what was typed.
        annotation: of the argument that the value is for: `bool`, `int`, `float`, `str`, a union of these and None, or
            a `Literal` of strings.
        name: of that argument, for the error.

    Raises:
        UsageError: where the text is not of the annotated type.

    Example:
        >>> convert("24", int), convert("none", int | None), convert("yes", bool), convert("1e-3"), convert("DEFAULT")
        (24, None, True, 0.001, 'DEFAULT')
    """
    if get_origin(annotation) is Literal:
        if text not in get_args(annotation):
            raise unknown(f"value of {name!r}", text, get_args(annotation))
        return text
    kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    known = list(_READERS)
    if not all(kind in known for kind in kinds):
        kinds = tuple(known)
    for kind, (_, read) in _READERS.items():
        if kind in kinds:
            with suppress(ValueError, KeyError):
                return read(text)
    expected = " or ".join(called for kind, (called, _) in _READERS.items() if kind in kinds)
    raise UsageError(f"expected {expected} for {name!r}, got {text!r}")


_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
# What each type is called, and its reader; the first that can read a text does. A bare "1" is a number.
_READERS: dict[type, tuple[str, Callable[[str], Any]]] = {
    int: ("a whole number", int),
    float: ("a number", float),
    bool: ("true or false", lambda text: _BOOLEANS[text.lower()]),
    NoneType: ("none", lambda text: {"none": None}[text.lower()]),
    str: ("text", str),
}
