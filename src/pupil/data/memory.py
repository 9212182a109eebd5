"""What was read once and is kept, as long as there is room."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

ROOM = 1 << 30


class Memory:
    """Reads items, and keeps what it has read up to a number of bytes in each process.

    Args:
        read: gives item number `index`: something with `nbytes`, or a tuple of such.
        room: bytes, 0 to keep nothing, infinity to keep all.

    Example:
        >>> import numpy as np
        >>> squares = Memory(lambda index: np.full(4, index**2), room=64)
        >>> squares(3) is squares(3), squares(4) is squares(4)
        (True, True)
        >>> squares(5) is squares(5)
        False
    """

    def __init__(self, read: Callable[[int], Any], room: float = ROOM) -> None:
        self.read, self.room = read, room
        self._kept: dict[int, Any] = {}

    def __call__(self, index: int) -> Any:
        if index in self._kept:
            return self._kept[index]
        value = self.read(index)
        size = sum(each.nbytes for each in (value if isinstance(value, tuple) else (value,)))
        if size <= self.room:
            self.room -= size
            self._kept[index] = value
        return value
