from __future__ import annotations

import pytest
import torch
from torch import nn

from cxr.train.optimizer import apply_schedule, make_optimizer, restore_moments
from cxr.train.schedule import Schedule, constant


def network():
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 3))
    return layers.to(memory_format=torch.channels_last)


def groups_of(model):
    return [list(model[0].parameters()), [*model[1].parameters(), *model[2].parameters()]]


def step(model, optimizer, seed):
    optimizer.zero_grad()
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    model(x.contiguous(memory_format=torch.channels_last)).square().mean().backward()
    optimizer.step()


def test_only_weights_decay_and_only_what_trains_is_there():
    model = network()
    model[0].bias.requires_grad_(False)
    found = make_optimizer(groups_of(model), weight_decay=0.1).param_groups
    summary = [
        (group["layer_group"], group["weight_decay"], len(group["params"])) for group in found
    ]
    assert summary == [(0, 0.1, 1), (1, 0.1, 1), (1, 0.0, 3)]
    assert all(p.ndim > 1 for group in found if group["weight_decay"] for p in group["params"])


def test_the_schedule_reaches_every_group():
    optimizer = make_optimizer(groups_of(network()), 0.1)
    schedule = Schedule((lambda done: 1e-5 + done, lambda done: 1e-3 + done), constant(0.9))
    assert apply_schedule(optimizer, schedule, 0.5) == (0.501, 0.9)
    for group in optimizer.param_groups:
        assert group["lr"] == (0.50001, 0.501)[group["layer_group"]]
        assert group["betas"] == (0.9, 0.99)
        assert group["eps"] == 1e-5


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_moments_from_a_file_go_on_where_they_stopped(layout):
    """A file keeps no memory layout, so it must not matter."""
    model, schedule = network(), Schedule((constant(1e-2),) * 2, constant(0.9))
    optimizer = make_optimizer(groups_of(model), 0.1)
    apply_schedule(optimizer, schedule, 0)
    for seed in range(3):
        step(model, optimizer, seed)
    moments = {
        index: {
            name: value.clone(memory_format=layout if value.ndim == 4 else torch.preserve_format)
            for name, value in values.items()
        }
        for index, values in optimizer.state_dict()["state"].items()
    }
    again = network()
    again.load_state_dict(model.state_dict())
    continued = make_optimizer(groups_of(again), 0.1)
    apply_schedule(continued, schedule, 0)
    restore_moments(continued, moments)
    for seed in range(3, 6):
        step(model, optimizer, seed)
        step(again, continued, seed)
    for left, right in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(left, right)
