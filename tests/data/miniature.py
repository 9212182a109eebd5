"""A data set on disk, as small as it can be: for the tests of everything that reads folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image


def write_split(
    root: Path, split: str = "train", count: int = 4, size: tuple[int, int] = (6, 8), classes: int = 3
) -> Path:
    """Writes `count` pictures and their masks of ids 0 .. classes - 1 and returns the split's folder."""
    random = np.random.default_rng(count)
    for name in range(count):
        ids = random.integers(0, classes, size, dtype=np.uint8)
        ids.flat[:classes] = range(classes)
        save(root / split / "images" / f"{name:03}.png", random.integers(0, 256, (*size, 3), dtype=np.uint8))
        save(root / split / "masks" / f"{name:03}.png", ids)
    return root / split


def save(path: Path, values: Sequence[object] | np.ndarray, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values, np.uint8)).save(path, **options)
    return path


def write_class_split(
    root: Path, split: str = "train", count: int = 4, size: tuple[int, int] = (16, 16), classes: Sequence[str] = "abc"
) -> Path:
    """Writes `count` pictures a class, one folder a class, and returns the split's folder."""
    random = np.random.default_rng(count)
    for place, label in enumerate(classes):
        for name in range(count):
            # Each class has a brightness of its own, so that there is something to learn.
            pixels = random.integers(0, 60, (*size, 3)) + 60 * place
            save(root / split / label / f"{name:03}.png", pixels)
    return root / split
