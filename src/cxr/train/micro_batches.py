"""A batch that does not fit into memory is taken in parts, and the step stays the same step.

Gradients of the parts add up to those of the whole batch. What differs is the head's BatchNorm,
which sees the statistics of a part.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .._io import say
from ..errors import TrainingError, is_out_of_memory

SMALLEST = 2  # images, for BatchNorm


class MicroBatches:
    """How many parts a batch is taken in: one, and twice as many whenever memory runs out.

    Not `divisible` among several processes, which would then wait for each other at other places.
    """

    def __init__(self, divisible: bool = True) -> None:
        self.count, self.divisible = 1, divisible

    def double(self, n_images: int) -> None:
        """Raises TrainingError when a part would be of less than two images."""
        if not self.divisible:
            raise TrainingError(
                f"out of memory with {n_images} images in each process; train with a smaller "
                "--batch-size or --size"
            )
        if n_images // (2 * self.count) < SMALLEST:
            raise TrainingError(
                f"out of memory with {n_images // self.count} images at once; train on a smaller "
                "--size, a smaller --backbone or a device with more memory"
            )
        self.count *= 2
        say(
            f"out of memory: batches of {n_images} images are now taken in {self.count} parts; "
            "each step is still over the whole batch"
        )


def until_it_fits(
    attempt: Callable[[int], Tensor], n_images: int, micro_batches: MicroBatches
) -> Tensor:
    """`attempt(n_parts)`, with twice the parts as long as memory runs out."""
    while True:
        try:
            return attempt(micro_batches.count)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        # Only here are the tensors let go that the error held on to.
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        micro_batches.double(n_images)


def infer(
    network: Callable[[Tensor], Tensor], inputs: Tensor, micro_batches: MicroBatches
) -> Tensor:
    """`network(inputs)`, in parts where memory is short."""

    def attempt(n_parts: int) -> Tensor:
        if n_parts == 1:
            return network(inputs)
        return torch.cat(
            [network(some) for some in inputs.tensor_split(n_micro_batches(inputs, n_parts))]
        )

    return until_it_fits(attempt, len(inputs), micro_batches)


def n_micro_batches(inputs: Tensor, n_parts: int) -> int:
    """So many parts as leave each two images: the last batch of a set may be a small one."""
    return max(1, min(n_parts, len(inputs) // SMALLEST))
