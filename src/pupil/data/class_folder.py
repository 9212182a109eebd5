"""Images sorted into one folder a class, plain or zipped: `train/CLASS/NAME.jpg`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.utils.data import Dataset

from pupil.data.archives import File, files_below
from pupil.data.images import SUFFIXES, read_image
from pupil.data.labelled import few
from pupil.data.memory import ROOM, Memory
from pupil.errors import UsageError, listed

WORDNET = re.compile(r"n\d{8}")
IMAGENET = 1000


class ClassFolder(Dataset[tuple[Any, int]]):
    """A split of images of which each lies in the folder of its class, at any depth below it.

    The split is a folder `ROOT/SPLIT`, an archive `ROOT/SPLIT.zip`, or part of the archive that ROOT itself is. The
    thousand folders of ImageNet are called by their English names, in the usual order.

    Args:
        root: folder or zip archive of the splits.
        split: "train", "val", or another one.
        classes: names of the folders, in the order of the ids; None takes those that are there, sorted.
        labels: keep this many images, chosen by the seed; a smaller choice is always part of a larger one.
        seed: of that choice.
        cache: whether to keep decoded images in memory, up to 1 GiB in each process.

    Attributes:
        folders, classes: name of each class's folder, and what the class is called.
        labels: the class id of each image.
        names: each image's path below the split.

    Shape:
        - image: (3, H, W), uint8, `tv_tensors.Image`.

    Raises:
        UsageError: there is no such split, no class folder or no image, or a folder is no class.
    """

    def __init__(
        self,
        root: str | Path,
        split: str,
        *,
        classes: Sequence[str] | None = None,
        labels: int | None = None,
        seed: int = 0,
        cache: bool = False,
    ) -> None:
        place, found = _split(Path(root), split)
        sorted_in = [(parts, file) for parts, file in found if len(parts) > 1]
        if not sorted_in:
            raise UsageError(
                f"expected a folder of images for each class in {place}, got "
                f"{f'{len(found)} images beside one another' if found else 'no image'}: sort them as "
                f"{split}/CLASS/NAME.jpg"
            )
        there = sorted({parts[0] for parts, _ in sorted_in})
        self.folders = tuple(classes or there)
        if unknown := [name for name in there if name not in self.folders]:
            raise UsageError(
                f"expected the {len(self.folders)} classes {listed(self.folders, 5)} in {place}, got "
                f"{listed(unknown, 5)} too: sort both splits into the same folders"
            )
        self.classes = _english(self.folders)
        ids = {name: index for index, name in enumerate(self.folders)}
        kept = range(len(sorted_in)) if labels is None else few(len(sorted_in), labels, seed)
        self.files = [sorted_in[index][1] for index in kept]
        self.labels = [ids[sorted_in[index][0][0]] for index in kept]
        self.names = ["/".join(sorted_in[index][0]) for index in kept]
        self._images = Memory(self._read, ROOM if cache else 0)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        from torchvision import tv_tensors

        # A transform that works in place must not reach what is kept.
        return tv_tensors.Image(self._images(index).clone()), self.labels[index]

    def _read(self, index: int) -> Tensor:
        return read_image(self.files[index]).contiguous()

    @classmethod
    def fits(cls, root: Path) -> bool:
        """Whether there is a `train` split of this kind."""
        return root.suffix == ".zip" or (root / "train").is_dir() or (root / "train.zip").is_file()


def _split(root: Path, split: str) -> tuple[Path, list[tuple[tuple[str, ...], File]]]:
    """Where the split lies, and its images with the parts of their paths below it."""
    places = [root] if root.suffix == ".zip" else [root / split, root / f"{split}.zip"]
    place = next((each for each in places if each.exists()), None)
    if place is None:
        there = sorted(each.name for each in root.iterdir()) if root.is_dir() else []
        raise UsageError(
            f"expected {split}/CLASS/NAME.jpg or {split}.zip in {root}, got {listed(there, 8) or 'nothing there'}: "
            "pass --data DIR with a folder of class folders for each split"
        )
    found = [
        (parts, file)
        for parts, file in files_below(place)
        if file.suffix.lower() in SUFFIXES and not any(part.startswith((".", "__MACOSX")) for part in parts)
    ]
    if place.is_dir():
        return place, found
    named = [(parts[parts.index(split) + 1 :], file) for parts, file in found if split in parts[:-1]]
    # An archive of one split may repeat its name above the classes, or call one of its classes by it.
    return place, named if place == root or len(named) == len(found) else found


def _english(folders: Sequence[str]) -> tuple[str, ...]:
    """What the classes are called: as their folders, or for ImageNet by their first English name."""
    if len(folders) == IMAGENET and all(WORDNET.fullmatch(name) for name in folders):
        from torchvision.models import ResNet18_Weights

        return tuple(ResNet18_Weights.DEFAULT.meta["categories"])
    return tuple(folders)
