"""CamVid: every method beside the student alone, three paired seeds; writes docs/results/camvid.md.

    python benchmarks/results/camvid.py --data DIR [--scale small|full] [--seeds "0 1 2"]

Finished runs are kept, so that it can be stopped and started again. `small` is for two CPU cores, about an hour;
`full` is the same comparison at 360 x 480 pixels for a GPU, with all labels.
"""

from __future__ import annotations

from dataclasses import replace

from study import Scale, Study, main

from pupil.recipes.options import Segmentation
from pupil.recipes.segmentation import NAME, prepare, segmentation

METHODS = ("none", "label-smoothing", "kd", "icsd", "aicsd", "pairwise", "cwd", "attention")

# Dice for all: half of the classes are a few pixels wide, and with cross-entropy alone a network finds them so late
# that no affordable schedule is long enough for the student alone.
COMMON = Segmentation(ignore_index=11, scale="0.75:1.5", batch_size=16, learning_rate=1e-2, dice=1.0)
SCALES = {
    "small": Scale(
        replace(COMMON, student="pupil:base", size="48x64", steps=2000, evaluations=4),
        # With all 367 labels the control comes within two points of this teacher, and there is nothing left to gain.
        replace(COMMON, student="pupil:tiny", size="48x64", steps=6000, batch_size=8, labels=50, log_every=250),
        METHODS,
    ),
    "full": Scale(
        replace(COMMON, student="pupil:large", size="360x480", steps=20000, evaluations=10, workers=8),
        replace(COMMON, student="pupil:small", size="360x480", steps=20000, evaluations=10, workers=8),
        METHODS,
    ),
}

PAGE = """# CamVid

Street scenes, 367 training and 101 validation images, 11 classes. Trained **from scratch**: no pretrained weights, so
these numbers say what a method adds to the student alone under one schedule, and nothing about the papers' tables.

```console
{command}
```

- Teacher `{teacher.student}`, {teacher.steps} steps on all training images.
- Students `{student.student}`, {student.steps} steps of {student.batch_size} images at {student.size} pixels:
  {epochs:.0f} epochs of {labels} labelled images{drawn}.
- mIoU is counted at the labels' own 360 x 480 pixels, with the last weights: nothing is selected on these images.
- Students of one seed share start, batches and views; a gain is the difference to `none` of the same seed.
- `{seconds}` is `none` with as many seconds as `{equal}` took. Weights are the methods' default shares.

{table}

The teacher, and one of the students:

```console
{teacher_command}
{student_command}
```
"""

if __name__ == "__main__":
    main(
        Study(
            name="camvid",
            title="CamVid",
            lead="Every method beside the student alone, from scratch.",
            recipe=NAME,
            train=segmentation,
            prepare=prepare,
            scales=SCALES,
            equal_seconds="aicsd",
            page=PAGE,
            data="camvid",
        )
    )
