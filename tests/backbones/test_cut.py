from __future__ import annotations

import pytest
import torch

from cxr.backbones import Architecture, Network, build_network, cut, layer_groups, set_trainable
from cxr.backbones.cut import stages


def network(name: str, first: int) -> Network:
    made = build_network(Architecture(name, 2, 64), None)[0].eval()
    set_trainable(made, layer_groups(made), first)
    return made


@pytest.fixture
def grey() -> torch.Tensor:
    return torch.rand(3, 1, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("first", [1, 2])
@pytest.mark.parametrize("name", ["efficientnet_lite0", "resnet18", "test_efficientnet"])
def test_both_parts_together_are_the_network(name: str, first: int, grey: torch.Tensor) -> None:
    whole = network(name, first)
    parts = cut(whole)
    assert parts is not None
    lower, upper = parts
    with torch.no_grad():
        between = lower(grey)
        expected = whole(grey)
    found = upper(between)
    assert torch.equal(found, expected)
    assert between.ndim == (4 if first == 1 else 2)
    found.sum().backward()
    learnt = {n for n, p in whole.named_parameters() if p.grad is not None}
    assert learnt == {n for n, p in whole.named_parameters() if p.requires_grad}


def test_the_lower_part_ends_where_learning_begins() -> None:
    lite0 = network("efficientnet_lite0", 1)
    parts = cut(lite0)
    assert parts is not None
    n_stages = parts[0].n_stages
    chain = stages(lite0.body)
    frozen = [not any(p.requires_grad for p in stage.parameters()) for stage in chain]
    assert frozen == [i < n_stages for i in range(len(chain))]
    assert parts[0](torch.rand(1, 1, 64, 64)).shape == (1, 40, 8, 8)


def test_nothing_is_cut_where_everything_learns_or_the_kind_is_unknown() -> None:
    assert cut(network("efficientnet_lite0", 0)) is None
    vit = network("test_vit", 1)
    assert cut(vit) is None
    set_trainable(vit, layer_groups(vit), 2)
    assert cut(vit) is not None
