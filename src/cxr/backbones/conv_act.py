"""Convolution, bias and clipped activation as one operation on a CPU, forward and backward.

oneDNN applies bias and activation while the result is still in the processor's cache. Its backward
pass of depthwise convolutions has shapes that are many times slower than they need be; those take
another way here (`docs/performance.md` has the measurements):

- the input's gradient of a strided layer, and the weight's gradient of kernels above 3x3, in fp32;
- the weight's gradient of large kernels on small maps, as one matrix product for each channel.

Of 1x1 convolutions on small maps both gradients are plain matrix products, without oneDNN's
rearranging of the weights.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

SMALL_MAP = 64
"""Cells of an output map (8 x 8) up to which matrix products are the faster way."""

_SMALLEST_KERNEL_FOR_PRODUCT = 4
_CHANNELS_LAST = torch.channels_last


@dataclass(frozen=True)
class ConvSettings:
    """Of a convolution. `limit` is the activation's: None, inf (ReLU) or 6 (ReLU6)."""

    padding: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    limit: float | None

    @property
    def activation(self) -> tuple[str, list[float]]:
        """As oneDNN's fused operation names it."""
        if self.limit is None:
            return "none", []
        return ("relu", []) if self.limit == float("inf") else ("hardtanh", [0.0, self.limit])


def conv_act(x: Tensor, weight: Tensor, bias: Tensor, settings: ConvSettings, dtype: Any) -> Tensor:
    """activation(conv(x) + bias) in `dtype` (fp32 or bf16), channels-last; differentiable.

    `weight` (out, in / groups, kh, kw) and `bias` (out,) may be fp32: their gradients then are.
    """
    x = channels_last(x.to(dtype))
    wanted = x.requires_grad or weight.requires_grad or bias.requires_grad
    if torch.is_grad_enabled() and wanted:
        return _ConvAct.apply(x, weight, bias, settings)
    return _forward(x, weight.to(dtype), bias.to(dtype), settings)


def channels_last(x: Tensor) -> Tensor:
    """`x` (B, C, H, W) with its channels innermost; of one channel only the strides change."""
    if x.shape[1] == 1 and x.is_contiguous():
        height, width = x.shape[2:]
        return x.as_strided(x.shape, (height * width, 1, width, 1))
    return x.contiguous(memory_format=_CHANNELS_LAST)


def packed(weight: Tensor, shape: torch.Size, settings: ConvSettings) -> Tensor:
    """`weight` in the order in which oneDNN wants it for inputs of `shape`; for inference only.

    Without it every call puts it in order anew, which for a single image takes as long as the rest.
    """
    reorder = getattr(torch.ops.mkldnn, "_reorder_convolution_weight", None)
    if reorder is None or not _is_fused(weight.dtype):
        return weight
    order: Tensor = reorder(
        weight, settings.padding, settings.stride, settings.dilation, settings.groups, list(shape)
    )
    return order


@functools.cache
def _is_fused(dtype: torch.dtype) -> bool:
    """Whether this build of torch and this processor have the fused operation."""
    ops = torch.ops.mkldnn
    if not torch.backends.mkldnn.is_available() or not hasattr(ops, "_convolution_pointwise"):
        return False
    if dtype == torch.bfloat16:
        return bool(ops._is_mkldnn_bf16_supported())
    return dtype == torch.float32


def _forward(x: Tensor, weight: Tensor, bias: Tensor, settings: ConvSettings) -> Tensor:
    padding, stride, dilation = map(list, (settings.padding, settings.stride, settings.dilation))
    if _is_fused(x.dtype):
        name, scalars = settings.activation
        y: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, weight, bias, padding, stride, dilation, settings.groups, name, scalars, ""
        )
        return channels_last(y)
    y = functional.conv2d(x, weight, bias, stride, padding, dilation, settings.groups)
    return y if settings.limit is None else y.clamp_(0, settings.limit)


