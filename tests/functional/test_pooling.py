from __future__ import annotations

import pytest
import torch

from pupil.errors import UsageError
from pupil.functional.pooling import image_vectors


def test_tokens_and_maps_of_the_same_numbers_give_the_same_vectors() -> None:
    maps = torch.randn(2, 5, 3, 4, generator=torch.Generator().manual_seed(0))
    vectors = image_vectors(maps)
    assert vectors.shape == (2, 5)
    torch.testing.assert_close(vectors[1, 2], maps[1, 2].mean())
    torch.testing.assert_close(image_vectors(maps.flatten(2).mT), vectors)
    assert image_vectors(vectors) is vectors


def test_means_are_taken_in_float32() -> None:
    assert image_vectors(torch.full((1, 1, 40, 40), 60000.0, dtype=torch.float16)).item() == 60000.0


def test_another_rank_is_refused() -> None:
    with pytest.raises(UsageError, match=r"expected vectors \(N, D\), tokens .* got \(4,\): take a layer"):
        image_vectors(torch.zeros(4))
