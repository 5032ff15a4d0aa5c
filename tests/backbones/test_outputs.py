from __future__ import annotations

import numpy as np
import pytest
import torch

from cxr.backbones import Architecture, build_network, logits_of
from cxr.backbones.infer import logits_and_features_of


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (7, 64, 64), dtype=np.uint8)


@pytest.mark.parametrize("backbone", ["test_efficientnet", "test_resnet", "test_vit"])
@pytest.mark.parametrize("n", [1, 7])
def test_logits_are_the_same_to_the_last_bit(backbone, n, pixels):
    network, _ = build_network(
        Architecture(backbone, 3, 64 if "vit" not in backbone else 160), None
    )
    size = network.architecture.size
    images = np.resize(pixels[:n], (n, size, size))
    seen = logits_and_features_of(network, images, bs=4)
    assert torch.equal(seen.logits, logits_of(network, images, bs=4))
    features = network.eval().features(torch.from_numpy(images).unsqueeze(1))
    torch.testing.assert_close(seen.features, features, rtol=1e-5, atol=1e-5)


def test_the_middle_is_mean_and_spread_of_the_last_map_of_an_eighth(pixels):
    network, _ = build_network(Architecture("test_resnet", 2, 64), None)
    maps = []
    hook = network.body.layer2.register_forward_hook(lambda *way: maps.append(way[2]))
    seen = logits_and_features_of(network, pixels)
    hook.remove()
    assert maps[0].shape[2:] == (8, 8)
    flat = maps[0].flatten(2).numpy()
    expected = np.concatenate([flat.mean(2), flat.std(2)], axis=1)
    np.testing.assert_allclose(seen.middle.numpy(), expected, rtol=1e-3, atol=1e-4)


def test_a_body_of_unknown_kind_has_no_middle(pixels):
    network, _ = build_network(Architecture("test_vit", 2, 160), None)
    seen = logits_and_features_of(network, np.zeros((2, 160, 160), np.uint8))
    assert seen.middle.shape == (2, 0) and seen.features.shape[0] == 2


def test_no_images(pixels):
    network, _ = build_network(Architecture("test_efficientnet", 2, 64), None)
    seen = logits_and_features_of(network, pixels[:0])
    assert seen.logits.shape == (0, 2)
    assert seen.features.shape == (0, network.head.linear.in_features)


def test_rows_modes_and_progress(pixels):
    network, _ = build_network(Architecture("test_efficientnet", 2, 64), None)
    network.train()
    steps = []
    seen = logits_and_features_of(network, pixels, np.array([5, 2, 2]), bs=2, advance=steps.append)
    assert steps == [2, 1] and all(module.training for module in network.modules())
    whole = logits_and_features_of(network, pixels[[5, 2, 2]], bs=2)
    for some, all_ in zip(seen, whole, strict=True):
        assert torch.equal(some, all_)
