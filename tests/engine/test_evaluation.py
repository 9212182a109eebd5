from __future__ import annotations

import signal
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import get_worker_info

from pupil.engine.evaluation import evaluate
from pupil.tasks.segmentation import SegmentationTask

CLASSES = ["road", "car", "sky"]
TASK = SegmentationTask(CLASSES)


def items(sizes: list[tuple[int, int]]) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    found = []
    for size in sizes:
        target = torch.randint(0, 3, size, generator=generator)
        target[0, 0] = 255
        found.append((torch.rand(3, *size, generator=generator), target))
    return found


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.Dropout(), nn.Conv2d(4, 3, 1))


def naive(model: nn.Module, dataset: list[tuple[Tensor, Tensor]]) -> dict[str, float]:
    """One image after the other."""
    scores = TASK.metrics()
    model.eval()
    for image, target in dataset:
        scores.update(TASK.predict(model, image[None]), target[None])
    return scores.compute()


ONE_SIZE = [(8, 10)] * 5
SEVERAL_SIZES = [(8, 10), (8, 10), (6, 12), (9, 9), (8, 10)]


@pytest.mark.parametrize("sizes", [ONE_SIZE, SEVERAL_SIZES])
@pytest.mark.parametrize("batch_size", [1, 2, 16])
def test_agrees_with_one_image_after_the_other(sizes: list[tuple[int, int]], batch_size: int) -> None:
    dataset = items(sizes)
    found = evaluate(network(), TASK, dataset, batch_size=batch_size)
    assert found == pytest.approx(naive(network(), dataset))


def test_workers_change_nothing() -> None:
    dataset = items(SEVERAL_SIZES)
    alone, shared = (evaluate(network(), TASK, dataset, batch_size=2, workers=workers) for workers in (0, 2))
    assert alone == shared


def test_training_goes_on_as_if_nobody_had_looked() -> None:
    model = network().train()
    model[1].eval()
    flags = [module.training for module in model.modules()]
    before, random = {name: each.clone() for name, each in model.state_dict().items()}, torch.get_rng_state()
    evaluate(model, TASK, items(ONE_SIZE))
    assert [module.training for module in model.modules()] == flags
    assert all(torch.equal(each, before[name]) for name, each in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)


def test_the_training_flags_come_back_after_an_error() -> None:
    model = nn.Sequential(nn.Conv2d(4, 3, 1)).train()
    with pytest.raises(RuntimeError, match="channels"):
        evaluate(model, TASK, items(ONE_SIZE))
    assert all(module.training for module in model.modules())


def test_workers_leave_interrupts_to_the_trainer() -> None:
    class Telling(list[tuple[Tensor, Tensor]]):
        """Asks its process to end as Ctrl-C and a scheduler do."""

        def __getitem__(self, index: Any) -> Any:
            if get_worker_info():
                for number in (signal.SIGINT, signal.SIGTERM):
                    signal.raise_signal(number)
            return super().__getitem__(index)

    dataset = items(ONE_SIZE)
    found = evaluate(network(), TASK, Telling(dataset), batch_size=2, workers=1)
    assert found == pytest.approx(naive(network(), dataset))


class Counting(SegmentationTask):
    """A task whose targets are dicts, as those of detectors; it takes a list of images of any sizes."""

    def predict(self, model: nn.Module, image: Any) -> list[dict[str, Tensor]]:  # type: ignore[override]
        assert isinstance(image, list)
        return [{"mean": each.mean()} for each in image]

    def metrics(self) -> Any:
        class Means:
            def __init__(self) -> None:
                self.errors: list[float] = []

            def update(self, prediction: list[dict[str, Tensor]], target: list[dict[str, Tensor]]) -> None:
                pairs = zip(prediction, target, strict=True)
                self.errors += [float(ours["mean"] - theirs["mean"]) for ours, theirs in pairs]

            def compute(self) -> dict[str, float]:
                return {"images": len(self.errors), "error": max(map(abs, self.errors))}

        return Means()


@pytest.mark.parametrize("sizes", [[(6, 8)] * 3, [(6, 8), (5, 9), (6, 8)]])
def test_images_with_dicts_come_as_lists_whether_their_sizes_agree_or_not(sizes: list[tuple[int, int]]) -> None:
    data = [(image, {"mean": image.mean()}) for image, _ in items(sizes)]
    assert evaluate(network(), Counting(CLASSES), data, batch_size=2) == {"images": 3, "error": 0.0}
