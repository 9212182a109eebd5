"""What `torchrun` starts in the tests of several processes: short trainings, some with a fault, and facts of them."""

from __future__ import annotations

import gc
import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine import classifiers
from pupil.data.batches import Batches
from pupil.data.lanes.drawn import DrawnLanes
from pupil.distiller import Distiller, Term
from pupil.engine.evaluation import evaluate
from pupil.engine.options import Training
from pupil.engine.processes import make_accelerator
from pupil.engine.reached import freeze_unreached
from pupil.engine.trainer import Trainer
from pupil.errors import UsageError
from pupil.methods import load_method
from pupil.run import Run
from pupil.taps import Tapped
from pupil.tasks.lanes import LanesTask
from pupil.tasks.segmentation import SegmentationTask

TASK = SegmentationTask(["road", "car", "sky"])
GENERATOR = torch.Generator().manual_seed(0)
# Every pixel has a label, so that all processes count equally many.
DATA = [
    (torch.rand(3, 16, 16, generator=GENERATOR), torch.randint(0, 3, (16, 16), generator=GENERATOR)) for _ in range(10)
]
OPTIONS: dict[str, Any] = {
    "steps": 3,
    "batch_size": 4,
    "evaluations": 1,
    "log_every": 1,
    "device": "cpu",
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "warmup": 0.0,
}
DENSE = ("none", "label-smoothing", "kd", "icsd", "aicsd", "pairwise", "cwd", "attention", "hint", "similarity")
# On a classifier, some with what lets them act within four steps.
WHOLE: dict[str, dict[str, Any]] = {
    "cckd": {},
    "rkd": {},
    "pkt": {},
    "dkd": {},
    "dist": {},
    "bake": {},
    "tf-kd": {},
    "cs-kd": {},
    "ps-kd": {"every": 0.5},
    "sad": {"start": 0.3},
    "frskd": {},
    "byot": {},
    "stkd": {},
}
# Cut off after the checkpoint at step 3, between the start and the row of step 4.
CUT = {"steps": 6, "log_every": 4, "save_every": 3}


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


