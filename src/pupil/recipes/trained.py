"""What a finished run can do: score a data set, and predict on images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pupil.errors import UsageError
from pupil.recipes.kinds import kind_of
from pupil.run import Run

if TYPE_CHECKING:
    import torch
    from torch import nn

    from pupil.tasks.task import Task


@dataclass(frozen=True)
class Trained:
    """A trained network together with the task it was trained for.

    Args:
        model: the student of the run, in evaluation mode.
        task: as the run remembers it.
        record: the run's record.
    """

    model: nn.Module
    task: Task
    record: Mapping[str, Any]


def load_trained(folder: str | Path, *, best: bool = False, trust: str | None = None) -> Trained:
    """The network and the task of a run folder, with its last weights, or those of its best validation."""
    from pupil.models import load_model

    record = Run(folder).rebuildable()
    task = kind_of(record).task_from(record)
    model = load_model(str(folder), len(record["classes"]), kind=task.kind, trust=trust)
    if best:
        model.load_state_dict(Run(folder).load_weights("best"))
    return Trained(model.eval(), task, record)


def evaluate_run(
    folder: str,
    data: str | None = None,
    *,
    format: str | None = None,
    split: str = "val",
    batch_size: int = 16,
    best: bool = False,
    trust: str | None = None,
) -> tuple[dict[str, float], float]:
    """The scores of a run's student on a split of a data set; by default, validation of the one it was trained with.

    Beside them the milliseconds that it takes for an image.

    Data that name some of the run's classes, or all in another order, are scored on those: a pixel gets the likeliest
    of the classes that the data know.
    """
    from pupil.data.own_code import PYTHON, is_code
    from pupil.engine.evaluation import evaluate
    from pupil.engine.speed import milliseconds_per_image
    from pupil.recipes.pictures import some_images
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
    kind, layout = kind_of(record), format or (None if data else record["data_format"])
    val = kind.validation_from(record, spec, layout, split=split, own_classes=data is not None)
    order = matching(record["classes"], val.classes)
    if order is not None:
        print(f"{len(order)} of the run's {len(record['classes'])} classes are the data's, by name")
    task = kind.task_from({**record, **kind.said_by(val)})
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
    skip_bad_images: bool = False,
    best: bool = False,
    score: float | None = None,
    trust: str | None = None,
) -> list[Path]:
    """Write what a run's student predicts: masks, lanes or boxes with overlays, or a table of classes.

    Args:
        folder: run folder.
        images: an image, a folder (those below it, where it has none itself), or a pattern such as "photos/*.jpg"; or
            several of these.
        out: where the predictions go: `masks/NAME.png` (class ids, with the classes' colours as palette), `lanes.json`
            or `boxes.json`, and `overlays/NAME.png`; or `predictions.csv`; see :mod:`pupil.recipes.predictions`.
        overwrite: whether pictures that are there already may be replaced.
        skip_bad_images: whether to leave out images that cannot be read, and name them, instead of stopping.
        best: whether to take the weights of the best validation, instead of the last ones.
        score: of a box, from which on overlays show it, by default 0.5; for detectors.
        trust: code that the run names and that may be imported.

    Returns:
        The main file of each image that was read, or of all together.

    Raises:
        UsageError: no such run or image, an image that cannot be read, pictures that are there already, and a score for
            a run without boxes.
    """
    import torch

    from pupil.data.folder import open_images
    from pupil.data.images import Unreadable
    from pupil.data.nested import moved

    trained = load_trained(folder, best=best, trust=trust)
    files, kind, task = open_images(images), kind_of(trained.record), trained.task
    if score is not None:
        if task.kind != "boxes":
            raise UsageError(f"expected a run with boxes for --score, got one of {task.name}: leave it out")
        task = kind.task_from({**trained.record, "drawn_from": score})
    writer, view = kind.writer(trained.record, task, Path(out)), kind.view_of(trained.record)
    taken = [path for name in files.names for path in writer.files(name) if path.exists()]
    if taken and not overwrite:
        raise UsageError(f"{str(taken[0])!r} is there already: pass --overwrite or another --out")
    device = _device()
    model = trained.model.to(device)
    read: list[str] = []
    for index, name in enumerate(files.names):
        try:
            _, image = files[index]
        except Unreadable as error:
            if not skip_bad_images:
                raise
            print(f"left out: {error}")
            continue
        read.append(name)
        image = image.to(torch.float32) / 255
        if view is not None:
            image, _ = view(image, None)
        prediction = moved(task.predict(model, image[None].to(device))[0], "cpu")
        writer.add(name, files.paths[index], image, prediction)
    print(writer.close())
    return list(dict.fromkeys(writer.files(name)[0] for name in read))


def _device() -> torch.device:
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
