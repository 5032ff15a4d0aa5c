"""BatchNorm folded into the convolution before it, while a network's statistics stand still.

With fixed statistics BatchNorm is a factor and an offset for each channel. Multiplying them into
the weights, in training too (the gradients flow through the product to both), saves two passes over
every feature map, forward and backward, and lets convolution and activation run as one operation.
Weights, names and results stay what they were. Only on a CPU: elsewhere, in export, and where
BatchNorm learns its statistics, the layers run as they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from timm.layers import BatchNormAct2d, Conv2dSame
from torch import Tensor, nn
from torch.nn import functional

from .conv_act import ConvSettings, channels_last, conv_act, packed

NORMS = (nn.BatchNorm2d, BatchNormAct2d)
LIMITS = {nn.ReLU: math.inf, nn.ReLU6: 6.0}
FEW = 4
"""Images in a batch up to which putting the weights in order costs as much as using them."""

AGREE = 1e-3
"""Largest relative difference that folding may make on a random image; rounding makes 1e-5."""


def _folds(norm: nn.Module, x: Tensor) -> bool:
    """Whether a convolution does the work of the `norm` after it. Both ask, so both agree."""
    exported = torch.jit.is_tracing() or torch.compiler.is_compiling()
    return not (norm.training or exported or x.device.type != "cpu")


class _FoldingConv(nn.Conv2d):
    """Mixed into a convolution's own class.

    `folded` holds its norm, out of the module tree; `is_stem` says that images may come grey.
    """

    folded: tuple[Any]
    is_stem = False

    def forward(self, x: Tensor) -> Tensor:
        (norm,) = self.folded
        if not _folds(norm, x):
            return super().forward(x.expand(-1, self.in_channels, -1, -1) if self.is_stem else x)
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
        learns = torch.is_grad_enabled() and any(
            p.requires_grad for layer in (self, norm) for p in layer.parameters()
        )
        around, growth, padding = _plan(self, x, learns)
        grey = self.is_stem and x.shape[1] == 1
        if learns:
            self.__dict__.pop("_cached", None)  # who knows by what step its weights will change
            weight, bias = _fold(self, norm, growth, grey)
        else:
            weight, bias = _cached_fold(self, norm, growth, grey, dtype)
        (down, across), (tall, wide) = self.stride, self.dilation
        settings = ConvSettings(padding, (down, across), (tall, wide), self.groups, _limit(norm))
        if len(x) <= FEW and not torch.is_grad_enabled():
            weight = _cached_packed(self, weight, x.shape, settings)
        return conv_act(functional.pad(x, around) if around else x, weight, bias, settings, dtype)

    def __getstate__(self) -> dict[str, Any]:
        """A copy makes its own folded weights."""
        return {k: v for k, v in self.__dict__.items() if k not in ("_cached", "_packed")}


class _FoldedNorm(nn.BatchNorm2d):
    """Mixed into a norm's own class: passes on what its convolution has already normalised."""

    def forward(self, x: Tensor) -> Tensor:
        if not _folds(self, x):
            return super().forward(x)
        act = getattr(self, "act", None)
        return x if act is None or _limit(self) is not None else act(x)


def _limit(norm: nn.Module) -> float | None:
    return LIMITS.get(type(getattr(norm, "act", None)))  # type: ignore[arg-type]


Pair = tuple[int, int]


def _plan(conv: nn.Conv2d, x: Tensor, learns: bool) -> tuple[list[int], Pair, Pair]:
    """How much to pad the image, to grow the kernel (rows, columns), and to pad both sides alike.

    TensorFlow pads one more at the far side. A kernel that begins with a row of zeros comes to the
    same, without a copy of the image; only where a 3x3 kernel learns is the copy cheaper than the
    slower backward pass of 4x4.
    """
    if not isinstance(conv, Conv2dSame):
        return [], (0, 0), conv.padding  # type: ignore[return-value]
    (top, bottom), (left, right) = (_same(conv, x.shape[2 + d], d) for d in (0, 1))
    if (top, left) == (bottom, right):
        return [], (0, 0), (top, left)
    if learns and max(conv.kernel_size) <= 3:
        return [left, right, top, bottom], (0, 0), (0, 0)
    return [], (bottom - top, right - left), (bottom, right)


def _same(conv: nn.Conv2d, size: int, d: int) -> Pair:
    reach = conv.dilation[d] * (conv.kernel_size[d] - 1) + 1
    total = max((math.ceil(size / conv.stride[d]) - 1) * conv.stride[d] + reach - size, 0)
    return total // 2, total - total // 2


