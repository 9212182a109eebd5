from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from pupil.functional.resizing import resized


def test_maps_of_that_size_stay_as_they_are() -> None:
    maps = torch.rand(2, 3, 4, 5, dtype=torch.float16)
    assert resized(maps, (4, 5)) is maps


@pytest.mark.parametrize(("dtype", "becomes"), [(torch.float16, torch.float32), (torch.float64, torch.float64)])
def test_the_rest_is_interpolated_in_float32_or_better(dtype: torch.dtype, becomes: torch.dtype) -> None:
    maps = torch.rand(2, 3, 4, 5, dtype=dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = resized(maps, torch.Size((9, 7)))
    assert found.dtype == becomes
    torch.testing.assert_close(found, F.interpolate(maps.to(becomes), size=(9, 7), mode="bilinear"))
