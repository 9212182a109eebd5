"""The reader's own code by name: `package.module:function`, with the current directory importable."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any

from pupil.errors import UsageError, unknown


def import_function(spec: str) -> Callable[..., Any]:
    """The function that `package.module:function` names.

    Raises:
        UsageError: if the module does not import or has no such function; the closest names are listed.

    Example:
        >>> import_function("math:floor")(2.5)
        2
    """
    name, colon, function = spec.partition(":")
    if not (name and colon and function):
        raise UsageError(f"expected package.module:function, got {spec!r}: for example mymodels:small")
    if name.endswith(".py"):
        dotted = name.removesuffix(".py").strip("./").replace("/", ".")
        raise UsageError(f"expected the name of a module, not of its file, got {spec!r}: write {dotted}:{function}")
    # As with `python -m`, modules of the current directory come first.
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"cannot import {name!r}: there is no module {error.name!r} in {os.getcwd()} or installed"
        ) from error
    except Exception as error:  # whatever the reader's module raises is theirs to mend
        raise UsageError(f"cannot import {name!r}: {type(error).__name__}: {error}") from error
    found = getattr(module, function, None)
    if not callable(found):
        raise unknown(f"function in {name}", function, [key for key, value in vars(module).items() if callable(value)])
    return found  # type: ignore[no-any-return]


def called(spec: str, function: Callable[..., Any], **options: Any) -> Any:
    """What a function of the reader's own returns.

    Args:
        spec: its name, for the error.
        function: the function.
        options: its arguments.

    Raises:
        UsageError: whatever it raises, in one line with the place in the reader's file.

    Example:
        >>> called("builtins:float", float, x="a")
        Traceback (most recent call last):
        ...
        pupil.errors.UsageError: cannot run builtins:float: it raised TypeError: float() takes no keyword arguments
    """
    try:
        return function(**options)
    except UsageError:
        raise
    except Exception as error:  # theirs to mend, like the module's own
        said = " ".join(str(error).split())[:300]
        frames = traceback.extract_tb(error.__traceback__)[1:]
        # The last line of the file that the function is in: it may have gone on into a library.
        own = [frame for frame in frames if frame.filename == frames[0].filename]
        where = f" ({own[-1].filename}, line {own[-1].lineno})" if own else ""
        raise UsageError(f"cannot run {spec}: it raised {type(error).__name__}: {said}{where}") from None


def import_package(module: str, extra: str, wanted: str) -> ModuleType:
    """A module of a package that only some readers need.

    Args:
        module: its dotted name.
        extra: the extra of ours that installs the package.
        wanted: what needs it, for the error.

    Raises:
        UsageError: where it is not installed; the command that installs it is named.

    Example:
        >>> import_package("json", "formats", "reading").loads("[1]")
        [1]
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if (error.name or "").partition(".")[0] != package:
            raise
        raise UsageError(
            f'expected {package} for {wanted}, got no such package: pip install "pupil-kd[{extra}]"'
        ) from error
