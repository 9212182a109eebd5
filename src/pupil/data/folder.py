"""Folders of images: with a mask of class ids for each, to train and evaluate on, and without, to predict."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from torch import Tensor
from torch.utils.data import Dataset

from pupil.data.classes import Classes, names_from_masks, read_classes
from pupil.data.images import SUFFIXES, is_painted, read_image
from pupil.data.labelled import LabelledImages
from pupil.data.palette import Colour
from pupil.errors import UsageError, listed


class SegmentationFolder(LabelledImages):
    """Images and their masks in `ROOT/SPLIT/images/NAME.jpg` and `ROOT/SPLIT/masks/NAME.png`.

    A mask is a grey or palette PNG whose values are class ids. What they mean stands in `ROOT/classes.json`
    (`{"classes": ["road", ...], "colours": [[128, 64, 128], ...], "ignore_index": 255}`, every part optional) or in
    the arguments, which win; without names, the ids in the masks of `train` decide. A last name that stands for the
    ignored id is left out of the classes; an earlier one keeps its place, but has no score. That every image has a mask
    of its size is checked here, once, from the files' headers.

    Args:
        root: the folder of the data.
        split: the folder below it: train, val, ...
        classes: class names in the order of the ids.
        colours: red, green and blue from 0 to 255 for each class.
        ignore_index: the id of pixels without a label; 255 where nothing says otherwise.
        labels: keep this many images, chosen by the seed; fewer of one seed are always among more of it.
        seed: of that choice.
        cache: whether to keep decoded images in memory, up to 1 GiB per process.

    Raises:
        UsageError: a folder, a mask or an image is missing, or `classes.json` is malformed; and what `LabelledImages`
            raises.
    """

    title: ClassVar[str] = "folder"
    layout: ClassVar[str] = "train/images and train/masks"

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
        folder = split_folder(root, split)
        images, masks = paired(folder / "images", folder / "masks")
        meaning = read_classes(root / "classes.json")
        if ignore_index is not None:
            meaning["ignore_index"] = ignore_index
        if classes is not None:
            described = meaning.get("colours", ())[: len(classes)]
            meaning |= {"names": tuple(classes), "colours": described if len(described) == len(classes) else ()}
        if colours is not None:
            meaning["colours"] = tuple(colours)
        if "names" not in meaning:
            training = sorted((root / "train" / "masks").glob("*.png")) or masks
            meaning["names"] = names_from_masks(training, meaning.get("ignore_index", 255))
        super().__init__(images, masks, Classes(**meaning), labels=labels, seed=seed, cache=cache)

    @classmethod
    def fits(cls, root: Path) -> bool:
        """Whether a folder looks like one of this format."""
        mask = first_mask(root)
        return mask is not None and not is_painted(mask)


def first_mask(root: Path) -> Path | None:
    """A mask of any split of a folder in this layout, or None where there is none."""
    splits = sorted(path for path in root.iterdir() if (path / "images").is_dir() and (path / "masks").is_dir())
    return next((mask for split in splits for mask in sorted((split / "masks").glob("*.png"))), None)


class ImageFiles(Dataset[tuple[str, Tensor]]):
    """Images without labels: item `i` is `(name, image)`, read when asked for, at its own size.

    Args:
        paths: the files.

    Attributes:
        paths: the files.
        names: of each, without folder and suffix; with whichever of them is needed to tell two images apart.

    Shape:
        - image: (3, H, W), uint8.

    Raises:
        UsageError: two files of the same name; on access to an item: it is corrupt.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self.paths = list(paths)
        self.names = _short_names(self.paths)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[str, Tensor]:
        return self.names[index], read_image(self.paths[index])


def _short_names(paths: Sequence[Path]) -> list[str]:
    """Names that differ: those of the files without suffix, with it, or with the folders below what all share."""
    stems, names = Counter(path.stem for path in paths), Counter(path.name for path in paths)
    if max(names.values(), default=1) == 1:
        return [path.stem if stems[path.stem] == 1 else path.name for path in paths]
    full = [path.absolute() for path in paths]
    shared = Path(os.path.commonpath([path.parent for path in full]))
    below = [path.relative_to(shared) for path in full]
    bare = Counter(path.with_suffix("") for path in below)
    return [str(path if bare[path.with_suffix("")] > 1 else path.with_suffix("")) for path in below]


def open_images(source: str | Path | Iterable[str | Path]) -> ImageFiles:
    """The images at a path, or at several, by names that differ.

    Raises:
        UsageError: nothing is there, no image among it, or two images of the same name.
    """
    return ImageFiles(image_paths(source))


def image_paths(source: str | Path | Iterable[str | Path]) -> list[Path]:
    """The files of a path: a file, a folder (or its `images` folder), a pattern like `shots/*.png`; or of several.

    Raises:
        UsageError: nothing is there, or no image among it.
    """
    sources = [source] if isinstance(source, str | Path) else list(source)
    paths = [path for each in sources for path in _images_at(Path(each))]
    if not paths:
        raise UsageError("expected at least one image, got none")
    return list(dict.fromkeys(paths))


def _images_at(path: Path) -> list[Path]:
    if path.is_dir():
        found = _images_in(path) or _images_in(path / "images") or _images_below(path)
        if not found:
            raise UsageError(f"expected images ({', '.join(SUFFIXES)}) in {path} or below, got none")
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


def _images_below(folder: Path) -> list[Path]:
    return sorted(found for each in folder.rglob("*") if each.is_dir() for found in _images_in(each))


def split_folder(root: Path, split: str) -> Path:
    """The folder of a split, once it is known to hold `images` and `masks`.

    Raises:
        UsageError: what is missing, and what is there instead.
    """
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


def paired(images: Path, masks: Path, ending: str = ".png") -> tuple[list[Path], list[Path]]:
    """The images in a folder and the mask of each in another, NAME.jpg and NAME with an ending.

    Raises:
        UsageError: there is no image, two have one name, or one has no mask.
    """
    found = _images_in(images)
    if not found:
        raise UsageError(f"expected images ({', '.join(SUFFIXES)}) in {images}, got none")
    stems = [path.stem for path in found]
    twice = _repeated(stems)
    if twice:
        raise UsageError(f"expected one image per name in {images}, got two or more of {listed(twice)}")
    there = {path.name for path in masks.iterdir()} if masks.is_dir() else set()
    bare = [stem for stem in stems if f"{stem}{ending}" not in there]
    if bare:
        raise UsageError(
            f"expected a mask for every image in {images.parent}, got none for {len(bare)} of {len(found)} "
            f"({listed(bare)}): add {masks.name}/NAME{ending}"
        )
    return found, [masks / f"{stem}{ending}" for stem in stems]


def _repeated(names: Iterable[str]) -> list[str]:
    return sorted(name for name, times in Counter(names).items() if times > 1)
