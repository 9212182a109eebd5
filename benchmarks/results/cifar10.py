"""CIFAR-10: self-distillation and distillation beside the student alone, paired seeds; writes docs/results/cifar10.md.

    python benchmarks/results/cifar10.py --data DIR [--scale short|small|full] [--seeds "0 1 2"]

Finished runs are kept, so that it can be stopped and started again. `short` and `small` are for two CPU cores, half an
hour and two hours; `full` is ResNet-18 on all images for a GPU.
"""

from __future__ import annotations

from dataclasses import replace

from study import Scale, Study, main

from pupil.recipes.classification import NAME, classification, prepare
from pupil.recipes.comparison import rows_of
from pupil.recipes.options import Classification

# What two cores can train until the student alone has stopped gaining, and what a GPU can.
FEW = ("none", "label-smoothing", "bake", "kd")
METHODS = {
    **rows_of((*FEW[:3], "frskd", "cs-kd", "ps-kd", "kd", "cckd", "stkd", "dkd")),
    # A batch of 128 has more of each of ten classes than CCKD's sampler would show.
    "cckd": {"method": "cckd", "settings": ("sampler=uniform",)},
}

COMMON = Classification(log_every=200)
TEACHER = replace(COMMON, student="pupil:resnet20", steps=3200, evaluations=2)
SCALES = {
    "short": Scale(TEACHER, replace(COMMON, student="pupil:resnet8", steps=1600, labels=5000, evaluations=6), FEW),
    "small": Scale(
        TEACHER,
        replace(COMMON, student="pupil:resnet8", steps=6400, labels=5000, evaluations=8),
        FEW,
    ),
    "full": Scale(
        replace(COMMON, student="pupil:resnet50", steps=78000, batch_size=128, learning_rate=0.1, workers=8),
        replace(COMMON, student="pupil:resnet18", steps=78000, batch_size=128, learning_rate=0.1, workers=8),
        METHODS,
    ),
}

PAGE = """# CIFAR-10

50,000 training and 5,000 validation images of 32 x 32 pixels, 10 classes, re-encoded as JPEG. Trained **from scratch**.
These numbers say what a method adds to the student alone under one schedule with equally many images seen, and nothing
about the papers' tables: their networks are larger and see all the images.

```console
{command}
```

- Teacher `{teacher.student}`, {teacher.steps} steps of {teacher.batch_size} images, on all training images.
- Students `{student.student}`, {student.steps} steps of {student.batch_size} images: {epochs:.0f} epochs of {labels}
  images{drawn}.
- **Every method sees as many images**: BAKE and CS-KD, whose papers take two to four times the steps, do not here.
- Accuracy with the last weights: nothing is selected on these images.
- Students of one seed share start and images; a gain is the difference to `none` of the same seed.
- `{seconds}` is `none` with as many seconds as `{equal}` took. Weights are the methods' defaults.

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
            name="cifar10",
            title="CIFAR-10",
            lead="Methods with and without a teacher beside the student alone, from scratch, equally many images seen.",
            recipe=NAME,
            train=classification,
            prepare=prepare,
            scales=SCALES,
            equal_seconds="kd",
            page=PAGE,
            data="cifar10",
        )
    )
