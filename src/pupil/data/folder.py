"""Folders of images: with a mask of class ids for each, to train and evaluate on, and without, to predict."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from pupil.data.classes import Classes, listed, names_from_masks, read_classes
from pupil.data.images import SUFFIXES, image_size, mask_size, read_image, read_mask
from pupil.data.palette import Colour
from pupil.errors import UsageError

CACHE_BYTES = 1 << 30


class SegmentationFolder(Dataset[tuple[Any, Any]]):
    """Images and their masks in `ROOT/SPLIT/images/NAME.jpg` and `ROOT/SPLIT/masks/NAME.png`.

    A mask is a grey or palette PNG whose values are class ids. What they mean stands in `ROOT/classes.json`
    (`{"classes": ["road", ...], "colours": [[128, 64, 128], ...], "ignore_index": 255}`, every part optional) or in
    the arguments, which win; without names, the ids in the masks of `train` decide. That every image has a mask of
    its size is checked here, once, from the files' headers.

    Args:
        root: the folder of the data.
        split: the folder below it: train, val, ...
        classes: class names in the order of the ids.
        colours: red, green and blue from 0 to 255 for each class.
        ignore_index: the id of pixels without a label; 255 where nothing says otherwise.
        labels: keep this many images, chosen by the seed; fewer of one seed are always among more of it.
        seed: of that choice.
        cache: whether to keep decoded images in memory, up to 1 GiB per process.

    Attributes:
        classes, colours, ignore_index: what the ids mean.
        images, masks, names: the files, and each image's name without folder and suffix.

    Shape:
        - image: (3, H, W), uint8, `tv_tensors.Image`.
        - mask: (H, W), int64, `tv_tensors.Mask`.

    Raises:
        UsageError: a folder, a mask or an image is missing, a file is corrupt, sizes differ, `classes.json` is
            malformed; on access to an item: its mask holds ids that are no class.
    """

    def __init__(
        self,
        root: str | Path,
        split: str,
        *,
        classes: Sequence[str] | None = None,
        colours: Sequence[Colour] | None = None,
        ignore_index: int | None = None,
        labels: int | None = None,
        seed: int = 0,
        cache: bool = False,
    ) -> None:
        root = Path(root)
        self.images, self.masks = _pairs(_split_folder(root, split))
        meaning = read_classes(root / "classes.json")
        if ignore_index is not None:
            meaning["ignore_index"] = ignore_index
        if classes is not None:
            meaning |= {"names": tuple(classes), "colours": None}
        if colours is not None:
            meaning["colours"] = tuple(colours)
        if "names" not in meaning:
            training = sorted((root / "train" / "masks").glob("*.png")) or self.masks
            meaning["names"] = names_from_masks(training, meaning.get("ignore_index", 255))
        known = Classes(**meaning)
        self.classes, self.colours, self.ignore_index = known.names, known.colours, known.ignore_index
        if labels is not None:
            kept = _few(len(self.images), labels, seed)
            self.images, self.masks = [self.images[i] for i in kept], [self.masks[i] for i in kept]
        self.names = [path.stem for path in self.images]
        _check_sizes(self.images, self.masks)
        self._cached: dict[int, tuple[Any, Any]] = {}
        self._room = CACHE_BYTES if cache else 0

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        from torchvision import tv_tensors

        if index not in self._cached:
            image, ids = read_image(self.images[index]), read_mask(self.masks[index])
            self._check_ids(self.masks[index], ids)
            if image.shape[1:] != ids.shape:
                raise _other_size(self.images[index], image.shape[1:], self.masks[index], ids.shape)
            size = image.nbytes + ids.nbytes
            if size > self._room:
                return tv_tensors.Image(image), tv_tensors.Mask(torch.from_numpy(ids.astype(np.int64)))
            self._room -= size
            self._cached[index] = image, ids
        image, ids = self._cached[index]
        # A transform that works in place must not reach what is kept.
        return tv_tensors.Image(image.clone()), tv_tensors.Mask(torch.from_numpy(ids.astype(np.int64)))

    def _check_ids(self, path: Path, ids: Any) -> None:
        count = len(self.classes)
        wrong = (ids >= count) & (ids != self.ignore_index)
        if wrong.any():
            raise UsageError(
                f"expected label ids from 0 to {count - 1} or the ignored {self.ignore_index} in {path}, got "
                f"{listed(np.unique(ids[wrong]), 5)}: pass --ignore-index if such an id means unlabelled, or name "
                "all the classes"
            )


class ImageFiles(Sequence[tuple[str, Tensor]]):
    """Images without labels: item `i` is `(name, image)`, read when asked for, at its own size.

    Args:
        paths: the files.

    Attributes:
        paths: the files.
        names: of each, without folder; without suffix too, unless two differ in nothing else.

    Shape:
        - image: (3, H, W), uint8.

    Raises:
        UsageError: two files of the same name; on access to an item: it is corrupt.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self.paths = list(paths)
        stems = [path.stem for path in self.paths]
        self.names = [path.stem if stems.count(path.stem) == 1 else path.name for path in self.paths]
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice:
            raise UsageError(f"expected images whose names differ, got {listed(twice)} more than once")

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return ImageFiles(self.paths[index])
        return self.names[index], read_image(self.paths[index])