class _ConvAct(torch.autograd.Function):
    """Saves its input, its weight and its output: the clipping's slope is read off the output."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, settings: ConvSettings
    ) -> Tensor:
        reduced = channels_last(weight.to(x.dtype))
        y = _forward(x, reduced, bias.to(x.dtype), settings)
        ctx.save_for_backward(x, reduced, y if settings.limit is not None else None)
        ctx.settings, ctx.dtype = settings, weight.dtype
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, y = ctx.saved_tensors
        settings: ConvSettings = ctx.settings
        grad = channels_last(grad)
        if y is not None:
            limit = min(settings.limit or 0.0, torch.finfo(y.dtype).max)
            grad = torch.ops.aten.hardtanh_backward(grad, y, 0.0, limit)
        need_x, need_weight, need_bias, _ = ctx.needs_input_grad
        backward = _fastest_backward(grad, x, weight, settings)
        dx, dweight = backward(grad, x, weight, settings, need_x, need_weight)
        return (
            dx,
            dweight.to(ctx.dtype) if dweight is not None else None,
            _sum_to_channels(grad).to(ctx.dtype) if need_bias else None,
            None,
        )


Gradients = tuple[Tensor | None, Tensor | None]


def _gradients(
    grad: Tensor, x: Tensor, weight: Tensor, settings: ConvSettings, need_x: bool, need_weight: bool
) -> Gradients:
    dx, dweight, _ = torch.ops.aten.convolution_backward(
        grad,
        x,
        weight,
        None,
        settings.stride,
        settings.padding,
        settings.dilation,
        False,
        [0, 0],
        settings.groups,
        [need_x, need_weight, False],
    )
    return dx, dweight


def _fastest_backward(
    grad: Tensor, x: Tensor, weight: Tensor, settings: ConvSettings
) -> Callable[..., Gradients]:
    if settings.groups == weight.shape[0] > 1 and weight.shape[1] == 1:
        return _depthwise_backward
    pointwise = (
        settings.groups == 1 and weight.shape[2:] == (1, 1) and x.shape[2:] == grad.shape[2:]
    )
    small = grad.shape[2] * grad.shape[3] <= SMALL_MAP
    return _pointwise_backward if pointwise and small and x.dtype == torch.bfloat16 else _gradients


def _pointwise_backward(
    grad: Tensor, x: Tensor, weight: Tensor, settings: ConvSettings, need_x: bool, need_weight: bool
) -> Gradients:
    outs, ins = (t.permute(0, 2, 3, 1).reshape(-1, t.shape[1]) for t in (grad, x))
    matrix = weight.view(weight.shape[:2])
    n, _, height, width = x.shape
    dx = (outs @ matrix).view(n, height, width, -1).permute(0, 3, 1, 2) if need_x else None
    return dx, (outs.T @ ins).view(weight.shape) if need_weight else None


def _depthwise_backward(
    grad: Tensor, x: Tensor, weight: Tensor, settings: ConvSettings, need_x: bool, need_weight: bool
) -> Gradients:
    dx = _depthwise_input_gradient(grad, x, weight, settings) if need_x else None
    dweight = _depthwise_weight_gradient(grad, x, weight, settings) if need_weight else None
    return dx, dweight


def _depthwise_input_gradient(
    grad: Tensor, x: Tensor, weight: Tensor, settings: ConvSettings
) -> Tensor | None:
    if max(settings.stride) == 1 or x.dtype == torch.float32:
        return _gradients(grad, x, weight, settings, True, False)[0]
    shape_only = torch.empty_like(x, dtype=torch.float32)
    dx, _ = _gradients(grad.float(), shape_only, weight.float(), settings, True, False)
    return dx.to(x.dtype) if dx is not None else None


def _depthwise_weight_gradient(
    grad: Tensor, x: Tensor, weight: Tensor, settings: ConvSettings
) -> Tensor | None:
    large = max(weight.shape[2:]) >= _SMALLEST_KERNEL_FOR_PRODUCT
    if large and x.dtype == torch.bfloat16:
        if grad.shape[2] * grad.shape[3] <= SMALL_MAP:
            return _weight_gradient_by_product(grad, x, weight, settings)
        grad, x, weight = grad.float(), x.float(), weight.float()
    return _gradients(grad, x, weight, settings, False, True)[1]


def _weight_gradient_by_product(
    grad: Tensor, x: Tensor, weight: Tensor, settings: ConvSettings
) -> Tensor:
    """For each channel, every output cell against every input cell, summed over the batch.

    A kernel entry's gradient is then a sum over the pairs of cells that it connects.
    """
    n, channels, *in_shape = x.shape
    kernel, out_shape = weight.shape[2:], grad.shape[2:]
    ins = x.permute(1, 0, 2, 3).reshape(channels, n, -1)
    outs = grad.permute(1, 2, 3, 0).reshape(channels, -1, n)
    pairs = torch.bmm(outs, ins).view(channels, -1).float()
    connected = _connected(tuple(kernel), tuple(in_shape), tuple(out_shape), settings)
    return (pairs @ connected).view(channels, 1, *kernel)


@functools.lru_cache(maxsize=64)
def _connected(
    kernel: tuple[int, ...], ins: tuple[int, ...], outs: tuple[int, ...], settings: ConvSettings
) -> Tensor:
    """(out cells x in cells, kernel cells), 1 where a kernel cell joins an output to an input."""
    rows, columns = (_connected_along(kernel[d], ins[d], outs[d], settings, d) for d in (0, 1))
    both = torch.einsum("oia,pjb->opijab", rows, columns)
    return both.reshape(outs[0] * outs[1] * ins[0] * ins[1], kernel[0] * kernel[1])


def _connected_along(kernel: int, n_in: int, n_out: int, settings: ConvSettings, d: int) -> Tensor:
    """The same along one dimension `d`: (out, in, kernel)."""
    out, tap = torch.arange(n_out).view(-1, 1, 1), torch.arange(kernel).view(1, 1, -1)
    reached = out * settings.stride[d] + tap * settings.dilation[d] - settings.padding[d]
    return (reached == torch.arange(n_in).view(1, -1, 1)).float()


def _sum_to_channels(grad: Tensor) -> Tensor:
    """(B, C, H, W) channels-last -> (C,): a product with ones, faster than a strided sum."""
    flat = grad.permute(0, 2, 3, 1).reshape(-1, grad.shape[1])
    return (flat.new_ones(1, len(flat)) @ flat).squeeze(0)
