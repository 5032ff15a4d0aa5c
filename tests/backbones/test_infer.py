from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax

from cxr.backbones import (
    Architecture,
    build_network,
    exact_probabilities,
    logits_of,
    probabilities_of,
    triple_of,
)
from cxr.backbones.infer import logits_and_features_of


@pytest.fixture
def network(small):
    return build_network(small, None)[0]


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (7, 64, 64), dtype=np.uint8)


def test_logits_are_the_networks_own_in_evaluation_mode(network, pixels):
    network.train()
    seen = []
    found = logits_of(network, pixels, bs=3, advance=seen.append)
    assert all(module.training for module in network.modules())
    assert seen == [3, 3, 1]
    with torch.no_grad():
        expected = network.eval()(torch.from_numpy(pixels).unsqueeze(1).float() / 255)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_modes_are_put_back_module_by_module(network, pixels):
    network.train()
    network.body.eval()
    logits_of(network, pixels)
    assert network.head.training
    assert not network.body.training


def test_rows_pick_images(network, pixels):
    rows = np.array([5, 0, 5])
    chosen = logits_of(network, pixels, rows)
    assert torch.equal(chosen[0], chosen[2])
    torch.testing.assert_close(chosen, logits_of(network, pixels[rows]))
    assert logits_of(network, pixels, np.array([], dtype=int)).shape == (0, 3)


def test_the_caller_may_change_what_it_gets(network, pixels):
    logits = logits_of(network, pixels)
    logits += 1
    assert not logits.requires_grad


@pytest.mark.parametrize("multi_label", [False, True])
def test_probabilities(multi_label):
    logits = np.array([[80.0, 0.0, -80.0], [0.5, 0.25, 0.0]])
    expected = expit(logits) if multi_label else softmax(logits, axis=1)
    found = probabilities_of(torch.from_numpy(logits).float(), multi_label)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6, atol=1e-37)


def test_fastais_triple_is_of_what_was_decided():
    chances = torch.tensor([0.2, 0.7, 0.1])
    name, index, same = triple_of(chances, ("a", "b", "c"), [2], multi_label=False)
    assert (name, int(index)) == ("c", 2)
    assert same is chances


def test_several_labels_are_joined():
    chances = torch.tensor([0.9, 0.5, 0.6])
    name, present, _ = triple_of(chances, ("Edema", "Mass", "Nodule"), [0, 2], multi_label=True)
    assert name == "Edema; Nodule"
    assert present.tolist() == [1, 0, 1] and present.dtype == torch.int64
    assert triple_of(torch.tensor([0.1]), ("Mass",), [], multi_label=True)[0] == ""


@pytest.mark.parametrize("backbone", ["test_efficientnet", "test_resnet", "test_vit"])
@pytest.mark.parametrize("n", [1, 7])
def test_logits_beside_features_are_the_same_to_the_last_bit(backbone, n, pixels):
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
    hook = network.body.layer2.register_forward_hook(lambda *passed: maps.append(passed[2]))
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


def test_features_of_no_images(pixels):
    network, _ = build_network(Architecture("test_efficientnet", 2, 64), None)
    seen = logits_and_features_of(network, pixels[:0])
    assert seen.logits.shape == (0, 2)
    assert seen.features.shape == (0, network.head.linear.in_features)


def test_rows_modes_and_progress_with_features(pixels):
    network, _ = build_network(Architecture("test_efficientnet", 2, 64), None)
    network.train()
    steps = []
    seen = logits_and_features_of(network, pixels, np.array([5, 2, 2]), bs=2, advance=steps.append)
    assert steps == [2, 1] and all(module.training for module in network.modules())
    whole = logits_and_features_of(network, pixels[[5, 2, 2]], bs=2)
    for some, all_ in zip(seen, whole, strict=True):
        assert torch.equal(some, all_)


def test_exact_probabilities_keep_an_order_where_fp32_rounds_to_one() -> None:
    logits = torch.tensor([[0.0, 20.0], [0.0, 21.0], [0.0, 25.0]])
    assert exact_probabilities(logits, False)[:, 1].diff().gt(0).all()
    assert (probabilities_of(logits, False)[1:, 1] == 1).all()
