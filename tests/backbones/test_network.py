from __future__ import annotations

import pytest
import timm
import torch
import torchvision
from torch import nn

from cxr.backbones import Architecture, build_network
from cxr.backbones.weights import packaged_file


@pytest.fixture
def grey() -> torch.Tensor:
    return torch.rand(3, 1, 64, 64, generator=torch.Generator().manual_seed(0))


def test_packaged_weights_lie_in_the_order_of_timms_layers(lite0):
    network, source = lite0
    packaged = list(torch.load(packaged_file(), weights_only=True).values())
    own = list(network.body.state_dict().values())
    assert source == "ImageNet, packaged efficientnet-lite0-57934424.pth"
    assert network.pretrained
    assert 0 <= len(packaged) - len(own) <= 2  # what is left over is the file's classifier
    for i in (0, 1, 7, len(own) // 2, len(own) - 1):
        assert torch.equal(own[i], packaged[i])


def test_features_are_those_of_timms_own_network(lite0, grey):
    reference = timm.create_model("tf_efficientnet_lite0").eval()
    packaged = torch.load(packaged_file(), weights_only=True).values()
    reference.load_state_dict(dict(zip(reference.state_dict(), packaged, strict=True)))
    scaled = (grey * 2 - 1).expand(-1, 3, -1, -1)
    with torch.inference_mode():
        expected = reference.forward_head(reference.forward_features(scaled), pre_logits=True)
        torch.testing.assert_close(lite0[0].features(grey), expected, rtol=1e-4, atol=1e-5)


def test_resnet18_computes_what_torchvisions_does(grey, tmp_path):
    torch.manual_seed(0)
    reference = torchvision.models.resnet18().eval()
    torch.save(reference.state_dict(), tmp_path / "torchvision.pth")
    network, _ = build_network(Architecture("resnet18", 2, 64), tmp_path / "torchvision.pth")
    reference.fc = nn.Identity()
    mean, std = (
        torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    with torch.inference_mode():
        expected = reference((grey - mean) / std)
        torch.testing.assert_close(network.eval().features(grey), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "n_features"), [("resnet34", 512), ("resnet50", 2048)])
def test_the_larger_resnets(name, n_features, grey):
    network, _ = build_network(Architecture(name, n_classes=4, size=64), None)
    reference = getattr(torchvision.models, name)()
    count = sum(p.numel() for p in reference.parameters()) - n_features * 1000 - 1000
    assert sum(p.numel() for p in network.body.parameters()) == count
    with torch.inference_mode():
        assert network.eval()(grey).shape == (3, 4)


@pytest.mark.parametrize("size", [64, 96])
def test_a_vision_transformer_takes_any_multiple_of_its_patch(size):
    network, _ = build_network(Architecture("test_vit", n_classes=2, size=size), None)
    with torch.inference_mode():
        assert network.eval()(torch.rand(2, 1, size, size)).shape == (2, 2)


@pytest.mark.parametrize("name", ["test_efficientnet", "test_resnet"])
def test_grey_is_three_equal_channels_with_the_backbones_own_statistics(name, grey):
    network, _ = build_network(Architecture(name, n_classes=2, size=64), None)
    facts = timm.get_pretrained_cfg(name)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (facts.mean, facts.std))
    with torch.inference_mode():
        expected = network.eval().body((grey.expand(-1, 3, -1, -1) - mean) / std)
        torch.testing.assert_close(network.features(grey), expected, rtol=1e-5, atol=1e-6)


def test_bytes_are_grey_values_from_0_to_1(lite0):
    pixels = torch.arange(256, dtype=torch.uint8).repeat(32).view(2, 1, 64, 64)
    with torch.inference_mode():
        assert torch.equal(lite0[0](pixels), lite0[0](pixels.float() / 255))


def test_logits_are_fp32_under_autocast(small, grey):
    network, _ = build_network(small, None)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert network.eval().features(grey).dtype == torch.bfloat16
        assert network(grey).dtype == torch.float32


def test_a_frozen_body_is_not_reversed_and_a_free_one_is(small, grey):
    network, _ = build_network(small, None)
    assert network.features(grey).requires_grad
    network.body.requires_grad_(False)
    assert not network.features(grey).requires_grad
    assert network(grey).requires_grad