def open_images(source: str | Path | Iterable[str | Path]) -> ImageFiles:
    """The images at a path: a file, a folder (or its `images` folder), a pattern like `shots/*.png`; or at several.

    Raises:
        UsageError: nothing is there, or no image among it.
    """
    sources = [source] if isinstance(source, str | Path) else list(source)
    paths = [path for each in sources for path in _images_at(Path(each))]
    if not paths:
        raise UsageError("expected at least one image, got none")
    return ImageFiles(dict.fromkeys(paths))


def _images_at(path: Path) -> list[Path]:
    if path.is_dir():
        found = _images_in(path) or _images_in(path / "images")
        if not found:
            raise UsageError(f"expected images ({', '.join(SUFFIXES)}) in {path}, got none")
        return found
    if path.exists():
        return [path]
    matched = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]
    found = [each for each in matched if each.suffix.lower() in SUFFIXES]
    if not found:
        raise UsageError(f"expected an image, a folder of images or a pattern, got {path}: no image is there")
    return found


def _images_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.name[0] != ".")


def _split_folder(root: Path, split: str) -> Path:
    if not root.is_dir():
        raise UsageError(f"expected a folder of data at {root}, got nothing there: pass --data DIR")
    folder = root / split
    if not folder.is_dir():
        others = sorted(path.name for path in root.iterdir() if path.is_dir())
        raise UsageError(f"expected the split {split!r} as a folder in {root}, got {listed(others, 8) or 'no folder'}")
    for part in ("images", "masks"):
        if not (folder / part).is_dir():
            others = sorted(path.name for path in folder.iterdir() if path.is_dir())
            raise UsageError(f"expected a folder {part!r} in {folder}, got {listed(others, 8) or 'no folder'}")
    return folder


def _pairs(folder: Path) -> tuple[list[Path], list[Path]]:
    """The images of a split and the mask of each."""
    images = _images_in(folder / "images")
    if not images:
        raise UsageError(f"expected images ({', '.join(SUFFIXES)}) in {folder / 'images'}, got none")
    stems = [path.stem for path in images]
    if len(set(stems)) < len(stems):
        twice = sorted({stem for stem in stems if stems.count(stem) > 1})
        raise UsageError(f"expected one image per name in {folder / 'images'}, got two or more of {listed(twice)}")
    there = {path.name for path in (folder / "masks").iterdir()}
    bare = [stem for stem in stems if f"{stem}.png" not in there]
    if bare:
        raise UsageError(
            f"expected a mask for every image in {folder}, got none for {len(bare)} of {len(images)} ({listed(bare)}): "
            "add masks/NAME.png"
        )
    return images, [folder / "masks" / f"{stem}.png" for stem in stems]


def _few(count: int, labels: int, seed: int) -> list[int]:
    if not 1 <= labels <= count:
        raise UsageError(f"expected from 1 to {count} labelled images, got {labels}: there are {count}")
    return sorted(np.random.default_rng(seed).permutation(count)[:labels].tolist())


def _check_sizes(images: Sequence[Path], masks: Sequence[Path]) -> None:
    with ThreadPoolExecutor(8) as pool:
        sizes = zip(pool.map(image_size, images), pool.map(mask_size, masks), strict=True)
        for image, mask, (own, other) in zip(images, masks, sizes, strict=True):
            if own != other:
                raise _other_size(image, own, mask, other)


def _other_size(image: Path, own: Sequence[int], mask: Path, other: Sequence[int]) -> UsageError:
    return UsageError(
        f"expected the mask {mask} to have the size of its image {image.name}, {own[1]}x{own[0]}, "
        f"got {other[1]}x{other[0]}"
    )
