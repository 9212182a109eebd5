from __future__ import annotations

import torch

from pupil.functional.constants import constant

CPU = torch.device("cpu")


def test_each_key_is_made_once_for_each_device() -> None:
    made = []

    def make() -> torch.Tensor:
        made.append(1)
        return torch.ones(2)

    first = constant(("test", "once"), CPU, make)
    assert constant(("test", "once"), CPU, make) is first
    assert constant(("test", "once"), torch.device("meta"), make).is_meta
    assert len(made) == 2


def test_one_born_under_inference_mode_takes_part_in_training() -> None:
    with torch.inference_mode():
        factor = constant(("test", "inference"), CPU, lambda: torch.full((2,), 3.0))
    weight = torch.ones(2, requires_grad=True)
    (weight * factor).sum().backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [3.0, 3.0]
