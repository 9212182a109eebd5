"""CIFAR-10 and CIFAR-100 as torchvision unpacks them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from pupil.data.labelled import few
from pupil.errors import UsageError, unknown

FOLDERS = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}
SPLITS = ("train", "val", "test")


class CIFAR(Dataset[tuple[Any, int]]):
    """A split of CIFAR in the layout of torchvision.

    Args:
        root: the folder that holds `cifar-10-batches-py` or `cifar-100-python`.
        split: "train", or for the test images "val" or "test".
        name: "cifar10" or "cifar100".
        labels: keep this many images, chosen by the seed; a smaller choice is always part of a larger one.
        seed: of that choice.

    Attributes:
        classes: their names.
        labels: the class id of each image.
        names: split and number of each image.

    Shape:
        - image: (3, 32, 32), uint8, `tv_tensors.Image`.

    Raises:
        UsageError: there is no such split or folder, or a file of it is missing or corrupt.
    """

    def __init__(
        self, root: str | Path, split: str, *, name: str = "cifar10", labels: int | None = None, seed: int = 0
    ) -> None:
        from torchvision import datasets

        if split not in SPLITS:
            raise unknown("split of CIFAR", split, SPLITS)
        kind = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[name]
        try:
            found = kind(str(root), train=split == "train", download=False)
        except (RuntimeError, OSError, EOFError) as error:
            raise UsageError(
                f"expected {FOLDERS[name]} of {name} in {root}, got no whole one ({error}): "
                f"unpack its archive there, or run torchvision.datasets.{kind.__name__}({str(root)!r}, download=True)"
            ) from None
        kept = list(range(len(found))) if labels is None else few(len(found), labels, seed)
        self.classes: tuple[str, ...] = tuple(found.classes)
        self.labels: list[int] = [int(found.targets[index]) for index in kept]
        self.names = [f"{split} {index}" for index in kept]
        self._images = torch.from_numpy(found.data[kept]).permute(0, 3, 1, 2)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        from torchvision import tv_tensors

        return tv_tensors.Image(self._images[index].clone()), self.labels[index]
