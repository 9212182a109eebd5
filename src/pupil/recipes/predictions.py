"""Where the predictions of a trained network on images of one's own go: pictures and tables."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from pupil.tasks.detection.task import DetectionTask
    from pupil.tasks.task import Task

LIKELIEST = 5


def file_name(name: str, path: Path) -> str:
    """The name of an image as a table says it, with its suffix, which some names have since two differ in nothing else.

    Example:
        >>> file_name("left/1", Path("photos/left/1.jpg")), file_name("1.png", Path("photos/1.png"))
        ('left/1.jpg', '1.png')
    """
    return name if Path(name).name == path.name else f"{name}{path.suffix}"


class Writer(Protocol):
    """Takes predictions image by image."""

    def files(self, name: str) -> list[Path]:
        """What will be written for an image, the main file first."""
        ...

    def add(self, name: str, path: Path, image: Tensor, prediction: Any) -> None:
        """Take the prediction on an image (3, H, W) in [0, 1], and the file that it was read from."""
        ...

    def close(self) -> str:
        """Finish, and say in a line what lies where."""
        ...


class Masks:
    """A mask of class ids, with the classes' colours as its palette, and an overlay for every image."""

    def __init__(self, out: Path, task: Task, colours: Sequence[Sequence[int]]) -> None:
        self.out, self.task, self.colours, self.count = out, task, colours, 0

    def files(self, name: str) -> list[Path]:
        return [self.out / "masks" / f"{name}.png", self.out / "overlays" / f"{name}.png"]

    def add(self, name: str, path: Path, image: Tensor, prediction: Tensor) -> None:
        from pupil.report.pictures import save_mask, save_picture

        mask, overlay = self.files(name)
        for path in (mask, overlay):
            path.parent.mkdir(parents=True, exist_ok=True)
        save_mask(mask, prediction, self.colours)
        save_picture(overlay, self.task.draw(image, prediction))
        self.count += 1

    def close(self) -> str:
        return f"{self.count} masks in {self.out}/masks, overlays in {self.out}/overlays"


class Probabilities:
    """A table with the likeliest classes of every image and how probable each is."""

    def __init__(self, out: Path, classes: Sequence[str]) -> None:
        self.path, self.classes = out / "predictions.csv", classes
        self.rows: list[list[Any]] = []

    def files(self, name: str) -> list[Path]:
        return [self.path]

    def add(self, name: str, path: Path, image: Tensor, prediction: Tensor) -> None:
        values, ids = prediction.topk(min(LIKELIEST, len(self.classes)))
        pairs = zip(ids.tolist(), values.tolist(), strict=True)
        cells = (cell for index, value in pairs for cell in (self.classes[index], f"{value:.4f}"))
        self.rows.append([file_name(name, path), *cells])

    def close(self) -> str:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        places = range(1, 1 + min(LIKELIEST, len(self.classes)))
        with self.path.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            pairs = ((f"class {place}", f"probability {place}") for place in places)
            table.writerow(["image", *(cell for pair in pairs for cell in pair)])
            table.writerows(self.rows)
        return f"the likeliest classes of {len(self.rows)} images in {self.path}"


class LanePoints:
    """Lanes as lines of JSON in the form of TuSimple, `lanes.json`, and an overlay for every image."""

    def __init__(self, out: Path, task: Task) -> None:
        self.path, self.overlays, self.task = out / "lanes.json", out / "overlays", task
        self.lines: list[str] = []

    def files(self, name: str) -> list[Path]:
        return [self.overlays / f"{name}.png", self.path]

    def add(self, name: str, path: Path, image: Tensor, prediction: Tensor) -> None:
        from pupil.data.lanes.export import as_record
        from pupil.report.pictures import save_picture

        overlay, _ = self.files(name)
        overlay.parent.mkdir(parents=True, exist_ok=True)
        save_picture(overlay, self.task.draw(image, prediction))
        self.lines.append(as_record(file_name(name, path), prediction, prediction[0, :, 1].tolist()) + "\n")

    def close(self) -> str:
        self.path.write_text("".join(self.lines), encoding="utf-8")
        return f"the lanes of {len(self.lines)} images in {self.path}, overlays in {self.overlays}"


class FoundBoxes:
    """Boxes in the form of COCO's annotations with their scores, `boxes.json`, and an overlay for every image."""

    def __init__(self, out: Path, task: DetectionTask) -> None:
        self.path, self.overlays, self.task = out / "boxes.json", out / "overlays", task
        self.images: list[dict[str, Any]] = []
        self.boxes: list[dict[str, Any]] = []
        self.drawn = 0

    def files(self, name: str) -> list[Path]:
        return [self.overlays / f"{name}.png", self.path]

    def add(self, name: str, path: Path, image: Tensor, prediction: Mapping[str, Tensor]) -> None:
        from pupil.report.pictures import save_picture

        overlay, _ = self.files(name)
        overlay.parent.mkdir(parents=True, exist_ok=True)
        save_picture(overlay, self.task.overlay(image, prediction))
        self.drawn += int(self.task.drawn(prediction).sum())
        number = len(self.images) + 1
        height, width = image.shape[1:]
        self.images.append({"id": number, "file_name": file_name(name, path), "height": height, "width": width})
        found = (prediction[key].tolist() for key in ("boxes", "labels", "scores"))
        for (left, top, right, bottom), label, score in zip(*found, strict=True):
            width, height = right - left, bottom - top
            box = {"bbox": [left, top, width, height], "area": width * height, "iscrowd": 0, "score": score}
            self.boxes.append({"id": len(self.boxes) + 1, "image_id": number, "category_id": label, **box})

    def close(self) -> str:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        categories = [{"id": number, "name": name} for number, name in enumerate(self.task.classes, start=1)]
        content = {"info": {}, "images": self.images, "categories": categories, "annotations": self.boxes}
        self.path.write_text(json.dumps(content), encoding="utf-8")
        return (
            f"{len(self.boxes)} boxes in {len(self.images)} images, {self.drawn} of them drawn "
            f"(--score {self.task.score:g}): {self.path}, overlays in {self.overlays}"
        )
