"""Depthwise convolutions that train at full speed on a CPU.

oneDNN's bf16 backward pass of large-kernel or strided depthwise convolutions is up to 20 times
slower than its fp32 one (`docs/log.md` has the table), so these layers leave autocast while they
train on a CPU. On a GPU, and in inference, nothing changes.
"""

from __future__ import annotations

import torch
from timm.layers import Conv2dSame
from torch import Tensor, nn


class _LeavesAutocast(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu" or x.dtype == torch.float32 or not torch.is_grad_enabled():
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.float()).to(x.dtype)


class CPUDepthwise(_LeavesAutocast):
    """A depthwise convolution that runs in fp32 where a CPU must backpropagate through it."""


class CPUDepthwiseSame(_LeavesAutocast, Conv2dSame):
    """The same for timm's convolution with TensorFlow's padding."""


MENDED = {nn.Conv2d: CPUDepthwise, Conv2dSame: CPUDepthwiseSame}


def _is_slow_in_bf16(layer: nn.Module) -> bool:
    return (
        isinstance(layer, nn.Conv2d)
        and type(layer) in MENDED
        and layer.groups == layer.in_channels > 1
        and (layer.kernel_size[0] > 3 or layer.stride[0] > 1)
    )


def mend_depthwise(model: nn.Module) -> nn.Module:
    """Turns the slow layers of `model` into CPUDepthwise, in place; weights and names stay."""
    for layer in model.modules():
        if _is_slow_in_bf16(layer):
            layer.__class__ = MENDED[type(layer)]
    return model
