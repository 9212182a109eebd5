"""The batches of a run: a function of (seed, step), whatever the ranks, the epochs and where it was continued."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from pupil.data.batches import Batches, MixedBatches, in_order
from pupil.errors import UsageError

counts, shares, worlds, seeds = st.integers(1, 40), st.integers(1, 9), st.integers(1, 4), st.integers(0, 2**64)


def items(batches: Batches) -> list[tuple[int, int]]:
    return [item for batch in batches for item in batch]


@given(counts, shares, seeds)
def test_every_item_is_seen_once_per_epoch_and_every_batch_is_full(count: int, batch_size: int, seed: int) -> None:
    batches = list(Batches(count, batch_size, steps=3 * count, seed=seed))
    assert {len(batch) for batch in batches} == {batch_size}
    seen = [index for batch in batches for index, _ in batch]
    for start in range(0, 3 * count * batch_size, count):
        assert sorted(seen[start : start + count]) == list(range(count))


@given(counts, shares, worlds, seeds, st.integers(0, 30))
def test_a_run_goes_on_from_any_batch(count: int, share: int, world: int, seed: int, first: int) -> None:
    options = {"steps": 25, "seed": seed, "rank": world - 1, "world": world}
    whole = list(Batches(count, share * world, **options))
    rest = Batches(count, share * world, first=first, **options)
    assert list(rest) == whole[first:]
    assert len(rest) == len(whole[first:])


@given(counts, shares, worlds, seeds)
def test_the_ranks_share_the_batch_of_one_process(count: int, share: int, world: int, seed: int) -> None:
    alone = list(Batches(count, share * world, steps=12, seed=seed))
    ranks = [Batches(count, share * world, steps=12, seed=seed, rank=rank, world=world) for rank in range(world)]
    for step, parts in enumerate(zip(*ranks, strict=True)):
        assert {len(part) for part in parts} == {share}
        assert [item for part in parts for item in part] == alone[step]


@given(st.integers(30, 60), seeds)
def test_epochs_differ_in_order_and_in_views(count: int, seed: int) -> None:
    seen = items(Batches(count, count, steps=2, seed=seed))
    first, second = seen[:count], seen[count:]
    assert [index for index, _ in first] != [index for index, _ in second]
    assert len({view for _, view in seen}) == 2 * count


@given(counts, shares, seeds)
def test_equal_seeds_give_equal_batches_and_others_differ(count: int, batch_size: int, seed: int) -> None:
    def run(seed: int) -> list[tuple[int, int]]:
        return items(Batches(count, batch_size, steps=5, seed=seed))

    assert run(seed) == run(seed)
    assert run(seed) != run(seed + 1)


@given(counts, shares, shares, seeds)
def test_the_batch_size_only_cuts_the_same_row_of_views(count: int, one: int, other: int, seed: int) -> None:
    assert items(Batches(count, one, steps=other, seed=seed)) == items(Batches(count, other, steps=one, seed=seed))


def test_views_are_63_bits_of_seed() -> None:
    views = [view for _, view in items(Batches(500, 500, steps=2, seed=0))]
    assert 0 <= min(views) < max(views) < 2**63
    assert max(views) > 2**62
    assert all(type(view) is int for view in views)


def test_iterating_twice_gives_the_same() -> None:
    batches = Batches(7, 3, steps=9, seed=5)
    assert list(batches) == list(batches)


def test_a_long_run_costs_the_memory_of_an_epoch_or_two() -> None:
    tracemalloc.start()
    for _ in Batches(10_000, 500, steps=400, seed=0):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 10_000 * 16


def test_a_loader_asks_for_the_items() -> None:
    class Echo:
        def __getitem__(self, item: tuple[int, int]) -> tuple[int, int]:
            return item

    batches = Batches(5, 2, steps=4, seed=1)
    loader = DataLoader(Echo(), batch_sampler=batches, collate_fn=list)
    assert len(loader) == 4
    assert list(loader) == list(batches)


def test_streams_of_one_seed_have_nothing_in_common() -> None:
    one, other = (items(Batches(40, 40, steps=1, seed=0, stream=stream)) for stream in (0, 1))
    assert [index for index, _ in one] != [index for index, _ in other]
    assert not {view for _, view in one} & {view for _, view in other}


@given(counts, counts, st.integers(1, 5), st.integers(1, 5), worlds, seeds, st.integers(0, 14))
def test_mixed_batches_go_through_both_parts_at_their_own_pace(
    count: int, second: int, ours: int, theirs: int, world: int, seed: int, first: int
) -> None:
    size = (ours + theirs) * world
    options = {"second": second, "share": theirs / (ours + theirs), "steps": 12, "seed": seed}
    alone = list(MixedBatches(count + second, size, **options))
    for batch in alone:
        assert [index >= count for index, _ in batch] == [False] * ours * world + [True] * theirs * world
    labelled = Batches(count, ours * world, steps=12, seed=seed)
    assert [batch[: ours * world] for batch in alone] == list(labelled)
    seen = [index - count for batch in alone for index, _ in batch if index >= count]
    for start in range(0, len(seen) - second + 1, second):
        assert sorted(seen[start : start + second]) == list(range(second))
    ranks = [MixedBatches(count + second, size, rank=rank, world=world, **options) for rank in range(world)]
    for step, parts in enumerate(zip(*ranks, strict=True)):
        assert {len(part) for part in parts} == {ours + theirs}
        assert sorted(item for part in parts for item in part) == sorted(alone[step])
    rest = MixedBatches(count + second, size, first=first, **options)
    assert list(rest) == alone[first:]
    assert len(rest) == len(alone[first:])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"share": 0.1}, r"that 1 process\(es\) can share equally, got 4 and 0 of 4: change the batch size or the"),
        ({"share": 0.9}, r"got 0 and 4 of 4"),
        ({"share": 0.25, "world": 2}, r"that 2 process\(es\) can share equally, got 3 and 1 of 4"),
        ({"second": 9}, r"at least one item, got 0"),
        ({"second": 0}, r"at least one item, got 0"),
    ],
)
def test_a_part_without_a_place_is_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        MixedBatches(9, 4, **{"second": 4, "share": 0.5, "steps": 3, "seed": 0} | arguments)


@settings(max_examples=50)
@given(counts, shares, worlds)
def test_in_order_gives_every_item_to_one_rank_once(count: int, share: int, world: int) -> None:
    ranks = [in_order(count, share * world, rank=rank, world=world) for rank in range(world)]
    assert sorted(item for rank in ranks for batch in rank for item in batch) == [(index, 0) for index in range(count)]
    assert all(1 <= len(batch) <= share for rank in ranks for batch in rank)
    assert max(map(len, ranks)) - min(map(len, ranks)) <= 1
    assert all(len(batch) == share for rank in ranks for batch in rank[:-1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "at least one item, got 0"),
        ({"batch_size": 0}, "got 0"),
        ({"batch_size": 5, "world": 2}, "pass a multiple of 2"),
        ({"rank": 2, "world": 2, "batch_size": 4}, "a rank from 0 to 1 among 2 processes, got 2"),
        ({"seed": -1}, "a seed of at least 0, got -1"),
        ({"first": -1}, "got 3 and -1"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Batches(**{"count": 9, "batch_size": 3, "steps": 3, "seed": 0} | arguments)