class Branches(nn.Module):
    """Batch statistics, dropout, an auxiliary head, and one layer for dark images and another for bright ones."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Dropout2d(0.3), nn.ReLU())
        self.dark, self.bright = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)
        self.main, self.auxiliary = nn.Conv2d(4, 3, 1), nn.Conv2d(4, 3, 1)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        shown = self.body(image)
        branch = self.dark if image.amax() < 1.0 else self.bright
        return {"out": self.main(branch(shown)), "aux": self.auxiliary(shown)}


class Unreadable(list[Any]):
    """A data set with one image that cannot be read."""

    def __init__(self, bad: int) -> None:
        super().__init__(DATA)
        self.bad = bad

    def __getitem__(self, index: Any) -> Any:
        if index == self.bad:
            raise OSError("truncated")
        return super().__getitem__(index)


def by_method(method: str, teacher: int = 1) -> Distiller:
    student = network(4, 0)
    layers = {"layer": "4"} if method in ("attention", "hint", "similarity") else {}
    torch.manual_seed(0)
    return load_method(method)(student, network(8, teacher).eval(), TASK, DATA[0][0][None], **layers).distiller


def branches(auxiliary_weight: float = 0.0) -> Distiller:
    torch.manual_seed(0)
    task = Term(*TASK.objective(auxiliary_weight=auxiliary_weight))
    return Distiller(Tapped(Branches(), call=TASK.call), None, {"task": task})


def trainer(folder: Path, distiller: Distiller, data: Any = DATA, **options: Any) -> Trainer:
    """A training of seconds in as many processes as there are."""
    settings = Training(**{**OPTIONS, **options})
    accelerator = make_accelerator(settings)

    def scores(model: nn.Module) -> Mapping[str, float]:
        place = {"rank": accelerator.process_index, "world": accelerator.num_processes}
        return evaluate(model, TASK, DATA, batch_size=4, **place)

    if accelerator.is_main_process and not settings.resume:
        Run.create(folder, {})
    accelerator.wait_for_everyone()
    run = Run(folder, writes=accelerator.is_main_process)
    return Trainer(distiller, data, None, scores, metric="miou", options=settings, run=run, accelerator=accelerator)


def train(folder: Path, method: str, **options: Any) -> Run:
    """Three steps of a method."""
    ours = trainer(folder, by_method(method), **options)
    ours.fit()
    ours.accelerator.wait_for_everyone()
    return ours.run


def weights(run: Run) -> dict[str, Tensor]:
    return run.load_weights()


def item_of(rank: int, step: int) -> int:
    """An item that this one of two processes sees in this step."""
    return list(Batches(len(DATA), 4, steps=3, seed=0, rank=rank, world=2))[step][0][0]


def refused(action: Callable[[], object]) -> str:
    try:
        action()
    except UsageError as error:
        return str(error)
    return "nothing was refused"


def classified(folder: Path, method: str) -> dict[str, Any]:
    """Four steps of a method on a classifier; where all that is trained has come to in this process."""
    ours = classifiers.trainer(folder, method, settings=WHOLE[method])
    ours.fit()
    ours.accelerator.wait_for_everyone()
    return {name: float(each.detach().double().norm()) for name, each in ours.distiller.named_parameters()}


def mixed(folder: Path) -> list[Any]:
    """Which items a process mixes in each step, and the first number that it draws for it."""
    found: list[Any] = []

    def mix(image: Tensor, target: Tensor, random: Any) -> tuple[Tensor, Tensor]:
        items = [next(n for n, (known, _) in enumerate(classifiers.DATA) if torch.equal(known, each)) for each in image]
        found.append([items, random.random()])
        return image, target

    ours = classifiers.trainer(folder, "none", mix=mix)
    found.clear()  # what was tried
    ours.fit()
    return found


class Straight(nn.Module):
    """The same four upright lanes for every image."""

    def forward(self, image: Tensor) -> Tensor:
        count, _, height, width = image.shape
        logits = torch.zeros(count, 5, height, width)
        for lane in range(1, 5):
            logits[:, lane, :, lane * width // 5] = 9.0
        return logits


def lane_scores(rank: int = 0, world: int = 1) -> dict[str, float]:
    """Scores on five images, which two processes cannot share equally."""
    data = DrawnLanes(5, (48, 64))
    task = LanesTask(data.classes, rows=data.rows, frame=data.frame)
    return evaluate(Straight(), task, data, batch_size=2, rank=rank, world=world)


class PowerCut(Exception):
    """The run stops here."""


def cut_and_resumed(folder: Path) -> dict[str, Any]:
    """The same run in one go and in two; what is frozen at the end, and the batch statistics."""
    trainer(folder / "unbroken", branches(), **CUT).fit()
    first = trainer(folder / "resumed", branches(), **CUT)
    learn = first._learn

    def learning(parts: Any) -> float:
        if first.step == 3:
            raise PowerCut
        return learn(parts)

    first._learn = learning
    try:
        first.fit()
    except PowerCut:
        # Whatever else was drawn in between is forgotten.
        torch.rand(7)
    second = trainer(folder / "resumed", branches(), resume=True, **CUT)
    second.fit()
    frozen = [name for name, each in second.student.named_parameters() if not each.requires_grad]
    return {"frozen": frozen, "statistics": second.student.body[1].running_mean.tolist()}


def asked(rank: int, auxiliary_weight: float) -> dict[str, Any]:
    """What is unreached where one process begins with a dark image and the other with a bright one."""
    taken = []

    def batches() -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for index in range(4):
            taken.append(index)
            image, target = DATA[index]
            yield image[None] + (index + rank) % 2, target[None], torch.zeros(1, 2, dtype=torch.long)

    found = freeze_unreached(branches(auxiliary_weight).train(), batches(), make_accelerator(Training(device="cpu")))
    return {"frozen": found, "batches": len(taken)}


def with_a_bad_image(folder: Path) -> str:
    """What is printed where a process cannot read an image of its share."""
    ours = trainer(folder, by_method("none"), Unreadable(item_of(1, 0)), steps=2, skip_bad_images=True)
    with redirect_stdout(io.StringIO()) as said:
        ours.fit()
    return said.getvalue()


def with_a_broken_image(folder: Path) -> str:
    """How a training ends that finds NaN in a process's share of the second step."""
    broken = item_of(1, 1)
    data = [(image * torch.nan if index == broken else image, target) for index, (image, target) in enumerate(DATA)]
    return refused(trainer(folder, by_method("none"), data).fit)


def main(folder: Path) -> None:
    for method in DENSE:
        train(folder / method, method)
    norms = {method: classified(folder / method, method) for method in WHOLE}
    train(folder / "accumulated", "kd", accumulate=2)
    rank = torch.distributed.get_rank()
    facts = {
        "world": torch.distributed.get_world_size(),
        "norms": norms,
        "lane scores": lane_scores(rank, 2),
        "mixed": mixed(folder / "mixed"),
        "branches": cut_and_resumed(folder),
        "reached together": asked(rank, auxiliary_weight=0.4),
        "unreached together": asked(rank, auxiliary_weight=0.0),
        "bad image": with_a_bad_image(folder / "bad"),
        "broken image": with_a_broken_image(folder / "broken"),
        "other teacher": refused(lambda: trainer(folder / "other", by_method("kd", teacher=1 + rank))),
    }
    (folder / f"rank-{rank}.json").write_text(json.dumps(facts))
    # The group's threads end with the last trainer that refers to it; Python must not end before them.
    gc.collect()
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
