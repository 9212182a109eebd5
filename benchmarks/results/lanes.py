"""Lanes on drawn scenes: SAD from several moments on beside the network alone; writes docs/results/lanes.md.

    python benchmarks/results/lanes.py [--scale small|full] [--seeds "0 1 2"]

Finished runs are kept, so that it can be stopped and started again. `small` is for two CPU cores, about half an hour;
`full` is ENet-SAD on larger scenes for a GPU.
"""

from __future__ import annotations

from dataclasses import replace

from study import Scale, Study, main

from pupil.recipes.lanes import NAME, lanes, prepare
from pupil.recipes.options import Lanes

STARTS = (0.33, 0.67, 0.85)
METHODS = {
    "none": {"method": "none"},
    **{f"sad from {start}": {"method": "sad", "settings": (f"start={start}",)} for start in STARTS},
}

COMMON = Lanes(log_every=100, evaluations=6)
SCALES = {
    "small": Scale(None, replace(COMMON, student="pupil:lane-tiny?size=64x96", steps=1600, labels=200), METHODS),
    "full": Scale(
        None,
        replace(COMMON, student="pupil:enet-sad", size="288x512", steps=20000, batch_size=12, workers=8),
        METHODS,
    ),
}

PAGE = """# Lanes

Drawn street scenes with their exact lane lines in four slots: 1,200 to train on, 200 to validate on. Trained **from
scratch**; drawn scenes are no roads, so these numbers show what SAD does here and not how far it goes on TuSimple.

```console
{command}
```

- `{student.student}`, {student.steps} steps of {student.batch_size} images at {student.size} pixels: {epochs:.0f}
  epochs of {labels} labelled scenes.
- Accuracy as TuSimple counts it, with its tolerance of 20 in 1280 pixels, and with the last weights: nothing is
  selected on these scenes.
- Networks of one seed share start, images and views; a gain is the difference to `none` of the same seed.
- `sad from 0.67` begins to distil after two thirds of the run, as published; the weight is the default share.
- `{seconds}` is `none` with as many seconds as `{equal}` took.

{table}

One of them:

```console
{student_command}
```
"""

if __name__ == "__main__":
    main(
        Study(
            name="lanes",
            title="Lanes on drawn scenes",
            lead="Self attention distillation beside the network alone, from scratch.",
            recipe=NAME,
            train=lanes,
            prepare=prepare,
            scales=SCALES,
            equal_seconds="sad from 0.33",
            page=PAGE,
        )
    )
