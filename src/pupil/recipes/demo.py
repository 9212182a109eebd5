"""The main job in three minutes on a CPU: is a small network better with a teacher than alone?"""

from __future__ import annotations

import time
from dataclasses import replace

from pupil.recipes.options import Segmentation, parse_seeds

# Labels as people draw them: borders are off and small things are missed. Validation labels are exact.
# No zoom: scenes are drawn at all distances already, and a short schedule learns more without it.
SCENES = Segmentation(size="64x96", scale="1:1", colour=0.0, label_noise=0.5, learning_rate=1e-2)
# Dice, so that the teacher knows people and signs, which are few pixels each.
TEACHER = replace(SCENES, student="pupil:base", steps=500, batch_size=16, evaluations=2, dice=1.0)
# Labels are scarce where distillation is worth it: the student sees 50 of the teacher's 1,200 scenes, and 600 steps are
# as many as they are good for: the student alone gains nothing by going on (none-seconds).
STUDENT = replace(SCENES, student="pupil:tiny", steps=600, batch_size=8, labels=50)
METHODS = ("none", "kd", "aicsd")

LEAD = (
    "One small student ({student.student}) alone and with a teacher ({teacher.student}) on drawings of streets; "
    "within a seed, starts, batches and views are equal."
)
NOTES = (
    "Everything is trained from scratch in about three minutes on two CPU cores: the table shows that a method works "
    "here, not how far it goes with a real schedule.",
    "Training labels are drawn carelessly (--label-noise 0.5) for teacher and students alike, validation labels are "
    "exact. The teacher learned from 1,200 labelled scenes, with a Dice term; every student sees 50 of them, with "
    "cross-entropy.",
    "none-seconds is the student alone with as many seconds as aicsd took, which is more steps.",
)


def demo(*, seeds: str = "0 1 2", out: str = "runs/demo", overwrite: bool = False, smoke: bool = False) -> None:
    """Train a teacher, then the same small student alone, with kd and with aicsd, and show the table.

    Command: `pupil demo --seeds "0 1 2"`
    Data: drawn street scenes.
    Hardware: two CPU cores, about three minutes.

    Args:
        seeds: paired seeds, separated by spaces or commas.
        out: folder of the comparison: summary.json, report.html and one run a model.
        overwrite: replace an earlier comparison.
        smoke: shrink everything.
    """
    numbers = parse_seeds(seeds)
    from pupil.data.segmentation import validation_data
    from pupil.data.street import CLASSES
    from pupil.recipes.comparison import clear, compare, write_comparison
    from pupil.recipes.segmentation import segmentation

    clear(out, overwrite=overwrite)
    start = time.perf_counter()
    teacher, student = (replace(each, smoke=smoke) for each in (TEACHER, STUDENT))
    rows = compare(
        out,
        teacher=teacher,
        student=student,
        methods=METHODS,
        seeds=numbers,
        train=segmentation,
        equal_seconds="aicsd",
        processes=1 if smoke else 2,
    )
    write_comparison(
        out,
        rows,
        validation_data("drawn", classes=CLASSES, ignore_index=255),
        title="Drawn street scenes",
        lead=LEAD.format(teacher=teacher, student=student),
        notes=NOTES,
        commands=[f'pupil demo --seeds "{" ".join(map(str, numbers))}"'],
    )
    print(f"{time.perf_counter() - start:.0f} s")
