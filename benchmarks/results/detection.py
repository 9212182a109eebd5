"""Detection: adaptive instance distillation on one and two stages, paired seeds; writes docs/results/detection.md.

    python benchmarks/results/detection.py --data BCCD [--scale small|full] [--seeds "0 1 2"]

Finished runs are kept, so that it can be stopped and started again. `small` is for two CPU cores, an hour and a half;
`full` has all methods and is for a GPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from study import Scale, Study, main

from pupil.recipes.comparison import rows_of
from pupil.recipes.detection import NAME, detection, prepare
from pupil.recipes.options import Detection

Rows = Mapping[str, Mapping[str, Any]]


def rows(*methods: str) -> Rows:
    """The methods, and AID with another alpha: with the paper's, its weights stay near 1 and tell little apart."""
    return {**rows_of(methods), "aid alpha 0.5": {"method": "aid", "settings": ("alpha=0.5",)}}


FEW = rows("none", "fbkd", "aid")
METHODS = rows("none", "mimic", "fbkd", "aid", "pkd", "fgd")
OWN = rows_of(("none", "aid-self"))

DRAWN = Detection(log_every=100, evaluations=2)
LARGE = Detection(workers=8, evaluations=8, log_every=200, batch_size=16, learning_rate=1e-3)


def small(detector: str, steps: int, teacher: int) -> Scale:
    """For two CPU cores: a detector of ours on drawn scenes, of which the student has few."""
    return Scale(
        replace(DRAWN, student=f"pupil:{detector}", steps=teacher, evaluations=1),
        replace(DRAWN, student=f"pupil:{detector}?width=32", steps=steps, labels=40),
        FEW,
    )


def full(family: str, methods: Rows, teacher: str, sides: tuple[int, int], **options: object) -> Scale:
    """For a GPU: ResNet-18 under a pyramid, of a larger one or of its like, on images of some height and width."""
    common = replace(LARGE, **options)  # type: ignore[arg-type]
    size = f"min_size={sides[0]}&max_size={sides[1]}"
    return Scale(
        replace(common, student=f"timm:{teacher}?detector={family}&{size}"),
        replace(common, student=f"timm:resnet18?detector={family}&{size}"),
        methods,
    )


def scenes(family: str, methods: Rows, teacher: str = "resnet50") -> Scale:
    """Drawn scenes on a GPU."""
    return full(family, methods, teacher, (320, 480), scene_size="320x480", steps=6000)


def cells(methods: Rows, teacher: str = "resnet50") -> Scale:
    """Blood cells on a GPU."""
    return full("fcos", methods, teacher, (480, 640), format="voc", steps=3000)


BLOOD = replace(DRAWN, format="voc", size="160x216")

PAGE = """## {title}

- Teacher `{teacher.student}`, {teacher.steps} steps of {teacher.batch_size} images, on all training images.
- Students `{student.student}`, {student.steps} steps of {student.batch_size} images: {epochs:.0f} epochs of {labels}
  images{drawn}.
- `{seconds}` is `none` with as many seconds as `{equal}` took.

{table}

```console
{teacher_command}
{student_command}
```
"""
HEAD = """# Detection

Detectors trained **from scratch**, on drawn street scenes and on the blood cells of BCCD. These numbers say what a
method adds to the student alone under one schedule, and nothing about the papers' tables, which are of other data.

```console
{command}
```

- mAP as COCO counts it over IoU 0.5 to 0.95 on drawn scenes, as Pascal VOC counts it at 0.5 on blood cells, with the
  last weights: nothing is selected on the validation images.
- Students of one seed share start, images and views; a gain is the difference to `none` of the same seed.
- Weights are the methods' default shares, and AID's alpha is the paper's, 0.1, where the row does not say another.

"""


def study(
    part: str, title: str, equal: str, scales: dict[str, Scale], data: str | None = None, head: str = ""
) -> Study:
    """One table of the page."""
    return Study(
        name="detection",
        part=part,
        title=title,
        lead="Distillation of a detector beside the student alone, from scratch.",
        recipe=NAME,
        train=detection,
        prepare=prepare,
        scales=scales,
        equal_seconds=equal,
        page=head + PAGE,
        data=data,
    )


if __name__ == "__main__":
    main(
        study(
            "fcos",
            "One stage: FCOS on drawn scenes",
            "aid",
            {"small": small("tiny-fcos", 800, 1000), "full": scenes("fcos", METHODS)},
            head=HEAD,
        ),
        study("fcos-self", "FCOS from its own like", "aid-self", {"full": scenes("fcos", OWN, "resnet18")}),
        study(
            "fasterrcnn",
            "Two stages: Faster R-CNN on drawn scenes",
            "aid",
            {"small": small("tiny-fasterrcnn", 1200, 800), "full": scenes("fasterrcnn", METHODS)},
        ),
        study(
            "fasterrcnn-self",
            "Faster R-CNN from its own like",
            "aid-self",
            {"full": scenes("fasterrcnn", OWN, "resnet18")},
        ),
        study(
            "bccd",
            "Blood cells: FCOS on BCCD",
            "aid",
            {
                "small": Scale(
                    replace(BLOOD, student="pupil:tiny-fcos", steps=2400, evaluations=1),
                    replace(BLOOD, student="pupil:tiny-fcos?width=32", steps=2400),
                    FEW,
                ),
                "full": cells(METHODS),
            },
            data="bccd",
        ),
        study(
            "bccd-self",
            "FCOS on BCCD from its own like",
            "aid-self",
            {"full": cells(OWN, "resnet18")},
            data="bccd",
        ),
    )
