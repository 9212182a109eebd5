"""Views: the same (index, view) is the same item in any process, and training's own randomness is left alone."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Subset
from torchvision import tv_tensors

from data.miniature import write_split
from pupil.data.batches import Batches, in_order
from pupil.data.classes import Classes
from pupil.data.labelled import LabelledImages
from pupil.data.transforms import training_transform
from pupil.data.views import ItemError, Views, as_image, as_target, batched, collate
from pupil.errors import UsageError


def pairs(count: int = 5, size: tuple[int, int] = (20, 24)) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    return [
        (
            torch.randint(256, (3, *size), dtype=torch.uint8, generator=generator),
            torch.randint(3, size, generator=generator),
        )
        for _ in range(count)
    ]


def draw_from_all(image: Any, mask: Any) -> tuple[Any, Any]:
    draws = torch.rand(()), torch.tensor(np.random.rand()), torch.tensor(random.random())  # noqa: NPY002
    return tv_tensors.Image(torch.stack([draw.float() for draw in draws]).view(3, 1, 1)), mask


class Noisy:
    """A data set that is itself random."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return torch.rand(3, 2, 2), torch.full((2, 2), index)


class Broken:
    """A data set whose second item cannot be had."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        if index == 1:
            raise self.error
        return torch.zeros(3, 2, 2), torch.zeros(2, 2, dtype=torch.int64)


def test_types_shapes_and_sample() -> None:
    image, mask, sample = Views(pairs())[2, 99]
    assert type(image) is type(mask) is Tensor
    assert image.dtype == torch.float32
    assert torch.allclose(image, pairs()[2][0] / 255)
    assert torch.equal(mask, pairs()[2][1])
    assert mask.dtype == torch.int64
    assert sample.tolist() == [2, 99]
    assert sample.dtype == torch.int64


def test_the_largest_view_fits_the_sample() -> None:
    assert Views(pairs())[0, 2**63 - 1][2].tolist() == [0, 2**63 - 1]


def test_the_same_view_gives_the_same_and_another_view_another() -> None:
    for views in (Views(pairs(), draw_from_all), Views(Noisy())):
        assert torch.equal(views[1, 7][0], views[1, 7][0])
        assert (views[1, 7][0] != views[1, 8][0]).all()


def test_views_that_differ_in_their_upper_bits_alone_differ_for_python_and_numpy() -> None:
    low, high = (Views(pairs(), draw_from_all)[0, view][0] for view in (5, 5 + 2**40))
    assert (low != high)[1:].all()


def test_the_global_generators_are_left_as_they_were() -> None:
    def after(read: Callable[[], object]) -> tuple[float, ...]:
        torch.manual_seed(0), np.random.seed(0), random.seed(0)  # noqa: NPY002
        read()
        return torch.rand(()).item(), np.random.rand(), random.random()  # noqa: NPY002

    views = Views(pairs(), draw_from_all)
    assert after(lambda: views[0, 3]) == after(lambda: None)

    def fail() -> None:
        with pytest.raises(ItemError):
            Views(Broken(OSError("gone")))[1, 3]

    assert after(fail) == after(lambda: None)


def test_training_draws_do_not_reach_a_view() -> None:
    views = Views(pairs(), draw_from_all)
    torch.manual_seed(0)
    first = views[0, 3][0]
    torch.rand(5), random.random()
    assert torch.equal(first, views[0, 3][0])


def test_any_number_of_workers_loads_the_same() -> None:
    views = Views(pairs(), training_transform(16))

    def load(workers: int, first: int = 0) -> list[list[Tensor]]:
        batches = Batches(len(views), 3, steps=6, seed=2, first=first)
        return list(DataLoader(views, batch_sampler=batches, num_workers=workers))

    alone, together = load(0), load(2)
    assert len(alone) == len(together) == 6
    for one, other in zip(alone + load(0, first=4), together + together[4:], strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (UsageError("cannot read a.jpg: the file is corrupt"), "cannot read a.jpg: the file is corrupt"),
        (KeyError("mask"), "cannot use item 1 of Broken: KeyError: 'mask'"),
        (OSError("disk\nfull"), "cannot use item 1 of Broken: OSError: disk"),
        (RuntimeError(), "cannot use item 1 of Broken: RuntimeError"),
    ],
)
def test_an_item_that_fails_is_named_in_one_line(error: Exception, message: str) -> None:
    with pytest.raises(ItemError) as caught:
        Views(Broken(error))[1, 0]
    assert str(caught.value) == message
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [UsageError("cannot read a.jpg"), ValueError("bad\nitem")])
def test_the_line_survives_a_worker_and_the_traceback_goes_along(error: Exception) -> None:
    views = Views(Broken(error))
    with pytest.raises(ItemError) as alone:
        views[1, 0]
    with pytest.raises(ItemError) as caught:
        list(DataLoader(views, batch_sampler=in_order(3, 3), num_workers=1))
    assert str(caught.value) == str(alone.value)
    assert "worker process 0" in caught.value.__notes__[0]
    assert "__getitem__" in caught.value.__notes__[0]


def test_a_failing_transform_names_the_item_too() -> None:
    def transform(image: Any, mask: Any) -> tuple[Any, Any]:
        raise ZeroDivisionError("division by zero")

    with pytest.raises(ItemError, match="cannot use item 3 of list: ZeroDivisionError: division by zero"):
        Views(pairs(), transform)[3, 0]


def test_an_item_must_be_asked_for_with_its_view() -> None:
    with pytest.raises(UsageError, match=r"expected an item \(index, view\), got 3: load with batch_sampler"):
        Views(pairs())[3]  # type: ignore[index]


def test_wraps_subsets_and_keeps_targets_that_are_no_masks() -> None:
    dataset = [(torch.zeros(3, 2, 2), 7), (torch.zeros(3, 2, 2), {"boxes": 1})]
    assert Views(Subset(dataset, [1]))[0, 0][1] == {"boxes": 1}
    assert Views(dataset)[0, 0][1] == 7


@pytest.mark.parametrize(
    "image",
    [
        np.full((4, 5, 3), 51, np.uint8),
        np.full((4, 5), 51, np.uint8),
        np.full((4, 5, 4), 51, np.uint8),
        torch.full((3, 4, 5), 51, dtype=torch.uint8),
        torch.full((1, 4, 5), 51, dtype=torch.uint8),
        torch.full((3, 4, 5), 0.2),
        torch.full((3, 4, 5), 0.2, dtype=torch.float64),
        Image.new("RGB", (5, 4), (51, 51, 51)),
        Image.new("L", (5, 4), 51),
        Image.new("RGBA", (5, 4), (51, 51, 51, 0)),
        Image.fromarray(np.full((4, 5), 51 * 256, np.uint16)),
    ],
    ids=lambda image: f"{type(image).__name__} {getattr(image, 'shape', getattr(image, 'mode', None))}",
)
def test_any_form_of_image_ends_as_rgb_from_0_to_1(image: object) -> None:
    seen, _, _ = Views([(image, np.zeros((4, 5), np.uint8))])[0, 0]
    assert seen.shape == (3, 4, 5)
    assert seen.dtype == torch.float32
    assert torch.allclose(seen, torch.tensor(0.2), atol=1e-6)


@pytest.mark.parametrize("image", [torch.zeros(2, 4, 5), torch.zeros(1, 3, 4, 5), "a.jpg", np.zeros(4)])
def test_what_is_no_image_is_refused(image: object) -> None:
    with pytest.raises(UsageError, match=r"expected an image as a tensor \(3, H, W\), a PIL image or an array"):
        as_image(image)


def palette() -> Image.Image:
    image = Image.frombytes("P", (2, 2), bytes([0, 1, 2, 3]))
    image.putpalette([200, 10, 10, 5, 5, 5, 9, 99, 199, 0, 255, 0])
    return image


@pytest.mark.parametrize(
    "mask",
    [
        torch.tensor([[0, 1], [2, 3]], dtype=torch.uint8),
        torch.tensor([[[0, 1], [2, 3]]], dtype=torch.int32),
        np.array([[0, 1], [2, 3]], np.uint16),
        Image.fromarray(np.array([[0, 1], [2, 3]], np.uint8)),
        palette(),
    ],
    ids=["uint8 tensor", "one channel", "uint16 array", "grey", "palette"],
)
def test_any_form_of_mask_ends_as_ids(mask: object) -> None:
    seen = as_target(mask)
    assert isinstance(seen, tv_tensors.Mask)
    assert seen.dtype == torch.int64
    assert seen.tolist() == [[0, 1], [2, 3]]


def test_a_mask_of_colours_is_refused() -> None:
    with pytest.raises(UsageError, match="one channel of class ids, got the colour mode RGB"):
        as_target(Image.new("RGB", (2, 2)))


def test_a_batch_to_train_on_is_stacked_unless_its_targets_are_dicts() -> None:
    sample = torch.tensor([0, 1])
    image, target, _ = batched([(torch.zeros(3, 4, 4), 1, sample), (torch.ones(3, 4, 4), 2, sample)])
    assert (image.shape, target.tolist()) == ((2, 3, 4, 4), [1, 2])
    boxes = {"boxes": torch.zeros(0, 4)}
    image, target, samples = batched([(torch.zeros(3, 4, 4), boxes, sample), (torch.ones(3, 5, 6), boxes, sample)])
    assert ([each.shape for each in image], target) == ([(3, 4, 4), (3, 5, 6)], [boxes, boxes])
    assert samples.shape == (2, 2)
    with pytest.raises(RuntimeError, match="equal size"):
        batched([(torch.zeros(3, 4, 4), 1, sample), (torch.zeros(3, 5, 6), 1, sample)])


def test_collate_stacks_equal_sizes_and_lists_others() -> None:
    views = Views([*pairs(2), *pairs(1, (8, 8))])
    image, mask, sample = collate([views[0, 5], views[1, 6]])
    assert image.shape == (2, 3, 20, 24)
    assert mask.shape == (2, 20, 24)
    assert sample.tolist() == [[0, 5], [1, 6]]
    image, mask, sample = collate([views[0, 5], views[2, 6]])
    assert [tuple(each.shape) for each in image] == [(3, 20, 24), (3, 8, 8)]
    assert [tuple(each.shape) for each in mask] == [(20, 24), (8, 8)]
    resized = Views(views.dataset, lambda image, mask: (image[:, :8, :8], mask))
    image, mask, _ = collate([resized[0, 5], resized[2, 6]])
    assert image.shape == (2, 3, 8, 8)
    assert isinstance(mask, list)


class Holed:
    """Ten items of which some cannot be had; an item draws before it breaks."""

    def __init__(self, *holes: int, error: type[Exception] = OSError, count: int = 10) -> None:
        self.holes, self.error, self.count = holes, error, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image = torch.rand(3, 2, 2)
        if index in self.holes:
            raise self.error(f"hole {index}")
        return image, torch.full((2, 2), index)


@pytest.mark.parametrize("workers", [0, 2])
def test_what_cannot_be_read_is_replaced_by_the_next_as_the_same_view_and_counted(workers: int) -> None:
    views = Views(Holed(2, 3, 9), skip=True)
    batches = Batches(10, 4, steps=5, seed=1)
    replaced = {2: 4, 3: 4, 9: 0}
    whole = Views(Holed())
    loader = DataLoader(views, batch_sampler=batches, num_workers=workers)
    for asked, (image, mask, sample) in zip(batches, loader, strict=True):
        for position, (index, view) in enumerate(asked):
            place = replaced.get(index, index)
            assert sample[position].tolist() == [place, view]
            assert torch.equal(image[position], whole[place, view][0])
            assert (mask[position] == place).all()
    assert views.bad.nonzero().flatten().tolist() == [2, 3, 9]
    assert views.bad_names() == ["item 2", "item 3", "item 9"]


@pytest.mark.parametrize("index", [-1, 5])
@pytest.mark.parametrize("skip", [False, True])
def test_an_item_that_is_not_there_is_refused(index: int, skip: bool) -> None:
    with pytest.raises(ItemError, match=f"expected an item from 0 to 4, got {index}: make batches of len"):
        Views(pairs(), skip=skip)[index, 0]


def test_replacements_are_those_that_the_data_set_allows() -> None:
    class Halves(Holed):
        def replacements(self, index: int) -> range:
            return range(5) if index < 5 else range(5, 10)

    views = Views(Halves(3, 4, 9), skip=True)
    assert [views[index, 0][2][0].item() for index in (3, 4, 9, 8)] == [0, 0, 5, 8]


@pytest.mark.slow
def test_marks_reach_a_process_that_shares_nothing_else() -> None:
    views = Views(Holed(1, count=3), skip=True)
    loader = DataLoader(views, batch_sampler=in_order(3, 3), num_workers=1, multiprocessing_context="spawn")
    assert [batch[2][:, 0].tolist() for batch in loader] == [[0, 2, 2]]
    assert views.bad.tolist() == [False, True, False]


def test_nothing_is_marked_where_nothing_is_skipped() -> None:
    views = Views(Holed(1))
    assert views.bad is None
    assert views.bad_names() == []
    with pytest.raises(ItemError, match="cannot use item 1 of Holed: OSError: hole 1"):
        views[1, 0]


def test_a_file_that_broke_is_skipped_by_its_name(tmp_path: Path) -> None:
    images, masks = (sorted((write_split(tmp_path) / part).iterdir()) for part in ("images", "masks"))
    images[2].write_bytes(images[2].read_bytes()[:60])
    views = Views(LabelledImages(images, masks, Classes(("a", "b", "c"))), skip=True)
    assert views[2, 5][2].tolist() == [3, 5]
    assert views.bad_names() == ["002"]


def test_mistakes_are_not_skipped(tmp_path: Path) -> None:
    """Ids that are no class, what a data set refuses, a transform that fails, and no memory."""
    images, masks = (sorted((write_split(tmp_path) / part).iterdir()) for part in ("images", "masks"))
    with pytest.raises(ItemError, match=r"expected label ids from 0 to 1"):
        Views(LabelledImages(images, masks, Classes(("a", "b"))), skip=True)[0, 0]

    def broken(image: Any, mask: Any) -> Any:
        raise OSError("no table")

    for views, message in [
        (Views(Holed(0, error=UsageError), skip=True), "hole 0"),
        (Views(Holed(), broken, skip=True), "cannot use item 0 of Holed: OSError: no table"),
    ]:
        with pytest.raises(ItemError, match=message):
            views[0, 0]
        assert not views.bad.any()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_data_set_of_nothing_but_holes_ends_the_run_with_the_first(workers: int) -> None:
    views = Views(Holed(0, 1, 2, count=3), skip=True)
    loader = DataLoader(views, batch_sampler=[[(1, 0)]], num_workers=workers)
    with pytest.raises(ItemError) as caught:
        list(loader)
    first = "cannot use item 1 of Holed: OSError: hole 1"
    assert str(caught.value) == f"expected an item that can be read, got none among 3, first: {first}"
    assert views.bad.all()


@pytest.mark.parametrize(
    "error", [MemoryError("none left"), RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. ")]
)
def test_what_is_no_fault_of_the_item_passes(error: Exception) -> None:
    class Unlucky(Holed):
        def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
            raise error

    views = Views(Unlucky(), skip=True)
    with pytest.raises(type(error), match=r"none left|pid 7"):
        views[0, 0]
    assert views.bad_names() == []


@pytest.mark.parametrize("most", [2.0, 255.0])
def test_floats_that_are_meant_as_bytes_are_refused(most: float) -> None:
    image = torch.linspace(0.0, most, 48).view(3, 4, 4)
    with pytest.raises(UsageError, match=f"expected floats from 0 to 1 in an image, got 0 to {most:g}: give bytes"):
        as_image(image)
    assert as_image(image / most).dtype == torch.float32
