from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from pupil.errors import UsageError
from pupil.report.pictures import data_uri


def opened(uri: str) -> Image.Image:
    kind, _, data = uri.partition(",")
    assert kind == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_small_pictures_keep_every_pixel() -> None:
    picture = torch.randint(0, 256, (3, 5, 7), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(np.asarray(opened(data_uri(picture))), picture.permute(1, 2, 0).numpy())


def test_wide_pictures_become_as_wide_as_the_page_shows() -> None:
    picture = torch.full((3, 300, 1200), 90, dtype=torch.uint8)
    image = opened(data_uri(picture))
    assert image.size == (480, 120)
    assert image.getpixel((0, 0)) == (90, 90, 90)


@pytest.mark.parametrize("picture", [torch.zeros(3, 4, 4), torch.zeros(1, 4, 4, dtype=torch.uint8)])
def test_other_shapes_and_types_are_refused(picture: torch.Tensor) -> None:
    with pytest.raises(UsageError, match=r"expected a picture \(3, H, W\) of uint8"):
        data_uri(picture)
