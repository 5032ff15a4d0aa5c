"""Where the training loop gets its batches: images, or the cached activations of frozen layers.

In a fit of several epochs the frozen lower part of the network would compute the same again and
again. It runs once for each of VIEWS augmented views of the images instead; the epochs take turns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from .._io import Progress
from ..backbones import Lower, Upper, cut
from ..pixels import release
from ..prepare.augment import Changes
from ..prepare.batches import Batch, Batches, Share, whole_batch
from . import loop
from .micro_batches import infer
from .state import TrainingState, seed_of

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


def make_batch_source(state: TrainingState, n_epochs: int) -> BatchSource:
    """Cached activations where they save work and fit into MAX_CACHED_BYTES; else the images."""
    halves = cut(state.model) if n_epochs > VIEWS else None
    if halves is not None and _n_bytes(state, halves[0]) <= MAX_CACHED_BYTES:
        return ActivationCache(state, *halves)
    return ImageSource(state)


@dataclass(frozen=True)
class ImageSource:
    """The whole network on grey pixels."""

    state: TrainingState

    @property
    def network(self) -> nn.Module:
        return self.state.model

    def train(self, epoch: int) -> Batches:
        return self.state.dls.train

    def valid(self) -> Batches:
        return self.state.dls.valid


class ActivationCache:
    """The upper part on what the lower part gave. Views are made when an epoch first needs them.

    A view follows from (seed, fit, view) alone, so that a continued run sees the same.
    """

    def __init__(self, state: TrainingState, lower: Lower, upper: Upper) -> None:
        self.state, self.lower, self.network = state, lower, upper
        self.views: dict[int, CachedBatches] = {}
        self.unchanged: CachedBatches | None = None

    def train(self, epoch: int) -> CachedBatches:
        view = epoch % VIEWS
        if view not in self.views:
            seed = seed_of(self.state.dls.seed, self.state.fits, _VIEW, view)
            generator = torch.Generator().manual_seed(seed)
            self.views[view] = self._cached(self.state.dls.train, generator)
        return self.views[view]

    def valid(self) -> CachedBatches:
        if self.unchanged is None:
            self.unchanged = self._cached(self.state.dls.valid, torch.Generator())
        return self.unchanged

    def _cached(self, batches: Batches, generator: torch.Generator) -> CachedBatches:
        self.lower.eval()
        with Progress("frozen layers", batches.n_images) as progress:
            activations = frozen_outputs(
                self.state, self.lower, batches, batches.changes(generator), progress.advance
            )
        return CachedBatches(batches, activations)


@torch.no_grad()
def frozen_outputs(
    state: TrainingState,
    network: Callable[[Tensor], Tensor],
    batches: Batches,
    changes: Changes | None,
    advance: Callable[[int], None],
) -> Tensor:
    """What frozen layers make of all images, in their order: (n, ...) in training precision.

    Each process of a group computes its share, and all get the whole.
    """
    outputs: Tensor | None = None
    for which in np.array_split(np.arange(batches.n_images), len(batches)):
        mine = state.group.own_part(which)
        grey, _ = batches.batch(mine, changes)
        with state.cast():
            own = infer(network, grey, state.micro_batches)
        if outputs is None:
            outputs = own.new_zeros((batches.n_images, *own.shape[1:]))
        outputs[mine[0] : mine[-1] + 1] = own
        advance(len(which))
        release(batches.images.pixels)
    if outputs is None:
        raise ValueError("no images")
    return state.group.all_reduce(outputs)


@dataclass(frozen=True)
class CachedBatches:
    """The batches of `source`, with `activations` (n, ...) in the place of its images."""

    source: Batches
    activations: Tensor

    @property
    def device(self) -> torch.device:
        return self.source.device

    def __len__(self) -> int:
        return len(self.source)

    def __iter__(self) -> Iterator[Batch]:
        return self.epoch()

    def batch_indices(self) -> Sequence[np.ndarray]:
        return self.source.batch_indices()

    def epoch(self, first: int = 0, share: Share = whole_batch) -> Iterator[Batch]:
        return self.batches_of(map(share, self.batch_indices()[first:]))

    def batches_of(self, indices: Iterable[np.ndarray]) -> Iterator[Batch]:
        for which in indices:
            rows = self.source.to_device(torch.from_numpy(which))
            yield self.activations[rows], self.source.to_device(self.source.images.target(which))


@torch.no_grad()
def _n_bytes(state: TrainingState, lower: Lower) -> int:
    """Of all that would be cached, by what one image takes."""
    lower.eval()
    one, _ = state.dls.valid.batch(np.arange(1))
    with state.cast():
        activation = lower(one)
    n_images = VIEWS * state.dls.train.n_images + state.dls.valid.n_images
    return n_images * activation.numel() * activation.element_size()
