"""AdamW over layer groups, with fast.ai's constants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from .schedule import Schedule

BETA2, EPS = 0.99, 1e-5


def make_optimizer(
    groups: Sequence[Sequence[nn.Parameter]], weight_decay: float
) -> torch.optim.AdamW:
    """Two parameter groups for each layer group that trains: weights decay, biases and norms don't.

    Each carries `layer_group`, the index by which `apply_schedule` finds its rate.
    """
    split = []
    for index, group in enumerate(groups):
        trainable = [p for p in group if p.requires_grad]
        for decay, chosen in (
            (weight_decay, [p for p in trainable if p.ndim > 1]),
            (0.0, [p for p in trainable if p.ndim <= 1]),
        ):
            if chosen:
                split.append({"params": chosen, "weight_decay": decay, "layer_group": index})
    optimizer = torch.optim.AdamW(split, lr=0.0, betas=(0.9, BETA2), eps=EPS, fused=True)
    optimizer.register_step_post_hook(_note_change)
    return optimizer


def _note_change(optimizer: torch.optim.Optimizer, *_: object) -> None:
    """The fused step changes weights without a trace; what is derived of them must notice."""
    for group in optimizer.param_groups:
        torch.autograd.graph.increment_version(group["params"])


def apply_schedule(
    optimizer: torch.optim.Optimizer, schedule: Schedule, done: float
) -> tuple[float, float]:
    """Sets rates and momentum at the share `done` of the run; returns (head rate, momentum)."""
    momentum = schedule.momentum(done)
    for group in optimizer.param_groups:
        group["lr"] = schedule.rates[group["layer_group"]](done)
        group["betas"] = (momentum, BETA2)
    return schedule.rates[-1](done), momentum


def restore_moments(
    optimizer: torch.optim.Optimizer, moments: Mapping[int, Mapping[str, torch.Tensor]]
) -> None:
    """Continues with the moments that `checkpoint.save_training` kept, by parameter number.

    In the memory layout of their parameter: the fused step reads both from end to end side by
    side, and mixes up the elements of a channels-last weight and a contiguous moment.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state = optimizer.state_dict()
    state["state"] = {
        index: {name: _laid_out_as(parameters[index], value) for name, value in values.items()}
        for index, values in moments.items()
    }
    optimizer.load_state_dict(state)


def _laid_out_as(parameter: nn.Parameter, value: torch.Tensor) -> torch.Tensor:
    if value.shape != parameter.shape:  # the number of steps
        return value
    return torch.empty_like(parameter).copy_(value).detach()
