from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax

from cxr.backbones import build_network, decide, logits_of, probabilities_of


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


def test_decide_gives_fastais_triple():
    chances = torch.tensor([0.2, 0.7, 0.1])
    name, index, same = decide(chances, ("a", "b", "c"), multi_label=False)
    assert (name, int(index)) == ("b", 1)
    assert same is chances


def test_decide_joins_the_labels_above_one_half():
    chances = torch.tensor([0.9, 0.5, 0.6])
    name, present, _ = decide(chances, ("Edema", "Mass", "Nodule"), multi_label=True)
    assert name == "Edema; Nodule"
    assert present.tolist() == [1, 0, 1]
    assert decide(torch.tensor([0.1]), ("Mass",), multi_label=True)[0] == ""
