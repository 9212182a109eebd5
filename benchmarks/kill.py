"""Kills a training at random moments, resumes it, and compares what it leaves with an unbroken run, bit for bit.

python benchmarks/kill.py [--trials 50] [--seed 0]

A third of the trials kills inside the write of a checkpoint, after any number of its bytes; the others at any moment
between the first line of the recipe and its end; a fifth is killed once more while it goes on. Images are read by the
training itself and by two workers in turns. What is compared: the weights, the best weights, every row of
metrics.jsonl and the summary, clocks left out.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from pupil.data.street import StreetScenes
from pupil.recipes.options import Segmentation
from pupil.recipes.segmentation import segmentation
from pupil.run import Run

# What every child would import for itself, and takes longer than its whole run.
SLOW = "accelerate", "torchmetrics", "torchvision.transforms.v2", "pupil.engine.trainer", "pupil.report.page"
SIZE = (32, 48)
TEACHER = Segmentation(student="pupil:tiny", size="32x48", steps=4, batch_size=4, evaluations=1, device="cpu", seed=1)
STUDENT = Segmentation(
    student="pupil:tiny", method="aicsd", size="32x48", steps=40, batch_size=4, ema=0.9, evaluations=4, log_every=3,
    save_every=4, device="cpu",
)  # fmt: skip
STOPS = (STUDENT.save_every, STUDENT.steps // STUDENT.evaluations)
WRITES = len({0, *(step for each in STOPS for step in range(each, STUDENT.steps + 1, each))})  # of checkpoints
KILLED = -signal.SIGKILL

Scenes = tuple[StreetScenes, StreetScenes]


class Killed:
    """A file whose process is killed once so many bytes have been written to it."""

    def __init__(self, file: Any, after: int) -> None:
        self.file = file
        self.left = after

    def write(self, content: Any) -> int:
        whole = memoryview(content).cast("B")
        part = whole[: self.left]
        written: int = self.file.write(part)
        self.left -= len(part)
        if len(part) < len(whole):
            self.file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        return written

    def flush(self) -> None:
        self.file.flush()


def train(out: Path, teacher: Path | None, scenes: Scenes, workers: int) -> Callable[[], object]:
    """What one process does: begin the run, or go on with what there is of it."""
    base = TEACHER if teacher is None else STUDENT
    changes: dict[str, Any] = {
        "out": str(out),
        "teacher": None if teacher is None else str(teacher),
        "workers": workers,
        "resume": begun(out),
    }
    options = Segmentation(**{**vars(base), **changes})
    return lambda: segmentation(options, scenes)


def in_a_write(work: Callable[[], object], which: int, share: float) -> Callable[[], object]:
    """The same work, killed in one of its writes of a checkpoint, after this share of the file."""

    def killed() -> None:
        save, writes = torch.save, [0, 0]

        def counted(state: Any, file: Any) -> None:
            writes[0] += 1
            if writes[0] == which:
                size = writes[1] or measured(state)
                save(state, Killed(file, int(share * size)))
            else:
                save(state, file)
                writes[1] = file.tell()

        def measured(state: Any) -> int:
            with tempfile.TemporaryFile() as file:
                save(state, file)
                return file.tell()

        torch.save = counted
        work()

    return killed


def process(work: Callable[[], object], out: Path, kill_after: float | None = None) -> tuple[int, float]:
    """Exit status and seconds of a child that does this work; negative where a signal ended it.

    The child is forked, since importing torch takes longer than the whole run; the parent never uses threads.
    """
    start = time.perf_counter()
    child = os.fork()
    if not child:
        status = 1
        try:
            with out.with_suffix(".log").open("a") as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
                work()
            status = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    if kill_after is not None:
        time.sleep(max(0.0, start + kill_after - time.perf_counter()))
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), time.perf_counter() - start


def begun(out: Path) -> bool:
    """Whether there is a run to go on with."""
    return (out / "run.json").is_file()


def left_behind(folder: Path) -> tuple[Any, ...]:
    """What has to be the same, however often the run was killed: weights, rows and scores, clocks left out."""
    run = Run(folder)
    return (
        run.weights_hash(),
        run.weights_hash("best"),
        [_without_clocks(row) for row in run.metrics],
        _without_clocks(run.summary or {}),
        run.record["weights"],
    )


def _without_clocks(row: Any) -> Any:
    clocks = {"seconds", "images_per_second", "milliseconds_per_image"}
    if isinstance(row, dict):
        return {name: _without_clocks(value) for name, value in row.items() if name not in clocks}
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    # A child inherits no thread but the one that forks it.
    torch.set_num_threads(1)
    for name in SLOW:
        import_module(name)
    scenes = StreetScenes(24, SIZE), StreetScenes(8, SIZE, split="val")
    for each in scenes:
        _ = [each[index] for index in range(len(each))]  # drawn once, not in every child
    with tempfile.TemporaryDirectory() as place:
        survived = campaign(Path(place), scenes, random.Random(arguments.seed), arguments.trials)
    print(f"{survived} / {arguments.trials}")
    sys.exit(survived != arguments.trials)


def campaign(place: Path, scenes: Scenes, draw: random.Random, trials: int) -> int:
    """Print a line for each trial; return how many ended as the unbroken run did."""
    teacher, unbroken, seconds = place / "teacher", {}, {}
    done(process(train(teacher, None, scenes, 0), teacher), teacher)
    for workers in (0, 2):
        out = place / f"unbroken-{workers}"
        seconds[workers] = done(process(train(out, teacher, scenes, workers), out), out)
        unbroken[workers] = left_behind(out)
    print(f"unbroken runs: {seconds[0]:.1f} s without workers, {seconds[2]:.1f} s with two")
    if unbroken[0] != unbroken[2]:
        sys.exit("the number of workers changes what a run leaves")
    survived = 0
    for trial in range(trials):
        out, workers = place / f"trial-{trial}", (0, 2)[trial % 2]
        said = [killed_once(out, teacher, scenes, workers, draw, seconds[workers], inside=trial % 3 == 2)]
        if trial % 5 == 4:
            again = draw.uniform(0.0, seconds[workers])
            process(train(out, teacher, scenes, workers), out, again)
            said.append(f"again at {again:.2f} s")
        rows = len(Run(out).metrics) if begun(out) else 0
        status, _ = process(train(out, teacher, scenes, workers), out)
        same = status == 0 and left_behind(out) == unbroken[workers]
        survived += same
        print(
            f"{trial + 1:3}  {workers} workers  killed {', '.join(said):<34} {rows:3} rows kept  "
            f"{'the same end' if same else 'ANOTHER END'}",
            flush=True,
        )
        if not same:
            print(out.with_suffix(".log").read_text()[-2000:])
        shutil.rmtree(out, ignore_errors=True)
    return survived


def killed_once(
    out: Path, teacher: Path, scenes: Scenes, workers: int, draw: random.Random, seconds: float, *, inside: bool
) -> str:
    """Begin a run and kill it; returns when, in words."""
    moment, write = draw.uniform(0.0, seconds), (draw.randint(1, WRITES), draw.random())
    while True:
        work = train(out, teacher, scenes, workers)
        status, _ = process(in_a_write(work, *write), out) if inside else process(work, out, moment)
        if status == KILLED:
            return f"in write {write[0]} at {write[1]:.0%}" if inside else f"at {moment:.2f} s"
        if status or inside:
            sys.exit(out.with_suffix(".log").read_text())
        # The machine has become faster, and the run had ended: once more, a little earlier.
        shutil.rmtree(out)
        moment *= 0.9


def done(ended: tuple[int, float], out: Path) -> float:
    """The seconds of a run that has ended well."""
    status, seconds = ended
    if status:
        sys.exit(out.with_suffix(".log").read_text())
    return seconds


if __name__ == "__main__":
    main()
