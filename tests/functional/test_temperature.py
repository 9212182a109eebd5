from __future__ import annotations

import torch

from pupil.functional.temperature import soften


def test_divides_in_float32():
    logits = torch.tensor([1.0, 3.0], dtype=torch.float16)
    softened = soften(logits, 3.0)
    torch.testing.assert_close(softened, torch.tensor([1.0, 3.0]) / 3.0)


def test_no_copy_at_temperature_one():
    logits = torch.ones(3)
    assert soften(logits, 1.0) is logits
