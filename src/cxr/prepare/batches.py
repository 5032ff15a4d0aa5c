"""Batches gathered from decoded pixels in memory: no worker processes, no second decoding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .augment import Augmentation, Changes
from .show import show_images

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class ImageSet:
    """Images of one split, decoded.

    `pixels` uint8 (n, H, W); `targets` int64 (n,) class indices, or float32 (n, k) of 1/0/NaN
    (multi-label, NaN unknown); `paths` and `patients` (None: unknown) of length n.
    """

    paths: Sequence[Path]
    pixels: np.ndarray
    targets: np.ndarray
    patients: Sequence[str | None]
    classes: tuple[str, ...]
    rows: np.ndarray  # where in `pixels` each image lies: splits share one array

    def __len__(self) -> int:
        return len(self.rows)

    def gather(self, which: np.ndarray) -> Tensor:
        """uint8 (B, 1, H, W) of the images `which` (positions in this set)."""
        return torch.from_numpy(self.pixels[self.rows[which]]).unsqueeze(1)

    def target(self, which: np.ndarray) -> Tensor:
        return torch.from_numpy(self.targets[which])

    def label_of(self, index: int) -> str:
        """The class name of image `index`, or its positive labels joined by '; '."""
        target = self.targets[index]
        if self.targets.ndim == 1:
            return self.classes[int(target)]
        positive = [c for c, value in zip(self.classes, target, strict=True) if value == 1]
        return "; ".join(positive) or "none"


@dataclass
class Batches:
    """Iterates over (grey float32 (B, 1, H, W) in 0..1, targets) on `device`.

    Shuffled sets leave out the last, smaller batch, as fast.ai does, unless it is the only one.
    One generator decides order and augmentation: the same seed gives the same batches.
    """

    images: ImageSet
    bs: int = 64
    shuffle: bool = False
    augmentation: Augmentation | None = None
    seed: int = 42
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __post_init__(self) -> None:
        self.generator = torch.Generator().manual_seed(self.seed)

    def __len__(self) -> int:
        n = len(self.images)
        return max(1, n // self.bs) if self.shuffle else -(-n // self.bs)

    @property
    def n_images(self) -> int:
        return len(self.images)

    def order(self) -> Tensor:
        n = len(self.images)
        return torch.randperm(n, generator=self.generator) if self.shuffle else torch.arange(n)

    def steps(self) -> list[np.ndarray]:
        """Which images each batch of the next pass holds."""
        return [which.numpy() for which in self.order().split(self.bs)[: len(self)]]

    def changes(self, generator: torch.Generator) -> Changes | None:
        """What augmentation does to every image in one pass."""
        if self.augmentation is None:
            return None
        return self.augmentation.draw(len(self.images), generator)

    def __iter__(self) -> Iterator[Batch]:
        steps, changes = self.steps(), self.changes(self.generator)
        for which in steps:
            yield self.batch(which, changes)

    def batch(self, which: np.ndarray, changes: Changes | None = None) -> Batch:
        grey = self.images.gather(which).to(self.device).float().div_(255)
        if changes is not None:
            grey = changes.of(torch.from_numpy(which))(grey)
        return grey, self.images.target(which).to(self.device)

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
