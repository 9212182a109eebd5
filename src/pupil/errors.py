"""The one kind of error that a user can mend, and the names that are close to a mistyped one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UsageError(ValueError):
    """A mistake of the caller: the message says in one line what was expected, what came, and what to do.

    The command prints the message alone and exits with code 2. Every other exception is a bug of ours and
    keeps its traceback.

    Example:
        >>> raise UsageError("expected a positive temperature, got -1.0: pass temperature > 0")
        Traceback (most recent call last):
        ...
        pupil.errors.UsageError: expected a positive temperature, got -1.0: pass temperature > 0
    """


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name that does not exist: it lists the closest known names, or all where none is close.

    Args:
        kind: what was looked up, for example ``"layer"``.
        name: what the caller wrote.
        known: the names that exist.

    Example:
        >>> print(unknown("method", "icds", ["kd", "icsd", "aicsd"]))
        unknown method 'icds': did you mean icsd, aicsd?
    """
    names = [other for other in known if other]
    if not names:
        return UsageError(f"unknown {kind} {name!r}: there is none")
    # A layer is often named by its last part alone, which difflib does not count as close.
    inside = [other for other in names if name.lower() in other.lower()]
    close = list(dict.fromkeys(inside + difflib.get_close_matches(name, names, n=5, cutoff=0.5)))[:5]
    if close:
        return UsageError(f"unknown {kind} {name!r}: did you mean {', '.join(close)}?")
    return UsageError(f"unknown {kind} {name!r}: expected one of {listed(names, 12)}")


def listed(values: Iterable[object], most: int = 3) -> str:
    """The first few of some names, for an error.

    Example:
        >>> listed("abc"), listed("abcd")
        ('a, b, c', 'a, b, c, ...')
    """
    shown = [str(value) for value in values]
    return ", ".join(shown[:most]) + (", ..." if len(shown) > most else "")
