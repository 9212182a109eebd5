"""What a finished run can do: score a data set, and predict on images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pupil.errors import UsageError
from pupil.run import Run

if TYPE_CHECKING:
    import torch
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


def load_trained(folder: str | Path, *, best: bool = False, trust: str | None = None) -> Trained:
    """The network and the task of a run folder, with its last weights, or those of its best validation."""
    from pupil.models import load_model
    from pupil.recipes.segmentation import task_from

    record = Run(folder).rebuildable()
    model = load_model(str(folder), len(record["classes"]), trust=trust)
    if best:
        model.load_state_dict(Run(folder).load_weights("best"))
    return Trained(model.eval(), task_from(record), record)


def evaluate_run(
    folder: str,
    data: str | None = None,
    *,
    format: str | None = None,
    batch_size: int = 16,
    best: bool = False,
    trust: str | None = None,
) -> tuple[dict[str, float], float]:
    """The scores of a run's student on the validation split of a data set; by default, the one it was trained with.

    Beside them the milliseconds that it takes for an image.

    Data that name some of the run's classes, or all in another order, are scored on those: a pixel gets the likeliest
    of the classes that the data know.
    """
    from pupil.data.formats import AUTO
    from pupil.data.segmentation import PYTHON, is_code, validation_data
    from pupil.engine.evaluation import evaluate
    from pupil.engine.speed import milliseconds_per_image
    from pupil.recipes.pictures import some_images
    from pupil.recipes.segmentation import task_from
    from pupil.tasks.class_matching import matching

    if batch_size < 1:
        raise UsageError(f"expected a batch size >= 1, got {batch_size}: change --batch-size")
    trained = load_trained(folder, best=best, trust=trust)
    record = trained.record
    spec = data or record["data"]
    if spec == PYTHON:
        raise UsageError(f"the run {folder!r} was trained on data sets from Python: pass --data")
    if is_code(spec) and spec not in (data, trust):
        raise UsageError(f"the run {folder!r} names code, {spec!r}, not run unasked: pass --data {spec} to allow it")
    val = validation_data(
        spec,
        classes=record["classes"],
        ignore_index=record["ignore_index"],
        format=format or (None if data else record["data_format"]) or AUTO,
        scene_size=tuple(record["scene_size"]),
        own_classes=data is not None,
    )
    order = matching(record["classes"], val.classes)
    if order is not None:
        print(f"{len(order)} of the run's {len(record['classes'])} classes are the data's, by name")
    known = {"colours": [list(colour) for colour in val.colours], "ignore_index": val.ignore_index}
    task = task_from({**record, "classes": list(val.classes), **known})
    device = _device()
    model = trained.model.to(device)
    scores = evaluate(model, task, val, batch_size=batch_size, device=device)
    return scores, milliseconds_per_image({"": model}, task, some_images(val))[""]


def predict_images(
    folder: str,
    images: str | Sequence[str],
    out: str | Path,
    *,
    overwrite: bool = False,
    best: bool = False,
    trust: str | None = None,
) -> list[Path]:
    """Write a mask and an overlay for each image, at the image's own size.

    Args:
        folder: run folder.
        images: an image, a folder of images, or a pattern such as "photos/*.jpg"; or several of these.
        out: where `masks/NAME.png` (class ids, with the classes' colours as palette) and `overlays/NAME.png` go.
        overwrite: whether pictures that are there already may be replaced.
        best: whether to take the weights of the best validation, instead of the last ones.
        trust: code that the run names and that may be imported.

    Returns:
        The masks' paths.
    """
    import torch

    from pupil.data.folder import open_images
    from pupil.report.pictures import save_mask, save_picture

    trained = load_trained(folder, best=best, trust=trust)
    files = open_images(images)
    device, written = _device(), []
    model = trained.model.to(device)
    places = [(Path(out) / "masks" / f"{name}.png", Path(out) / "overlays" / f"{name}.png") for name in files.names]
    taken = [path for pair in places for path in pair if path.exists()]
    if taken and not overwrite:
        raise UsageError(f"{str(taken[0])!r} is there already: pass --overwrite or another --out")
    for index, (mask, overlay) in enumerate(places):
        _, image = files[index]
        pixels = image.to(torch.float32) / 255
        ids = trained.task.predict(model, pixels[None].to(device))[0].cpu()
        for path in (mask, overlay):
            path.parent.mkdir(parents=True, exist_ok=True)
        save_mask(mask, ids, trained.record["colours"])
        save_picture(overlay, trained.task.draw(pixels, ids))
        written.append(mask)
    return written


def _device() -> torch.device:
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
