"""Batches gathered from decoded pixels in memory: no worker processes, no second decoding."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ..pixels import release
from .augment import Augmentation, Changes
from .image_set import ImageSet, on_device, show_images, stream
from .order import BatchIndices, Window

Batch = tuple[Tensor, Tensor]
Share = Callable[[np.ndarray], np.ndarray]

RELEASE_EVERY = 1024
"""Images, after which pages read from disk are given back: memory stays the same for any set."""


def whole_batch(which: np.ndarray) -> np.ndarray:
    """All images of a batch."""
    return which


@dataclass
class Batches:
    """Iterates over (grey float32 (B, 1, H, W) in 0..1, targets) on `device`.

    Shuffled sets leave out the last, smaller batch, as fast.ai does, unless it is the only one.
    One generator decides order and augmentation: the same seed gives the same batches. No worker
    processes: from memory a batch is gathered in less than a millisecond.
    """

    images: ImageSet
    bs: int = 64
    shuffle: bool = False
    augmentation: Augmentation | None = None
    seed: int = 42
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    window: Window | None = None  # None: the order is over all images at once

    def __post_init__(self) -> None:
        self.generator = torch.Generator().manual_seed(self.seed)
        self._placed: tuple[torch.device, Tensor | None] | None = None

    def __len__(self) -> int:
        n = len(self.images)
        return max(1, n // self.bs) if self.shuffle else -(-n // self.bs)

    @property
    def n_images(self) -> int:
        return len(self.images)

    def order(self) -> Tensor:
        n = len(self.images)
        return torch.randperm(n, generator=self.generator) if self.shuffle else torch.arange(n)

    def batch_indices(self) -> Sequence[np.ndarray]:
        """Which images each batch of the next pass holds."""
        if self.shuffle and self.window is not None:
            seed = int(torch.randint(2**62, (), generator=self.generator))
            return BatchIndices(self.window.order(seed), self.bs, range(len(self)))
        return [which.numpy() for which in self.order().split(self.bs)[: len(self)]]

    def changes(self, generator: torch.Generator) -> Changes | None:
        """What augmentation does to every image in one pass, on the device."""
        if self.augmentation is None:
            return None
        return self.augmentation.draw(len(self.images), generator).to(self.device)

    def __iter__(self) -> Iterator[Batch]:
        return self.epoch()

    def epoch(self, first: int = 0, share: Share = whole_batch) -> Iterator[Batch]:
        """One pass, from batch `first` on, of each batch the images that `share` leaves."""
        indices, changes = self.batch_indices(), self.changes(self.generator)
        return self.batches_of(map(share, indices[first:]), changes)

    def batches_of(
        self, indices: Iterable[np.ndarray], changes: Changes | None = None
    ) -> Iterator[Batch]:
        """A batch for each of `indices`, which say what images it holds."""
        every = max(1, RELEASE_EVERY // self.bs)
        for i, which in enumerate(indices):
            yield self.batch(which, changes)
            if i % every == 0:
                release(self.images.pixels)

    def batch(self, which: np.ndarray, changes: Changes | None = None) -> Batch:
        rows = self.to_device(torch.from_numpy(which))
        grey = self._gather(which, rows).float().div_(255)
        if changes is not None:
            grey = changes.of(rows)(grey)
        return grey, self.to_device(self.images.target(which))

    def to_device(self, few: Tensor) -> Tensor:
        """Without waiting for what the device is at."""
        return few.to(self.device, non_blocking=True)

    def _gather(self, which: np.ndarray, rows: Tensor) -> Tensor:
        """uint8 (B, 1, H, W) on the device."""
        if self.device.type == "cpu":
            return self.images.gather(which)
        if self._placed is None or self._placed[0] != self.device:
            self._placed = self.device, on_device(self.images, self.device)
        placed = self._placed[1]
        if placed is None:
            return stream(self.images.gather(which), self.device)
        return placed[rows]

    def one_batch(self) -> Batch:
        return next(iter(self))

    def show_batch(
        self,
        max_n: int = 9,
        nrows: int | None = None,
        rows: int | None = None,
        figsize: tuple[float, float] | None = None,
    ) -> object:
        """Draws images of the first batch with their labels; returns the matplotlib figure.

        `rows=3` is the first post's way: three rows of three.
        """
        state = self.generator.get_state()
        which = self.order()[: rows**2 if rows else max_n].numpy()
        grey, _ = self.batch(which, self.changes(self.generator))
        self.generator.set_state(state)  # looking changes nothing
        titles = [self.images.label_of(int(i)) for i in which]
        return show_images(grey[:, 0].cpu().numpy(), titles, nrows or rows, figsize)
