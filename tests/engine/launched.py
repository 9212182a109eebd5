"""What `torchrun` starts in the tests of several processes: each method for three steps, and a few facts about it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from pupil.engine.evaluation import evaluate
from pupil.engine.options import Training
from pupil.engine.processes import make_accelerator
from pupil.engine.trainer import Trainer
from pupil.methods import NAMES, load_method
from pupil.run import Run
from pupil.tasks.segmentation import SegmentationTask

TASK = SegmentationTask(["road", "car", "sky"])
GENERATOR = torch.Generator().manual_seed(0)
# Every pixel has a label, so that all processes count equally many.
DATA = [
    (torch.rand(3, 16, 16, generator=GENERATOR), torch.randint(0, 3, (16, 16), generator=GENERATOR)) for _ in range(10)
]


def network(width: int, seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, width, 3, stride=2, padding=1),
        nn.GroupNorm(2, width),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(width, 3, 1),
    )


def train(folder: Path, method: str, **options: object) -> Run:
    """Three steps of a method in as many processes as there are."""
    settings = Training(
        steps=3, batch_size=4, evaluations=1, log_every=1, device="cpu", optimizer="sgd", learning_rate=0.1, warmup=0.0
    )
    settings = Training(**{**settings.record(), **options})
    accelerator = make_accelerator(settings)
    student = network(4, 0)
    layers = {"layer": "4"} if method in ("attention", "hint", "similarity") else {}
    torch.manual_seed(0)
    plan = load_method(method)(student, network(8, 1).eval(), TASK, DATA[0][0][None], **layers)

    def scores(model: nn.Module) -> Mapping[str, float]:
        place = {"rank": accelerator.process_index, "world": accelerator.num_processes}
        return evaluate(model, TASK, DATA, batch_size=4, **place)

    if accelerator.is_main_process:
        Run.create(folder, {})
    accelerator.wait_for_everyone()
    run = Run(folder, writes=accelerator.is_main_process)
    trainer = Trainer(
        plan.distiller, DATA, None, scores, metric="miou", options=settings, run=run, accelerator=accelerator
    )
    trainer.fit()
    accelerator.wait_for_everyone()
    return run


def weights(run: Run) -> dict[str, Tensor]:
    return run.load_weights()


def main(folder: Path) -> None:
    for method in NAMES:
        train(folder / method, method)
    train(folder / "accumulated", "kd", accumulate=2)
    rank = torch.distributed.get_rank()
    (folder / f"rank-{rank}.json").write_text(json.dumps({"world": torch.distributed.get_world_size()}))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
