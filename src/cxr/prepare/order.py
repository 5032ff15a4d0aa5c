"""The order of an epoch when not all pixels can be at hand: a window that moves over the shards.

Shards enter the window in a random order. Each cuts its images, at random, into as many parts as
the window is wide, and gives one to each of as many slots as it stays; a slot mixes the parts that
it was given. So every image comes exactly once, a slot mixes all shards of the window, and one
shard comes in as one goes. The first slots take parts of the last shards too, so that they are as
mixed as any: the window goes round.

Any part of the order follows from the seed and its place alone: nothing before it is drawn, and
however many processes share the work, all see the same. Memory is that of a window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

AHEAD = 2
"""Shards that are asked for before they enter the window."""

_WITHIN, _SLOT = 1, 2


def shuffled(n: int, *key: int) -> np.ndarray:
    """A permutation of n, int64, that follows from `key` alone, on every machine and for good.

    NumPy promises that of a bit generator's raw numbers (Philox), not of `Generator.permutation`.
    """
    raw = np.random.Philox(np.random.SeedSequence(key)).random_raw(n)
    return np.argsort(raw, kind="stable")


@dataclass(frozen=True)
class Window:
    """How the images of a set lie in shards, and how many shards are mixed at once.

    `starts` (shards + 1,): where each shard begins among the images, sorted by shard; `positions`
    gives the image at each such place (None: they are sorted already). `ahead` gets the
    shards that will be needed, in this order.
    """

    size: int
    starts: np.ndarray
    positions: np.ndarray | None = None
    ahead: Callable[[Iterable[int]], None] = lambda shards: None

    @classmethod
    def over(
        cls,
        shards: np.ndarray,
        n_shards: int,
        size: int,
        ahead: Callable[[Iterable[int]], None] = lambda shards: None,
    ) -> Window:
        """`shards` (n,): in which each image lies."""
        positions = None
        if (np.diff(shards) < 0).any():
            positions = np.argsort(shards, kind="stable")
            shards = shards[positions]
        return cls(size, np.searchsorted(shards, np.arange(n_shards + 1)), positions, ahead)

    def order(self, seed: int) -> WindowedOrder:
        return WindowedOrder(self, seed)


class WindowedOrder:
    """All images of a window's set in random order: `order.take(start, stop)` gives a part."""

    def __init__(self, window: Window, seed: int) -> None:
        self.window, self.seed = window, seed
        self.counts = np.diff(window.starts)
        used = np.flatnonzero(self.counts)
        self.shards = used[shuffled(len(used), seed)]
        self.width = max(1, min(window.size, len(used)))
        self.ends = np.cumsum(self._slot_sizes())
        self._slot = -1, np.empty(0, np.int64)
        self._permutations: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return int(self.window.starts[-1])

    def take(self, start: int, stop: int) -> np.ndarray:
        """Positions in the set, int64, of the images that come at `start` to `stop`."""
        stop = min(stop, len(self))
        if start >= stop:
            return np.empty(0, np.int64)
        first, last = np.searchsorted(self.ends, [start, stop - 1], side="right")
        begin = 0 if first == 0 else int(self.ends[first - 1])
        places = np.concatenate([self.slot(number) for number in range(first, last + 1)])
        return places[start - begin : stop - begin]

    def slot(self, number: int) -> np.ndarray:
        """What is mixed while one shard comes in."""
        if self._slot[0] != number:
            self._slot = number, self._mixed(number)
        return self._slot[1]

    def _mixed(self, number: int) -> np.ndarray:
        here = [int(self.shards[number - part]) for part in range(self.width)]
        coming = self.shards[number + 1 : number + 1 + AHEAD]
        self.window.ahead(map(int, [*here, *coming]))
        known, self._permutations = self._permutations, {}
        parts = []
        for part, shard in enumerate(here):
            order = known.get(shard)
            if order is None:
                order = shuffled(int(self.counts[shard]), self.seed, _WITHIN, shard)
            self._permutations[shard] = order
            low, high = (len(order) * cut // self.width for cut in (part, part + 1))
            parts.append(self.window.starts[shard] + order[low:high])
        places = np.concatenate(parts)
        places = places[shuffled(len(places), self.seed, _SLOT, number)]
        return places if self.window.positions is None else self.window.positions[places]

    def _slot_sizes(self) -> np.ndarray:
        counts = self.counts[self.shards]
        sizes = np.zeros(len(counts), np.int64)
        for part in range(self.width):
            own = counts * (part + 1) // self.width - counts * part // self.width
            sizes += np.roll(own, part)
        return sizes


class BatchIndices(Sequence[np.ndarray]):
    """Which images each batch holds, worked out as it is asked for."""

    def __init__(self, order: WindowedOrder, bs: int, steps: range) -> None:
        self.order, self.bs, self.steps = order, bs, steps

    def __len__(self) -> int:
        return len(self.steps)

    @overload
    def __getitem__(self, key: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, key: slice) -> BatchIndices: ...

    def __getitem__(self, key: int | slice) -> np.ndarray | BatchIndices:
        if isinstance(key, slice):
            return BatchIndices(self.order, self.bs, self.steps[key])
        step = self.steps[key]
        return self.order.take(step * self.bs, (step + 1) * self.bs)
