from __future__ import annotations

import torch

from pupil.data.nested import moved


def test_tensors_move_wherever_they_are() -> None:
    value = [{"boxes": torch.zeros(2, 4), "name": "cat"}, (torch.ones(1), None)]
    found = moved(value, "meta")
    assert found[0]["boxes"].device.type == found[1][0].device.type == "meta"
    assert (found[0]["name"], found[1][1], type(found[1])) == ("cat", None, tuple)
    assert value[0]["boxes"].device.type == "cpu"  # type: ignore[call-overload,index]
