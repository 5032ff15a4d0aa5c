from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cxr.backbones import conv_act as module
from cxr.backbones.conv_act import ConvSettings, channels_last, conv_act

# (channels in, out, kernel, stride, padding, dilation, groups, side)
SHAPES = {
    "dense 1x1": (6, 10, 1, 1, 0, 1, 1, 9),
    "dense 3x3, stride 2": (3, 8, 3, 2, 1, 1, 1, 11),
    "grouped": (6, 12, 3, 1, 1, 1, 3, 8),
    "depthwise 3x3": (6, 6, 3, 1, 1, 1, 6, 9),
    "depthwise 3x3, stride 2": (6, 6, 3, 2, 1, 1, 6, 10),
    "depthwise 5x5 on a small map": (6, 6, 5, 1, 2, 1, 6, 8),
    "depthwise 5x5 on a large map": (6, 6, 5, 1, 2, 1, 6, 12),
    "depthwise 6x6, stride 2, to a small map": (6, 6, 6, 2, 2, 1, 6, 16),
    "depthwise 5x5, dilated": (6, 6, 5, 1, 4, 2, 6, 8),
    "depthwise, not square": (6, 6, (5, 3), (2, 1), (2, 1), 1, 6, 8),
}
LIMITS = (None, math.inf, 6.0)


def pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


def case(name: str, limit: float | None) -> tuple[Tensor, Tensor, Tensor, ConvSettings]:
    ins, outs, kernel, stride, padding, dilation, groups, side = SHAPES[name]
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(5, ins, side, side, generator=generator)
    weight = torch.randn(outs, ins // groups, *pair(kernel), generator=generator)
    bias = torch.randn(outs, generator=generator)
    settings = ConvSettings(pair(padding), pair(stride), pair(dilation), groups, limit)
    return x, weight, bias, settings


def plain(x: Tensor, weight: Tensor, bias: Tensor, s: ConvSettings) -> Tensor:
    y = functional.conv2d(x, weight, bias, s.stride, s.padding, s.dilation, s.groups)
    return y if s.limit is None else y.clamp(0, s.limit)


def run(function, inputs, settings, *rest) -> list[Tensor]:
    """The output, and the gradients of x, weight and bias."""
    inputs = [t.clone().requires_grad_() for t in inputs]
    y = function(*inputs, settings, *rest)
    cotangent = torch.randn(y.shape, generator=torch.Generator().manual_seed(4))
    (y.float() * cotangent).sum().backward()
    return [y.detach().float(), *(t.grad for t in inputs)]


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("name", SHAPES)
def test_it_is_convolution_and_clamp_with_their_gradients(name: str, limit: float | None) -> None:
    *inputs, settings = case(name, limit)
    expected = run(plain, inputs, settings)
    found = run(conv_act, inputs, settings, torch.float32)
    for value, reference in zip(found, expected, strict=True):
        torch.testing.assert_close(value, reference, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", SHAPES)
def test_in_bf16_only_rounding_differs(name: str) -> None:
    *inputs, settings = case(name, None)  # no activation: near 0 rounding moves its slope
    inputs = [t.bfloat16().float() for t in inputs]
    expected = run(plain, inputs, settings)
    found = run(conv_act, inputs, settings, torch.bfloat16)
    for value, reference in zip(found, expected, strict=True):
        assert value.dtype == torch.float32
        error = (value - reference).norm() / reference.norm()
        assert error < 2**-7


def test_without_a_gradient_it_gives_the_same() -> None:
    *inputs, settings = case("depthwise 5x5 on a small map", 6.0)
    with torch.no_grad():
        found = conv_act(*inputs, settings, torch.float32)
    torch.testing.assert_close(found, plain(*inputs, settings), rtol=1e-5, atol=1e-5)
    assert not found.requires_grad


def test_only_wanted_gradients_are_made() -> None:
    x, weight, bias, settings = case("depthwise 5x5 on a small map", 6.0)
    bias.requires_grad_()
    conv_act(x, weight, bias, settings, torch.float32).sum().backward()
    assert bias.grad is not None
    assert x.grad is None and weight.grad is None


@pytest.mark.parametrize("limit", LIMITS)
def test_without_onednn_it_gives_the_same(
    monkeypatch: pytest.MonkeyPatch, limit: float | None
) -> None:
    *inputs, settings = case("depthwise 3x3, stride 2", limit)
    expected = run(conv_act, inputs, settings, torch.float32)
    monkeypatch.setattr(module, "_is_fused", lambda dtype: False)
    for value, reference in zip(
        run(conv_act, inputs, settings, torch.float32), expected, strict=True
    ):
        torch.testing.assert_close(value, reference, rtol=1e-4, atol=1e-4)


def test_double_precision_is_left_to_torch() -> None:
    *inputs, settings = case("dense 1x1", 6.0)
    inputs = [t.double() for t in inputs]
    found = conv_act(*inputs, settings, torch.float64)
    torch.testing.assert_close(found, plain(*inputs, settings))


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_last_keeps_the_values(channels: int) -> None:
    x = torch.arange(2.0 * channels * 20).view(2, channels, 4, 5)
    y = channels_last(x)
    assert torch.equal(x, y)
    assert y.stride() == (channels * 20, 1, channels * 5, channels)
