"""Run by `test_layers.py` in several processes: PROCESS of SIZE, which meet at the file STORE."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from torch import nn

from cxr.train.distributed.layers import GlobalLoss, SynchronisedBatchNorm, SynchronisedDropout
from cxr.train.distributed.process_group import STORE, ProcessGroup, joined
from cxr.train.losses import ClassLoss, LabelsLoss

N, FEATURES = 10, 6


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(N, FEATURES, generator=generator) * 3 + 1
    return x, torch.randint(2, (N,), generator=generator)


def network() -> nn.Sequential:
    torch.manual_seed(2)
    return nn.Sequential(
        nn.Linear(FEATURES, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 2)
    )


def step(group: ProcessGroup, loss: nn.Module, targets: torch.Tensor) -> dict[str, torch.Tensor]:
    """Loss, gradients and BatchNorm's statistics of one step of the whole batch."""
    model, (x, _) = network(), batch()
    if not group.alone:
        model[1].__class__, model[2].__class__ = SynchronisedBatchNorm, SynchronisedDropout
        model[1].group = model[2].group = group
        model[2].whole = N
        loss = GlobalLoss(loss, group)
    wrapped = group.parallel(model)
    torch.manual_seed(9)
    value = loss(wrapped(group.own_part(x)), group.own_part(targets))
    value.backward()
    found = {f"gradient {name}": p.grad for name, p in model.named_parameters()}
    return {**found, **model.state_dict(), "loss": value.detach()}


def steps(group: ProcessGroup) -> dict[str, torch.Tensor]:
    _, classes = batch()
    labels = torch.stack([classes.float(), 1 - classes.float()], dim=1)
    labels[:3, 1] = labels[8, 0] = torch.nan
    found = {}
    for name, loss, targets in (
        ("plain", ClassLoss(), classes),
        ("weighted", ClassLoss(torch.tensor([0.3, 2.0]), 0.1), classes),
        ("labels", LabelsLoss(torch.tensor([1.5, 0.5])), labels),
    ):
        found |= {f"{name} {key}": value for key, value in step(group, loss, targets).items()}
    return found


def messages(group: ProcessGroup) -> dict[str, torch.Tensor]:
    said = group.broadcast(b"of the first" if group.leads else b"")
    assert said == b"of the first" and group.broadcast(b"") == b""
    assert group.maximum(group.rank) == group.size - 1
    with group.leader_first():
        pass
    parts = torch.zeros(7, dtype=torch.bfloat16)
    parts[group.share(7)] = torch.arange(7.0)[group.share(7)].bfloat16()
    assert group.all_reduce(parts).tolist() == list(range(7))
    return {}


if __name__ == "__main__":
    rank, size, store, out = sys.argv[1:]
    os.environ.update(
        RANK=rank,
        WORLD_SIZE=size,
        LOCAL_RANK=rank,
        LOCAL_WORLD_SIZE=size,
        GLOO_SOCKET_IFNAME="lo",
        **{STORE: Path(store).as_uri()},
    )
    with joined() as group:
        torch.save({**steps(group), **messages(group)}, f"{out}{rank}.pt")
