"""Miniatures of the layouts in which known data sets are unpacked, a few small images each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

from data.miniature import save
from pupil.data.voc import voc_colours

Size = tuple[int, int]
IDS = {"train": ("2007_01", "2007_02", "2008_03"), "val": ("2007_04", "2009_05")}
FURTHER = ("2010_06", "2010_07")  # what SBD adds, beside an image of VOC's validation list


def picture(size: Size, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def stripes(values: Sequence[object], size: Size) -> np.ndarray:
    """A mask whose columns go through some values, ids or colours."""
    return np.broadcast_to(np.array(values, np.uint8)[np.arange(size[1]) % len(values)], (*size, *np.shape(values[0])))


def write_voc(root: Path, size: Size = (6, 8)) -> Path:
    """`VOCdevkit/VOC2012` with palette masks of background, aeroplane, tvmonitor and border."""
    folder = root / "VOCdevkit" / "VOC2012"
    for split, names in IDS.items():
        lines(folder / "ImageSets" / "Segmentation" / f"{split}.txt", names)
        for seed, name in enumerate(names):
            save(folder / "JPEGImages" / f"{name}.jpg", picture(size, seed))
            mask = Image.fromarray(stripes([0, 1, 20, 255], size).copy())
            mask.putpalette([part for colour in voc_colours(256) for part in colour])
            (folder / "SegmentationClass").mkdir(exist_ok=True)
            mask.save(folder / "SegmentationClass" / f"{name}.png")
    return folder


def write_sbd(folder: Path, size: Size = (6, 8)) -> Path:
    """SBD as it is released, beside `VOCdevkit`; one of its images belongs to VOC's validation list."""
    sbd = folder.parents[1] / "benchmark_RELEASE" / "dataset"
    (sbd / "cls").mkdir(parents=True)
    names = (*FURTHER, IDS["train"][0], IDS["val"][0])
    lines(sbd / "train.txt", names[::2])
    lines(sbd / "val.txt", names[1::2])
    for name in names:
        save(folder / "JPEGImages" / f"{name}.jpg", picture(size))
        # A MATLAB struct in a struct, as SBD has it.
        savemat(sbd / "cls" / f"{name}.mat", {"GTcls": {"Segmentation": stripes([3, 4], size)}})
    return sbd


def write_augmented(folder: Path, size: Size = (6, 8), *, paths: bool = False) -> None:
    """`SegmentationClassAug` and `train_aug.txt`, the other form in which SBD's labels go around."""
    names = (*IDS["train"], *FURTHER)
    for name in names:
        save(folder / "JPEGImages" / f"{name}.jpg", picture(size))
        save(folder / "SegmentationClassAug" / f"{name}.png", stripes([3, 4], size))
    pairs = [f"/JPEGImages/{name}.jpg /SegmentationClassAug/{name}.png" for name in names]
    lines(folder / "ImageSets" / "Segmentation" / "train_aug.txt", pairs if paths else names)


def write_cityscapes(root: Path, size: Size = (6, 8), kind: str = "labelIds") -> Path:
    """`leftImg8bit` and `gtFine` with masks of official ids (road, licence plate, car, bicycle) or of train ids."""
    values = [7, 255, 26, 33] if kind == "labelIds" else [0, 255, 13, 18]
    for split, cities in {"train": ("aachen", "bochum"), "val": ("lindau",)}.items():
        for city in cities:
            for frame in range(2):
                name = f"{city}_00000{frame}_000019"
                save(root / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png", picture(size, frame))
                save(root / "gtFine" / split / city / f"{name}_gtFine_{kind}.png", stripes(values, size))
                save(root / "gtFine" / split / city / f"{name}_gtFine_color.png", picture(size))
    return root


def write_ade20k(root: Path, size: Size = (6, 8)) -> Path:
    """`ADEChallengeData2016` with masks of "something else", wall and flag."""
    folder = root / "ADEChallengeData2016"
    for part, count in {"training": 3, "validation": 2}.items():
        for index in range(count):
            save(folder / "images" / part / f"ADE_{part}_{index}.jpg", picture(size, index))
            save(folder / "annotations" / part / f"ADE_{part}_{index}.png", stripes([0, 1, 150], size))
    return folder


def write_camvid(root: Path, size: Size = (6, 8), *, painted: bool = False) -> Path:
    """SegNet's form, sky, bicyclist and void; or the original's, the colours of sky, motorcycle and void."""
    values = [(128, 128, 128), (192, 0, 192), (0, 0, 0)] if painted else [0, 10, 11]
    for split, count in {"train": 3, "val": 2}.items():
        for index in range(count):
            name, end = f"0001TP_{index:06}", "_L" if painted else ""
            save(root / split / f"{name}.png", picture(size, index))
            save(root / f"{split}{'_labels' if painted else 'annot'}" / f"{name}{end}.png", stripes(values, size))
    return root


def lines(path: Path, texts: Iterable[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{text}\n" for text in texts))
    return path
