"""Lane detection: where each lane is, row by row, by segmenting it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pupil.errors import UsageError, listed, unknown
from pupil.functional.resizing import resized
from pupil.lesson import Activations, Inputs, Kind, Lesson
from pupil.tasks.answers import asked, class_logits
from pupil.tasks.class_matching import names_of
from pupil.tasks.lanes_decoding import decode_lanes
from pupil.tasks.lanes_loss import LanesLoss
from pupil.tasks.lanes_metrics import FRAMES, SCORES, LanesMetrics

EXISTENCE = "existence"


class LanesTask:
    """Lane detection: a network segments background and S lanes, and may say which of the lanes are there.

    It is trained on masks and predicts points; with the metric "bdd100k", masks.

    Args:
        classes: "background", then one name a slot, left to right.
        rows: where a lane's points are predicted, as fractions of the image's height; none with "bdd100k".
        metric: "tusimple", "culane" or "bdd100k": how predictions are scored.
        colours: one (red, green, blue) a class, for pictures.
        size: (H, W) that the network sees at prediction; None means the image's own.
        ignore_index: id of pixels that count for nothing, in the loss and in the scores of masks.
        objective: options of :class:`~pupil.tasks.lanes_loss.LanesLoss`.
        frame: (H, W) of the labelled images; scores are counted at the benchmark's own size, which it is as it stands.
        top: the share of the image that is cut off above before the network sees it.
        decoding: `threshold` and `smoothing` of :func:`~pupil.tasks.lanes_decoding.decode_lanes`.

    Example:
        >>> task = LanesTask(["background", "lane 1", "lane 2"], rows=[0.5, 0.75], size=(8, 16))
        >>> task.predict(nn.Conv2d(3, 3, 1), torch.rand(1, 3, 16, 32)).shape
        torch.Size([1, 2, 2, 2])
    """

    name = "lanes"
    kind: Kind = "dense"

    def __init__(
        self,
        classes: Sequence[str],
        *,
        rows: Sequence[float] = (),
        metric: str = "tusimple",
        colours: Sequence[Sequence[int]] | None = None,
        size: tuple[int, int] | None = None,
        ignore_index: int = 255,
        objective: Mapping[str, Any] | None = None,
        frame: tuple[int, int] | None = None,
        top: float = 0.0,
        decoding: Mapping[str, Any] | None = None,
    ) -> None:
        if metric not in SCORES:
            raise unknown("metric", metric, SCORES)
        if len(classes) < 2:
            raise UsageError(f"expected background and at least one lane, got {list(classes)}: name them")
        self.masks = metric == "bdd100k"
        if not self.masks and not (len(rows) > 1 and all(0 <= row < 1 for row in rows)):
            raise UsageError(f"expected rows from 0 to below 1, two or more, got {listed(rows)}: take the data's .rows")
        if not 0 <= top < 1:
            raise UsageError(f"expected the share cut off at the top from 0 to below 1, got {top}: 0 cuts nothing")
        self.classes: Sequence[str] = tuple(classes)
        self.rows = tuple(rows)
        self.benchmark = metric
        self.colours = colours
        self.size = size
        self.ignore_index = ignore_index
        self.options = dict(objective or {})
        self.frame = FRAMES[metric] if frame is None else frame
        self.top = top
        self.decoding = dict(decoding or {})

    @property
    def metric(self) -> str:
        """The score that stands in a results table: accuracy, f1 or iou."""
        return SCORES[self.benchmark]

    @property
    def legend(self) -> Mapping[str, Sequence[int]]:
        """The colour of each lane in pictures."""
        return dict(list(zip(self.classes, self.colours or (), strict=bool(self.colours)))[1:])

    def call(self, model: nn.Module, image: Tensor, target: Any = None) -> Activations:
        """Normalise as the network expects, run it, and name the logits and, where there are any, those of existence.

        Shape:
            image: (N, 3, H, W), RGB in [0, 1]; output: (N, S + 1, h, w), at the network's own stride; feature
            "existence": (N, S).
        """
        theirs = names_of(model)
        if theirs is not None and theirs != self.classes:
            # Slots are places around the lane that is driven in: the first of four is not the first of six.
            raise UsageError(
                f"expected a network of the lanes {listed(self.classes, 8)}, got one of {listed(theirs, 8)}: train it "
                "on data with as many slots"
            )
        answer, slots = asked(model, image), len(self.classes) - 1
        logits, _ = class_logits(model, answer, self.classes)
        if logits.dim() != 4 or logits.shape[1] != slots + 1:
            raise UsageError(
                f"expected logits (N, {slots + 1}, h, w) for background and {slots} lanes, got {tuple(logits.shape)} "
                f"from {type(model).__name__}: build it with that many classes"
            )
        existence = answer.get(EXISTENCE) if isinstance(answer, Mapping) else None
        if existence is not None and existence.shape != (len(logits), slots):
            raise UsageError(
                f"expected existence logits (N, {slots}), got {tuple(existence.shape)} from {type(model).__name__}: "
                "build it with as many lanes"
            )
        return Activations(logits, {} if existence is None else {EXISTENCE: existence})

    def objective(self, **options: Any) -> tuple[nn.Module, Inputs]:
        """Cross-entropy of the mask, and of existence where the network says it; `options` override the task's own."""
        settings = {**self.options, **options}
        return LanesLoss(len(self.classes) - 1, ignore_index=self.ignore_index, **settings), _labelled

    @torch.no_grad()
    def predict(self, model: nn.Module, image: Tensor) -> Tensor:
        """Points (N, S, R, 2) float32 in pixels of the image (N, 3, H, W) as it came; with "bdd100k" ids (N, H, W).

        Every point has its row y; x is NaN where there is no point.
        """
        height, width = image.shape[-2:]
        cut = round(self.top * height)
        seen = image[..., cut:, :]
        if self.size is not None and tuple(seen.shape[-2:]) != tuple(self.size):
            seen = F.interpolate(seen, size=self.size, mode="bilinear", antialias=True)
        shown = self.call(model, seen)
        if self.masks:
            ids = resized(shown.output, (height - cut, width)).argmax(dim=1)
            return F.pad(ids, (0, 0, cut, 0)).to(torch.uint8)
        logits = resized(shown.output, seen.shape[-2:])
        settings: dict[str, Any] = {"top": self.top, **self.decoding}
        return decode_lanes(logits, shown.features.get(EXISTENCE), self.rows, (height, width), **settings)

    def metrics(self) -> LanesMetrics:
        """Fresh scores of the benchmark."""
        return LanesMetrics(self.benchmark, frame=self.frame, ignore_index=self.ignore_index)

    def draw(self, image: Tensor, prediction: Tensor, target: Tensor | None = None) -> Tensor:
        """The lanes in their colours over the image; with a target, both stand side by side, the target first.

        Shape:
            image: (3, H, W) in [0, 1]; prediction, target: points (S, P, 2) or ids (H, W); picture: (3, H, W or 2 W)
            uint8.
        """
        if self.colours is None:
            raise UsageError("expected colours to draw with, got none: pass colours=... to LanesTask")
        pictures = [self._painted(image, lanes.cpu()) for lanes in (target, prediction) if lanes is not None]
        return torch.cat(pictures, dim=2)

    def _painted(self, image: Tensor, lanes: Tensor) -> Tensor:
        palette = torch.tensor(self.colours, dtype=torch.uint8)
        ids = _drawn(lanes, image.shape[1:]) if lanes.is_floating_point() else lanes.long()
        picture = (image.detach().cpu().float().clamp(0, 1) * 255).round().to(torch.uint8)
        lane = (ids > 0) & (ids < len(self.classes)) & (ids != self.ignore_index)
        return torch.where(lane, palette[torch.where(lane, ids, 0)].permute(2, 0, 1), picture)


def _drawn(lanes: Tensor, size: Sequence[int]) -> Tensor:
    """Ids (H, W) of lines through the points that are there."""
    import numpy as np
    from PIL import Image, ImageDraw

    canvas = Image.new("L", (size[1], size[0]), 0)
    pen = ImageDraw.Draw(canvas)
    for number, lane in enumerate(lanes, start=1):
        points = [(x, y) for x, y in lane[lane.isfinite().all(dim=1)].round().tolist()]
        pen.line(points, fill=number, width=max(1, size[1] // 150))
    return torch.from_numpy(np.array(canvas)).long()


def _labelled(lesson: Lesson) -> tuple[Tensor, Tensor, Tensor | None]:
    return lesson.student.output, lesson.target, lesson.student.features.get(EXISTENCE)
