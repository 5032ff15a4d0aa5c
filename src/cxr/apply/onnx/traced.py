"""A network as torch's exporter takes it: sizes fixed, images grey, three outputs."""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from timm.layers import Conv2dSame
from timm.layers.padding import get_same_padding
from torch import Tensor, nn
from torch.nn import functional

from ..._io.text import error_text
from ...backbones import Network
from ...backbones.infer import outputs_of
from ...errors import BundleError
from .audit import INPUT, OUTPUTS

OPSET = 18
LOG_SWITCH = "_jit_set_onnx_log_enabled"


def traced(network: Network) -> bytes:
    """ONNX of `network`, whose batch alone has no fixed size. Raises BundleError where it cannot.

    By torch's tracing exporter: the newer one fails on some timm networks, is ten times slower,
    and needs a package more.
    """
    size = network.architecture.size
    example = torch.zeros(2, 1, size, size, dtype=torch.uint8)
    buffer: Any = io.BytesIO()  # torch takes one; its annotation says paths alone
    try:
        with _quiet():
            torch.onnx.export(
                _Outputs(_plain(network)),
                (example,),
                buffer,
                dynamo=False,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=list(OUTPUTS),
                dynamic_axes={name: {0: "batch"} for name in (INPUT, *OUTPUTS)},
            )
    except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
        raise BundleError(
            f"{network.architecture.backbone} cannot be written as ONNX ({error_text(error)}); "
            "train with another backbone"
        ) from error
    return buffer.getvalue()


class _Outputs(nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, grey: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return outputs_of(self.network, grey)


def _plain(network: Network) -> Network:
    """A copy whose convolutions know how much to pad, and whose first one takes one channel."""
    network = copy.deepcopy(network).eval()
    sizes: dict[nn.Module, torch.Size] = {}
    convs = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    hooks = [conv.register_forward_pre_hook(_note_in(sizes)) for conv in convs]
    size = network.architecture.size
    with torch.inference_mode():
        network(torch.zeros(1, 1, size, size, dtype=torch.uint8))
    for hook in hooks:
        hook.remove()
    for conv in convs:
        if conv in sizes:
            _make_plain(conv, sizes[conv])
    return network


def _note_in(sizes: dict[nn.Module, torch.Size]) -> Any:
    def note(conv: nn.Module, given: tuple[Tensor, ...]) -> None:
        sizes[conv] = given[0].shape

    return note


def _make_plain(conv: nn.Conv2d, shape: torch.Size) -> None:
    if getattr(conv, "is_stem", False) and shape[1] == 1 != conv.in_channels:
        conv.weight = nn.Parameter(conv.weight.sum(1, keepdim=True))
        conv.in_channels = 1
    layer: nn.Module = conv
    if isinstance(conv, Conv2dSame):
        sides = zip(shape[2:], conv.kernel_size, conv.stride, conv.dilation, strict=True)
        total = [get_same_padding(*side) for side in sides]
        conv.__dict__["around"] = [n // 2 for n in total] + [n - n // 2 for n in total]
        layer.__class__ = _PaddedConv
    else:
        layer.__class__ = nn.Conv2d


class _PaddedConv(nn.Conv2d):
    """Pads by `around` (top, left, bottom, right)."""

    around: list[int]

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = _Padded.apply(x, self.weight, self.bias, self)
        return output


class _Padded(torch.autograd.Function):
    """In ONNX one operation: a Conv may pad its sides differently, which torch's may not."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, conv: Any) -> Tensor:
        top, left, bottom, right = conv.around
        padded = functional.pad(x, (left, right, top, bottom))
        return functional.conv2d(padded, weight, bias, conv.stride, 0, conv.dilation, conv.groups)

    @staticmethod
    def symbolic(g: Any, x: Any, weight: Any, bias: Any, conv: Any) -> Any:
        given = [x, weight] if conv.bias is None else [x, weight, bias]
        output = g.op(
            "Conv",
            *given,
            dilations_i=conv.dilation,
            group_i=conv.groups,
            kernel_shape_i=conv.kernel_size,
            pads_i=conv.around,
            strides_i=conv.stride,
        )
        sizes = [None, conv.out_channels, None, None]
        return output.setType(x.type().with_sizes(sizes))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's warnings that it is the older one and makes sizes constant.

    Where it fails it also prints whole graphs, wanted or not: some versions of torch turn its log
    on by mistake. That switch stays off meanwhile.
    """
    from torch.jit import TracerWarning

    native: Any = torch._C
    switch = getattr(native, LOG_SWITCH, None)
    with warnings.catch_warnings():
        for category in (DeprecationWarning, TracerWarning, UserWarning):
            warnings.simplefilter("ignore", category)
        try:
            if switch is not None:
                setattr(native, LOG_SWITCH, lambda on: None)
            yield
        finally:
            if switch is not None:
                setattr(native, LOG_SWITCH, switch)
