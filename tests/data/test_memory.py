from __future__ import annotations

import numpy as np

from pupil.data.memory import Memory


def test_what_is_kept_is_read_once_and_what_has_no_room_again() -> None:
    read: list[int] = []

    def item(index: int) -> tuple[np.ndarray, np.ndarray]:
        read.append(index)
        return np.full(4, index, np.uint8), np.full(4, index, np.uint8)

    memory = Memory(item, room=20)
    for index in (0, 1, 2, 0, 1, 2):
        assert memory(index)[0][0] == index
    assert read == [0, 1, 2, 2]
