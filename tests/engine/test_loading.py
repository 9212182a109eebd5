from __future__ import annotations

import signal
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from pupil.data.batches import Batches, MixedBatches
from pupil.data.mixing import Mixing
from pupil.data.transforms import training_transform
from pupil.data.views import Views
from pupil.engine.loading import TRIAL_BATCHES, Loading, Parts
from pupil.engine.options import Training
from pupil.engine.processes import make_accelerator
from pupil.errors import UsageError

GENERATOR = torch.Generator().manual_seed(0)
DATA = [(torch.rand(3, 8, 8, generator=GENERATOR), torch.full((8, 8), index)) for index in range(7)]


def loading(data: Any = DATA, **options: Any) -> Loading:
    settings = Training(**{"steps": 12, "batch_size": 4, "device": "cpu", **options})
    return Loading(Views(data, training_transform(6)), settings, make_accelerator(settings))


def flat(steps: Any) -> list[Tensor]:
    return [each for parts in steps for part in parts for each in part]


def same(ours: list[Tensor], theirs: list[Tensor]) -> bool:
    return len(ours) == len(theirs) and all(torch.equal(*pair) for pair in zip(ours, theirs, strict=True))


def test_the_batches_of_the_sampler_as_the_data_sets_views() -> None:
    ours = loading()
    found = list(ours.steps(first=0))
    expected = list(Batches(7, 4, steps=12, seed=0))
    assert [len(parts) for parts in found] == [1] * 12
    assert [[tuple(item) for item in parts[0][2].tolist()] for parts in found] == expected
    assert torch.equal(found[3][0][0][1], ours.views[expected[3][1]][0])


@pytest.mark.parametrize("settings", [{}, {"workers": 2}, {"accumulate": 2}])
@pytest.mark.parametrize("first", [0, 5, 12])
def test_it_begins_anywhere_with_what_the_whole_run_sees_there(settings: dict[str, Any], first: int) -> None:
    whole = list(loading(accumulate=settings.get("accumulate", 1)).steps(first=0))
    assert same(flat(loading(**settings).steps(first=first)), flat(whole[first:]))


def test_the_parts_of_a_step_deal_its_images_out() -> None:
    whole, halves = (list(loading(accumulate=parts).steps(first=0)) for parts in (1, 2))
    assert [len(parts) for parts in halves] == [2] * 12
    for (batch,), parts in zip(whole, halves, strict=True):
        for place, part in enumerate(parts):
            assert same(list(part), [each[place::2] for each in batch])


def test_each_part_has_its_share_of_both_kinds_of_images() -> None:
    settings = Training(steps=3, batch_size=16, accumulate=4, device="cpu")
    mixed = partial(MixedBatches, second=4, share=0.25)
    ours = Loading(Views(DATA), settings, make_accelerator(settings), mixed)
    for parts in ours.steps(first=0):
        assert [[int(index) >= 3 for index, _ in part[2]] for part in parts] == [[False, False, False, True]] * 4


def test_a_batch_that_parts_cannot_share_is_refused() -> None:
    with pytest.raises(UsageError, match="that 2 parts can share equally, got 3 images in each process"):
        list(Parts([[(0, 0), (1, 0), (2, 0)]], 2))


@pytest.mark.parametrize("first", [0, 9])
def test_a_trial_shows_what_comes_next_and_takes_nothing_away(first: int) -> None:
    ours, random = loading(), torch.get_rng_state()
    trial = list(ours.trial(first))
    assert len(trial) == min(TRIAL_BATCHES, 12 - first)
    assert same(flat(ours.steps(first))[: 3 * len(trial)], flat([trial]))
    assert torch.equal(torch.get_rng_state(), random)


def test_a_trial_in_another_precision_shows_the_same_images() -> None:
    def turned(image: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        return image.as_subclass(Tensor) @ torch.rand(8, 8), target

    settings = Training(steps=3, batch_size=4, device="cpu")
    ours = Loading(Views(DATA, turned), settings, make_accelerator(settings))
    with torch.autocast("cpu", torch.bfloat16):
        trial = list(ours.trial(first=0))
    assert same(flat([trial]), flat(ours.steps(first=0)))


def test_other_batches_are_asked_for_with_the_runs_numbers() -> None:
    asked: list[Any] = []

    def batches(*args: Any, **more: Any) -> Batches:
        asked.append((args, more))
        return Batches(*args, **more)

    settings = Training(steps=12, batch_size=4, accumulate=2, seed=5, device="cpu")
    ours = Loading(Views(DATA), settings, make_accelerator(settings), batches)
    next(ours.steps(first=3))
    assert asked == [((7, 4), {"steps": 12, "seed": 5, "first": 3, "rank": 0, "world": 1})]


class Handlers:
    """A data set that tells what its process would do on a signal."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> tuple[Tensor, bool]:
        ignored = all(signal.getsignal(each) is signal.SIG_IGN for each in (signal.SIGINT, signal.SIGTERM))
        return torch.zeros(3, 8, 8), ignored


def test_workers_leave_interrupts_to_the_trainer() -> None:
    settings = Training(steps=1, batch_size=4, workers=1, device="cpu")
    ((_, ignored, _),) = next(Loading(Views(Handlers()), settings, make_accelerator(settings)).steps(first=0))
    assert ignored.tolist() == [True] * 4


@pytest.mark.parametrize("settings", [{}, {"workers": 2}, {"accumulate": 2}])
def test_mixed_batches_are_a_function_of_seed_and_step_too(settings: dict[str, Any]) -> None:
    def mixed(**options: Any) -> Loading:
        found = loading(**{"seed": 1, **options})
        return Loading(found.views, found.options, found.accelerator, mix=Mixing(7, "cutmix", ignore_index=255))

    whole = list(mixed(accumulate=settings.get("accumulate", 1)).steps(first=0))
    assert whole[0][0][1].shape[1] == 7
    assert same(flat(mixed(**settings).steps(first=5)), flat(whole[5:]))
    assert same(flat([mixed(**settings).trial(first=5)]), flat(whole[5:])[: 3 * TRIAL_BATCHES])
    assert not same(flat(mixed(**settings, seed=2).steps(first=5)), flat(whole[5:]))
