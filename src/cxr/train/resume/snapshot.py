"""All that the rest of a training run depends on, as it was between two steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..optimizer import put_back_moments
from ..recorder import Record

if TYPE_CHECKING:
    from ..learner import Learner

Moments = dict[int, dict[str, Tensor]]


@dataclass(frozen=True)
class Snapshot:
    """`phase` counts fits from 0; `epoch` and `step` are the next to be done in it.

    Order and augmentation of an epoch follow from (seed, phase, epoch), so what is kept inside one
    is the number of its steps and, for dropout, the generators' states (`random`, by device).
    `seconds` is the time that the epoch has taken so far; `parts` as in `MicroBatches`;
    `images` the checksums of what is trained on (`image_checksums`).
    """

    phase: int
    epoch: int
    step: int
    seconds: float
    parts: int
    weights: dict[str, Tensor]
    moments: Moments
    record: Record
    random: dict[str, Tensor] = field(default_factory=dict)
    images: dict[str, Tensor] = field(default_factory=dict)


def take_snapshot(learner: Learner, epoch: int, step: int = 0, seconds: float = 0.0) -> Snapshot:
    """A copy in main memory, which training goes on beside."""
    optimizer = learner.optimizer
    moments = {} if optimizer is None else optimizer.state_dict()["state"]
    return Snapshot(
        phase=learner.fits - 1,
        epoch=epoch,
        step=step,
        seconds=seconds,
        parts=learner.micro_batches.count,
        weights=_copies(learner.model.state_dict()),
        moments={index: _copies(values) for index, values in moments.items()},
        record=learner.recorder.kept(),
        random=random_states(learner.device) if step else {},
    )


def put_back_weights(state: Snapshot, learner: Learner) -> None:
    """Raises RuntimeError when they are of another network."""
    learner.model.load_state_dict(state.weights)
    learner.micro_batches.count = state.parts


def put_back_fit(state: Snapshot, learner: Learner, optimizer: torch.optim.Optimizer) -> None:
    """The optimizer's moments and the record of the steps done."""
    put_back_moments(optimizer, state.moments)
    learner.recorder.put_back(state.record)


def random_states(device: torch.device) -> dict[str, Tensor]:
    """Of the generators that dropout draws from."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def put_back_random(states: dict[str, Tensor], device: torch.device) -> None:
    if "cpu" in states:
        torch.set_rng_state(states["cpu"])
    if "cuda" in states and device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"], device)
    if "mps" in states and device.type == "mps":
        torch.mps.set_rng_state(states["mps"])


def _copies(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: one.detach().to("cpu", copy=True) for name, one in tensors.items()}
