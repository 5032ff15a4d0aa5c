"""The order of streamed images: complete, repeatable from anywhere, and how well mixed."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from cxr.prepare.order import AHEAD, BatchIndices, Window, shuffled


def in_shards(*counts: int) -> np.ndarray:
    return np.repeat(np.arange(len(counts)), counts)


def window(shards: np.ndarray, size: int, n_shards: int = 0, **options) -> Window:
    return Window.over(shards, n_shards or int(shards.max()) + 1, size, **options)


def test_numbers_are_the_same_everywhere():
    """Written down once: they may not change with NumPy, or a continued run would see others."""
    assert shuffled(10, 42, 7).tolist() == [8, 7, 1, 9, 4, 5, 0, 2, 6, 3]
    assert shuffled(0, 1).tolist() == []


@pytest.mark.parametrize("size", [1, 2, 5, 9, 100])
@pytest.mark.parametrize(
    "counts", [(7,), (10, 10, 10, 3), (1, 0, 8, 0, 0, 5, 2, 40, 1), (3, 1, 1, 1, 1, 1)]
)
def test_every_image_comes_exactly_once(counts, size):
    order = window(in_shards(*counts), size, n_shards=len(counts)).order(5)
    assert len(order) == sum(counts)
    found = order.take(0, sum(counts))
    assert sorted(found.tolist()) == list(range(sum(counts)))


@pytest.mark.parametrize("bs", [1, 7, 64])
def test_any_step_is_had_without_those_before(bs):
    shards = in_shards(*[30] * 12)
    whole = window(shards, 4).order(3).take(0, 360)
    n_steps = -(-360 // bs)
    for step in (n_steps - 1, 0, n_steps // 2):
        alone = BatchIndices(window(shards, 4).order(3), bs, range(n_steps))[step]
        assert alone.tolist() == whole[step * bs : (step + 1) * bs].tolist()


def test_steps_are_cut_as_a_list_is():
    steps = BatchIndices(window(in_shards(*[10] * 5), 2).order(1), 8, range(6))
    every = [which.tolist() for which in steps]
    assert len(steps) == len(every) == 6
    assert [which.tolist() for which in steps[4:]] == every[4:]
    assert steps[-1].tolist() == every[-1] and len(every[-1]) == 8
    with pytest.raises(IndexError):
        steps[6]


def test_the_seed_decides():
    shards = in_shards(*[20] * 10)
    first, again, other = (window(shards, 3).order(seed).take(0, 200) for seed in (1, 1, 2))
    assert first.tolist() == again.tolist() != other.tolist()


def test_shards_may_lie_in_any_order_in_the_set():
    rng = np.random.default_rng(0)
    shards = rng.permutation(in_shards(*[25] * 8))
    given = window(shards, 2)
    found = given.order(9).take(0, 200)
    assert sorted(found.tolist()) == list(range(200))
    slots = np.split(shards[found], np.cumsum([25] * 7))
    assert max(len(set(slot)) for slot in slots) == 2


def test_no_more_shards_at_once_than_the_window_is_wide():
    asked: list[list[int]] = []
    shards = in_shards(*[40] * 30)
    given = window(shards, 6, ahead=lambda some: asked.append(list(some)))
    order = given.order(11)
    before, coming = set(), []
    for number in range(30):
        asked.clear()
        here = set(shards[order.slot(number)])
        (told,) = asked
        assert set(told[:6]) == here and len(here) == 6
        assert len(told) == 6 + min(AHEAD, 29 - number)
        if coming:
            assert here - before == {coming[0]}
        before, coming = here, told[6:]


def test_memory_does_not_grow_with_the_images():
    """Ten million images in 2,442 shards; what an order holds is of one window."""
    starts = np.minimum(np.arange(2443) * 4096, 10_000_000)
    order = Window(16, starts).order(0)
    some = order.take(7_000_000, 7_000_064)
    assert len(set(some.tolist())) == 64
    held = [order.counts, order.shards, order.ends, order.slot(0)]
    held += order._permutations.values()
    assert sum(map(sys.getsizeof, held)) < 1e6


# How near it is to a shuffle of everything ---------------------------------------------------

BS, SHARDS, IN_SHARD = 32, 64, 256


def spread(orders: list[np.ndarray], positive: np.ndarray) -> float:
    """Variance of the number of positive images in a batch, as a multiple of a full shuffle's."""
    batches = np.concatenate([positive[order].reshape(-1, BS) for order in orders])
    p, n = positive.mean(), len(positive)
    expected = BS * p * (1 - p) * (n - BS) / (n - 1)  # hypergeometric
    return float(((batches.sum(1) - BS * p) ** 2).mean() / expected)


def windowed(positive: np.ndarray, size: int) -> float:
    given = window(in_shards(*[IN_SHARD] * SHARDS), size)
    return spread([given.order(seed).take(0, len(positive)) for seed in range(10)], positive)


def test_how_near_a_window_is_to_a_full_shuffle():
    """The worst case: shards sorted by class, so that a shard is all positive or all healthy.

    A batch then varies as a full shuffle's does, and besides as the window's shards do:
    1 + (B - 1) (1 / W - 1 / S) / (1 - 1 / S) of the variance for a batch of B, a window of W of S
    shards.
    """
    positive = np.arange(SHARDS * IN_SHARD) >= SHARDS * IN_SHARD // 4
    generator = torch.Generator().manual_seed(0)
    full = [torch.randperm(len(positive), generator=generator).numpy() for _ in range(10)]
    assert spread(full, positive) == pytest.approx(1, abs=0.08)
    for size in (1, 4, 16, SHARDS):
        more = (BS - 1) * (1 / size - 1 / SHARDS) / (1 - 1 / SHARDS)
        assert windowed(positive, size) == pytest.approx(1 + more, rel=0.15, abs=0.08)


def test_shards_of_a_shuffled_set_are_as_good_as_a_full_shuffle():
    """Which `cxr shards --shuffle` writes."""
    positive = np.arange(SHARDS * IN_SHARD) >= SHARDS * IN_SHARD // 4
    mixed = np.random.default_rng(0).permutation(positive)
    assert windowed(mixed, 4) == pytest.approx(1, abs=0.15)
