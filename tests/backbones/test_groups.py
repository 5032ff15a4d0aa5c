from __future__ import annotations

import pytest

from cxr.backbones import (
    Architecture,
    build_network,
    layer_groups,
    set_trainable,
    set_training_mode,
)

BACKBONES = ("efficientnet_lite0", "resnet18", "test_vit", "test_convnext")


def names_of(network, group):
    by_id = {id(parameter): name for name, parameter in network.named_parameters()}
    return {by_id[id(parameter)] for parameter in group}


@pytest.mark.parametrize("name", BACKBONES)
def test_every_parameter_is_in_one_group_and_the_head_is_last(name):
    network, _ = build_network(Architecture(name, n_classes=2, size=64), None)
    groups = [names_of(network, group) for group in layer_groups(network)]
    assert len(groups) == 3
    assert all(groups)
    assert sum(map(len, groups)) == len(set.union(*groups)) == len(list(network.parameters()))
    assert groups[2] == {f"head.{name}" for name, _ in network.head.named_parameters()}


def test_a_resnet_is_cut_where_fastai_cuts_it():
    network, _ = build_network(Architecture("resnet18", n_classes=2, size=64), None)
    early, late, _ = (names_of(network, group) for group in layer_groups(network))
    assert {name.split(".")[1] for name in early} == {"conv1", "bn1", "layer1", "layer2"}
    assert {name.split(".")[1] for name in late} == {"layer3", "layer4"}


@pytest.mark.parametrize("first", [0, 1, 2])
def test_groups_before_the_first_are_frozen(first, small):
    network, _ = build_network(small, None)
    groups = layer_groups(network)
    for start in (2, first):  # what was frozen before thaws
        set_trainable(network, groups, start)
    for i, group in enumerate(groups):
        assert {parameter.requires_grad for parameter in group} == {i >= first}


def test_statistics_of_a_pretrained_body_stay(small, pth):
    network, _ = build_network(small, pth)
    set_training_mode(network)
    assert not any(module.training for module in network.body.modules())
    assert all(module.training for module in network.head.modules())


def test_a_random_body_learns_its_statistics_unless_it_is_frozen(small):
    network, _ = build_network(small, None)
    set_training_mode(network)
    assert all(module.training for module in network.modules())
    set_trainable(network, layer_groups(network), 2)
    set_training_mode(network)
    assert not any(module.training for module in network.body.modules())
