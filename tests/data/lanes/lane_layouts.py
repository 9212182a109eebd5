"""Miniatures of the layouts in which lane benchmarks are unpacked, a few small images each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data.layouts import lines, picture
from data.miniature import save

SIZE = (36, 64)
ROWS = [8, 12, 16, 20, 24, 28, 32]
# The x of three lanes at these rows: the border right of the camera, that on its left, and one farther left.
RIGHT, LEFT, FAR_LEFT = [36, 38, 40, 42, 44, 46, 48], [28, 26, 24, 22, 20, 18, 16], [24, 16, 8, -2, -2, -2, -2]
FILES = {"label_data_0313.json": 2, "label_data_0601.json": 1, "label_data_0531.json": 2, "test_label.json": 1}


def record(raw_file: str, lanes: Sequence[Sequence[float]] = (RIGHT, FAR_LEFT, LEFT), **other: Any) -> str:
    """A line of a TuSimple label file."""
    return json.dumps({"raw_file": raw_file, "h_samples": ROWS, "lanes": lanes, **other})


def write_tusimple_layout(root: Path, files: Iterable[str] = FILES, size: tuple[int, int] = SIZE) -> Path:
    """Label files and clips, 3 images to train on, 2 to validate and 1 to test."""
    for name in files:
        raw_files = [f"clips/{name.split('.')[0]}/{index}/20.jpg" for index in range(FILES[name])]
        for seed, raw_file in enumerate(raw_files):
            save(root / raw_file, picture(size, seed))
        lines(root / name, [record(raw_file) for raw_file in raw_files])
    return root


def write_culane_layout(root: Path, size: tuple[int, int] = SIZE) -> Path:
    """Lists, images and the lanes beside them: the right border of the lane first, then its left one."""
    splits = {"train_gt.txt": 2, "val_gt.txt": 1, "test.txt": 2, "test_split/test0_normal.txt": 1}
    for name, count in splits.items():
        images = [f"/driver/{Path(name).stem}/{index:05}.jpg" for index in range(count)]
        for seed, image in enumerate(images):
            path = root / image.lstrip("/")
            save(path, picture(size, seed))
            lines(path.with_suffix(".lines.txt"), ["70.5 35 48 30.5 40 20 ", "-4 35 10 30 22 20"])
        flags = " /laneseg_label_w16/any.png 0 1 1 0" if name.endswith("_gt.txt") else ""
        lines(root / "list" / name, [image + flags for image in images])
    return root


def write_bdd100k_layout(root: Path, size: tuple[int, int] = SIZE) -> Path:
    """Lists, images, and masks of 0 and 255."""
    mask = np.zeros(size, np.uint8)
    mask[10:, 30:34] = 255
    for split, count in {"train": 3, "val": 2, "test": 1}.items():
        pairs = [(f"/{split}_img/{index}.jpg", f"/{split}_label/{index}.png") for index in range(count)]
        for seed, (image, label) in enumerate(pairs):
            save(root / image.lstrip("/"), picture(size, seed))
            save(root / label.lstrip("/"), mask)
        lines(root / "list" / f"{split}_gt_bdd.txt", [f"{image} {label} 1 1 1 1" for image, label in pairs])
    return root
