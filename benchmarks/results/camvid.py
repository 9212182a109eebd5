"""CamVid: every method beside the student alone, three paired seeds; writes docs/results/camvid.md.

    python benchmarks/results/camvid.py --data DIR [--scale small|full] [--seeds "0 1 2"]

Finished runs are kept, so that it can be stopped and started again. `small` is for two CPU cores, about an hour;
`full` is the same comparison at 360 x 480 pixels for a GPU, with all labels.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from pupil.recipes.comparison import SECONDS, compare, write_comparison
from pupil.recipes.options import Segmentation, as_command, parse_seeds
from pupil.recipes.segmentation import NAME, prepare, segmentation

ROOT = Path(__file__).parents[2]
METHODS = ("none", "label-smoothing", "kd", "icsd", "aicsd", "pairwise", "cwd", "attention")

# Dice for all: half of the classes are a few pixels wide, and with cross-entropy alone a network finds them so late
# that no affordable schedule is long enough for the student alone.
COMMON = Segmentation(ignore_index=11, scale="0.75:1.5", batch_size=16, learning_rate=1e-2, dice=1.0)
SCALES = {
    "small": (
        replace(COMMON, student="pupil:base", size="48x64", steps=2000, evaluations=4),
        # With all 367 labels the control comes within two points of this teacher, and there is nothing left to gain.
        replace(COMMON, student="pupil:tiny", size="48x64", steps=6000, batch_size=8, labels=50, log_every=250),
    ),
    "full": (
        replace(COMMON, student="pupil:large", size="360x480", steps=20000, evaluations=10, workers=8),
        replace(COMMON, student="pupil:small", size="360x480", steps=20000, evaluations=10, workers=8),
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
- `{seconds}` is `none` with as many seconds as `aicsd` took. Weights are the methods' default shares.

{table}

The teacher, and one of the students:

```console
{teacher_command}
{student_command}
```
{notes}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=str(ROOT.parent / "shared" / "data" / "camvid"))
    parser.add_argument("--out", default="runs/camvid")
    parser.add_argument("--scale", choices=SCALES, default="small")
    parser.add_argument("--seeds", default="0 1 2")
    parser.add_argument("--processes", type=int, default=2, help="trainings at once")
    parser.add_argument("--page", default=str(ROOT / "docs" / "results" / "camvid.md"))
    arguments = parser.parse_args()
    seeds = parse_seeds(arguments.seeds)
    # The folder's place is the reader's own: the record and the page call it DIR.
    teacher, student = (replace(each, data=arguments.data) for each in SCALES[arguments.scale])
    material = prepare(student)
    rows = compare(
        arguments.out,
        teacher=teacher,
        student=student,
        methods=METHODS,
        seeds=seeds,
        train=segmentation,
        equal_seconds="aicsd",
        processes=arguments.processes,
    )
    command = f'make results-camvid DATA=DIR SCALE={arguments.scale} SEEDS="{" ".join(map(str, seeds))}"'
    table = write_comparison(
        arguments.out,
        rows,
        material.val,
        title="CamVid",
        lead="Every method beside the student alone, from scratch.",
        commands=[command],
    )
    page = Path(arguments.page)
    notes = page.read_text().partition("\n## Notes\n")[2] if page.is_file() else ""
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(
        PAGE.format(
            command=command,
            teacher=teacher,
            student=student,
            epochs=student.steps * student.batch_size / len(material.train),
            labels=len(material.train),
            drawn=", which each seed draws anew" if student.labels else "",
            seconds=SECONDS,
            teacher_command=as_command(NAME, replace(teacher, data="DIR", out="runs/teacher")),
            student_command=as_command(NAME, replace(student, data="DIR", method="aicsd", teacher="runs/teacher")),
            table=table.to_markdown(),
            notes=f"\n## Notes\n{notes}" if notes else "",
        )
    )
    print(page.read_text())


if __name__ == "__main__":
    main()