def _fold(conv: nn.Conv2d, norm: Any, growth: Pair, grey: bool) -> tuple[Tensor, Tensor]:
    """Weight and bias of the one convolution that does it all, in the weights' own precision."""
    factor = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    start = conv.bias if conv.bias is not None else 0.0
    weight = conv.weight * factor.view(-1, 1, 1, 1)
    if grey:  # of equal channels the weights may be added up
        weight = weight.sum(1, keepdim=True)
    if any(growth):
        weight = functional.pad(weight, [growth[1], 0, growth[0], 0])
    return weight, norm.bias + (start - norm.running_mean) * factor


def _cached_fold(
    conv: nn.Conv2d, norm: Any, growth: Pair, grey: bool, dtype: Any
) -> tuple[Tensor, Tensor]:
    """`_fold` in `dtype`, made again only after one of its sources has changed."""
    sources = (conv.weight, conv.bias, norm.weight, norm.bias, norm.running_mean, norm.running_var)
    versions = [None if t is None else (id(t), t._version) for t in sources]
    key = (versions, growth, grey, dtype)
    cached = conv.__dict__.get("_cached")
    if cached is None or cached[0] != key:
        with torch.inference_mode(False), torch.no_grad():
            weight, bias = _fold(conv, norm, growth, grey)
            cached = (key, sources, channels_last(weight.to(dtype)), bias.to(dtype))
        conv.__dict__["_cached"] = cached  # with `sources`, whose ids therefore stay their own
    return cached[2], cached[3]


def _cached_packed(
    conv: nn.Conv2d, weight: Tensor, shape: torch.Size, settings: ConvSettings
) -> Tensor:
    """`weight` in oneDNN's order for images of the last shape seen."""
    cached = conv.__dict__.get("_packed")
    if cached is None or cached[0] is not weight or cached[1] != (shape, settings):
        cached = conv.__dict__["_packed"] = (
            weight,
            (shape, settings),
            packed(weight, shape, settings),
        )
    return cached[2]


def fold_norms(body: nn.Module, size: int) -> bool:
    """Makes every convolution that a BatchNorm follows do both, in place.

    Which follows which is read off the path of one (3, size, size) image through `body`; a network
    that then computes anything else is left as it was. Returns whether the first convolution is
    among them: it then takes one grey channel for three equal ones.
    """
    if not any(isinstance(layer, NORMS) for layer in body.modules()):
        return False
    image = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    trace = _Trace(body, image)
    pairs = trace.pairs()
    before = [(layer, type(layer)) for pair in pairs for layer in pair]
    for conv, norm in pairs:
        conv.__dict__["folded"] = (norm,)
        _mix_in(_FoldingConv, conv)
        _mix_in(_FoldedNorm, norm)
    if not _agree(_run(body, image), trace.result):
        for layer, kind in before:
            layer.__class__ = kind
        return False
    stem = isinstance(trace.first, _FoldingConv)
    if stem:
        trace.first.__dict__["is_stem"] = True
    return stem


def _mix_in(mixin: type, layer: nn.Module) -> None:
    kind = type(layer)
    layer.__class__ = type(f"{mixin.__name__.strip('_')}{kind.__name__}", (mixin, kind), {})


def _run(body: nn.Module, image: Tensor) -> Tensor:
    with torch.no_grad():
        return body(image)


def _agree(found: Tensor, expected: Tensor) -> bool:
    return bool((found - expected).abs().max() <= AGREE * expected.abs().max().clamp(min=1))


@dataclass
class _Trace:
    """The path of one image: what each convolution made, and what each norm was given."""

    body: nn.Module
    image: Tensor
    first: nn.Module | None = None
    made: list[tuple[nn.Conv2d, Tensor]] = field(default_factory=list)
    given: list[tuple[nn.Module, Tensor]] = field(default_factory=list)

    def __post_init__(self) -> None:
        layers = [m for m in self.body.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
        hooks = [layer.register_forward_hook(self._note) for layer in layers]
        self.result = _run(self.body, self.image)
        for hook in hooks:
            hook.remove()

    def _note(self, layer: nn.Module, given: tuple[Any, ...], made: Any) -> None:
        self.given.append((layer, given[0]))
        if isinstance(layer, nn.Conv2d):
            self.made.append((layer, made))
            if given[0] is self.image:
                self.first = layer

    def pairs(self) -> list[tuple[nn.Conv2d, nn.Module]]:
        """Convolutions and the one norm that follows each, both run exactly once."""
        found = []
        for conv, output in self.made:
            users = [layer for layer, tensor in self.given if tensor is output]
            if len(users) == 1 and type(users[0]) in NORMS and _can_fold(conv, users[0]):
                runs = [layer for layer, _ in self.given if layer in (conv, users[0])]
                if len(runs) == 2:
                    found.append((conv, users[0]))
        return found


def _can_fold(conv: nn.Conv2d, norm: Any) -> bool:
    whole = norm.affine and norm.track_running_stats
    return bool(whole and conv.padding_mode == "zeros" and not isinstance(conv.padding, str))
