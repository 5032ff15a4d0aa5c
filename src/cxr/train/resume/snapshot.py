"""All that the rest of a training run depends on, as it was between two steps."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..recorder import StepRecord

Moments = dict[int, dict[str, Tensor]]


@dataclass(frozen=True)
class Position:
    """The next epoch to train: `epoch` of phase number `phase`."""

    phase: int = 0
    epoch: int = 0


START = Position()


@dataclass(frozen=True)
class Snapshot:
    """`phase` counts fits from 0; `epoch` and `step` are the next to be done in it.

    Order and augmentation of an epoch follow from (seed, phase, epoch), so what is kept inside one
    is the number of its steps and, for dropout, the generators' states (`random`, by device).
    `seconds` is the time that the epoch has taken so far; `micro_batches` into how many a batch is
    divided; `images` the checksums of the training and validation images (`image_checksums`).
    """

    phase: int
    epoch: int
    step: int
    seconds: float
    micro_batches: int
    weights: dict[str, Tensor]
    moments: Moments
    record: StepRecord
    random: dict[str, Tensor] = field(default_factory=dict)
    images: dict[str, Tensor] = field(default_factory=dict)

    @property
    def position(self) -> Position:
        return Position(self.phase, self.epoch)


def copies(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: one.detach().to("cpu", copy=True) for name, one in tensors.items()}


def random_states(device: torch.device) -> dict[str, Tensor]:
    """Of the generators that dropout draws from."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def restore_random(states: dict[str, Tensor], device: torch.device) -> None:
    if "cpu" in states:
        torch.set_rng_state(states["cpu"])
    if "cuda" in states and device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"], device)
    if "mps" in states and device.type == "mps":
        torch.mps.set_rng_state(states["mps"])
