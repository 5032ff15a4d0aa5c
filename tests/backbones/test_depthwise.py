from __future__ import annotations

import copy

import pytest
import torch
from timm.layers import Conv2dSame
from torch import nn
from torch.nn import functional

from cxr.backbones.depthwise import CPUDepthwise, CPUDepthwiseSame, mend_depthwise

LAYERS = {
    "5x5": lambda: nn.Conv2d(6, 6, 5, padding=2, groups=6, bias=False),
    "3x3, stride 2": lambda: nn.Conv2d(6, 6, 3, stride=2, padding=1, groups=6),
    "5x5, stride 2, TensorFlow": lambda: Conv2dSame(6, 6, 5, stride=2, groups=6, bias=False),
}


@pytest.fixture(params=LAYERS)
def pair(request):
    """A layer as it was, and mended."""
    torch.manual_seed(0)
    plain = LAYERS[request.param]()
    return plain, mend_depthwise(copy.deepcopy(plain))


def image(n: int = 2) -> torch.Tensor:
    return torch.randn(n, 6, 15, 15, generator=torch.Generator().manual_seed(1))


def forward_backward(layer, x, bf16):
    """Output, gradient of the input, gradient of the weight."""
    x = x.clone().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        y = layer(x.to(torch.bfloat16) if bf16 else x)
    y.float().square().sum().backward()
    return y, x.grad, layer.weight.grad


def test_in_fp32_nothing_changes(pair):
    plain, mended = (forward_backward(layer, image(), bf16=False) for layer in pair)
    for before, after in zip(plain, mended, strict=True):
        assert torch.equal(before, after)


def test_under_autocast_it_computes_in_fp32(pair):
    """Only what goes in and comes out is rounded to bf16: eight bits, so 1/256 at most."""
    plain, mended = pair
    rounded = image().bfloat16().float()
    exact = forward_backward(plain, rounded, bf16=False)
    found = forward_backward(mended, rounded, bf16=True)
    assert found[0].dtype == torch.bfloat16
    assert torch.equal(found[0], exact[0].bfloat16())
    for gradient, reference in zip(found[1:], exact[1:], strict=True):
        error = (gradient - reference).abs().max() / reference.abs().max()
        assert 0 < error < 1 / 128


def test_inference_stays_in_bf16(pair):
    plain, mended = pair
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(mended(image()), plain(image()))


def test_only_slow_layers_are_mended_and_names_are_kept():
    model = nn.Sequential(
        nn.Conv2d(6, 6, 3, padding=1, groups=6),  # depthwise, but small and not strided
        nn.Conv2d(6, 12, 5, padding=2),
        nn.Conv2d(6, 6, 5, padding=2, groups=3),
        nn.Conv2d(1, 1, 5, padding=2),
        *(make() for make in LAYERS.values()),
    )
    names, weights = list(model.state_dict()), copy.deepcopy(list(model.state_dict().values()))
    mend_depthwise(model)
    kinds = [nn.Conv2d] * 4 + [CPUDepthwise, CPUDepthwise, CPUDepthwiseSame]
    assert [type(layer) for layer in model] == kinds
    assert list(model.state_dict()) == names
    assert all(map(torch.equal, model.state_dict().values(), weights))


def test_lite0_has_its_slow_layers_mended(lite0):
    mended = [m for m in lite0[0].modules() if isinstance(m, CPUDepthwise | CPUDepthwiseSame)]
    slow = [
        m
        for m in lite0[0].modules()
        if isinstance(m, nn.Conv2d)
        and m.groups == m.in_channels
        and (m.kernel_size == (5, 5) or m.stride == (2, 2))
    ]
    assert mended == slow
    assert len(mended) > 5


def test_a_mended_layer_is_the_convolution_of_torch(pair):
    _, mended = pair
    padding = mended.padding
    x = image()
    if isinstance(mended, Conv2dSame):
        x, padding = functional.pad(x, (2, 2, 2, 2)), 0
    expected = functional.conv2d(x, mended.weight, mended.bias, mended.stride, padding, groups=6)
    torch.testing.assert_close(mended(image()), expected)
