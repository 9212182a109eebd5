"""What a finished run can do: score a data set, and predict on images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pupil.errors import UsageError
from pupil.run import Run

if TYPE_CHECKING:
    from torch import nn

    from pupil.tasks.segmentation import SegmentationTask


@dataclass(frozen=True)
class Trained:
    """A trained network together with the task it was trained for.

    Args:
        model: the student of the run, in evaluation mode.
        task: as the run remembers it.
        record: the run's record.
    """

    model: nn.Module
    task: SegmentationTask
    record: Mapping[str, Any]


def load_trained(folder: str | Path, *, trust: str | None = None) -> Trained:
    """The network and the task of a run folder."""
    from pupil.models import load_model
    from pupil.recipes.segmentation import task_from

    record = Run(folder).record
    model = load_model(str(folder), len(record["classes"]), trust=trust)
    return Trained(model.eval(), task_from(record), record)


def evaluate_run(
    folder: str, data: str | None = None, *, batch_size: int = 16, trust: str | None = None
) -> dict[str, float]:
    """The scores of a run's student on the validation split of a data set; by default, the one it was trained with."""
    from pupil.data.segmentation import segmentation_data
    from pupil.engine.evaluation import evaluate

    trained = load_trained(folder, trust=trust)
    record = trained.record
    spec = data or record["options"]["data"]
    if ":" in spec and not Path(spec).exists() and data is None and spec != trust:
        raise UsageError(f"the run {folder!r} names the code {spec!r}: pass --data {spec} to let it run")
    _, val = segmentation_data(
        spec,
        classes=record["classes"],
        ignore_index=record["ignore_index"],
        scene_size=tuple(record["size"] or (64, 96)),
    )
    return evaluate(trained.model, trained.task, val, batch_size=batch_size)


def predict_images(
    folder: str, images: str, out: str | Path, *, overwrite: bool = False, trust: str | None = None
) -> list[Path]:
    """Write a mask and an overlay for each image, at the image's own size.

    Args:
        folder: run folder.
        images: an image, a folder of images, or a pattern such as "photos/*.jpg".
        out: where `masks/NAME.png` (class ids, with the classes' colours as palette) and `overlays/NAME.png` go.
        overwrite: whether pictures that are there already may be replaced.
        trust: code that the run names and that may be imported.

    Returns:
        The masks' paths.
    """
    import torch

    from pupil.data.folder import open_images
    from pupil.report.pictures import save_mask, save_picture

    trained = load_trained(folder, trust=trust)
    files = open_images(images)
    masks, overlays = Path(out) / "masks", Path(out) / "overlays"
    if not overwrite and (taken := [name for name in files.names if (masks / f"{name}.png").exists()]):
        raise UsageError(f"{masks / taken[0]}.png is there already: pass --overwrite or another --out")
    for place in (masks, overlays):
        place.mkdir(parents=True, exist_ok=True)
    written = []
    for index in range(len(files)):
        name, image = files[index]
        pixels = image.to(torch.float32) / 255
        ids = trained.task.predict(trained.model, pixels[None])[0]
        save_mask(masks / f"{name}.png", ids, trained.record["colours"])
        save_picture(overlays / f"{name}.png", trained.task.draw(pixels, ids))
        written.append(masks / f"{name}.png")
    return written
