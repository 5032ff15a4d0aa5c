"""What the training loop is fed: images, or what frozen layers have made of them once and for all.

In a fit of several epochs the frozen lower part of the network would compute the same again and
again. It runs once for each of VIEWS augmented views of the images instead; the epochs take turns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from .._io import Progress
from ..backbones import Lower, Upper, cut
from ..pixels import release
from ..prepare.batches import Batch, Batches, Cut, whole
from . import loop
from .micro_batches import infer

if TYPE_CHECKING:
    from .learner import Learner

VIEWS = 2
"""In one run two views were as good as a fresh one in every epoch (`docs/log.md`)."""

MAX_CACHED_BYTES = 256 * 1024**2
"""Above it images are run through the frozen layers in every epoch: memory stays bounded."""

_VIEW = 1 << 20  # beside the numbers of epochs, of which no fit has so many


class BatchSource(Protocol):
    """The part of the network that is trained, with its inputs."""

    @property
    def network(self) -> nn.Module: ...

    def train(self, epoch: int) -> loop.Batches: ...

    def valid(self) -> Batches | CachedBatches: ...


def make_batch_source(learner: Learner, n_epochs: int) -> BatchSource:
    """Kept activations where they save work and fit into MAX_CACHED_BYTES; else the images."""
    parts = cut(learner.model) if n_epochs > VIEWS else None
    if parts is not None and _n_bytes(learner, parts[0]) <= MAX_CACHED_BYTES:
        return ActivationCache(learner, *parts)
    return ImageSource(learner)


@dataclass(frozen=True)
class ImageSource:
    """The whole network on grey pixels."""

    learner: Learner

    @property
    def network(self) -> nn.Module:
        return self.learner.model

    def train(self, epoch: int) -> Batches:
        return self.learner.dls.train

    def valid(self) -> Batches:
        return self.learner.dls.valid


class ActivationCache:
    """The upper part on what the lower part gave. Views are made when an epoch first needs them.

    A view follows from (seed, fit, view) alone, so that a continued run sees the same. Each process
    of a group makes its share, and all hold the whole.
    """

    def __init__(self, learner: Learner, lower: Lower, upper: Upper) -> None:
        self.learner, self.lower, self.network = learner, lower, upper
        self.views: dict[int, CachedBatches] = {}
        self.unchanged: CachedBatches | None = None

    def train(self, epoch: int) -> CachedBatches:
        view = epoch % VIEWS
        if view not in self.views:
            words = [self.learner.dls.seed, self.learner.fits, _VIEW, view]
            seed = np.random.SeedSequence(words).generate_state(1, np.uint64)[0] >> 1
            self.views[view] = self._keep(
                self.learner.dls.train, torch.Generator().manual_seed(int(seed))
            )
        return self.views[view]

    def valid(self) -> CachedBatches:
        if self.unchanged is None:
            self.unchanged = self._keep(self.learner.dls.valid, torch.Generator())
        return self.unchanged

    @torch.no_grad()
    def _keep(self, batches: Batches, generator: torch.Generator) -> CachedBatches:
        self.lower.eval()
        changes, group = batches.changes(generator), self.learner.group
        kept: Tensor | None = None
        with Progress("frozen layers", batches.n_images) as progress:
            for which in np.array_split(np.arange(batches.n_images), len(batches)):
                mine = group.cut(which)
                grey, _ = batches.batch(mine, changes)
                with self.learner.cast():
                    made = infer(self.lower, grey, self.learner.micro_batches)
                if kept is None:
                    kept = made.new_zeros((batches.n_images, *made.shape[1:]))
                kept[mine[0] : mine[-1] + 1] = made
                progress.advance(len(which))
                release(batches.images.pixels)
        if kept is None:
            raise ValueError("no images")
        return CachedBatches(batches, group.sum_(kept))


@dataclass(frozen=True)
class CachedBatches:
    """The batches of `source`, with `kept` (n, ...) in the place of its images."""

    source: Batches
    kept: Tensor

    @property
    def device(self) -> torch.device:
        return self.source.device

    def __len__(self) -> int:
        return len(self.source)

    def __iter__(self) -> Iterator[Batch]:
        return self.passing()

    def steps(self) -> Sequence[np.ndarray]:
        return self.source.steps()

    def passing(self, first: int = 0, cut: Cut = whole) -> Iterator[Batch]:
        return self.taking(map(cut, self.steps()[first:]))

    def taking(self, steps: Iterable[np.ndarray]) -> Iterator[Batch]:
        for which in steps:
            rows = self.source.to_device(torch.from_numpy(which))
            yield self.kept[rows], self.source.to_device(self.source.images.target(which))


@torch.no_grad()
def _n_bytes(learner: Learner, lower: Lower) -> int:
    """Of all that would be kept, by what one image takes."""
    lower.eval()
    one, _ = learner.dls.valid.batch(np.arange(1))
    with learner.cast():
        made = lower(one)
    n_images = VIEWS * learner.dls.train.n_images + learner.dls.valid.n_images
    return n_images * made.numel() * made.element_size()
