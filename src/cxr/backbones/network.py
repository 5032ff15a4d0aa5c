"""A pretrained body and a small head, from grey pixels to one logit a class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from .depthwise import mend_depthwise
from .folding import fold_norms
from .names import timm_name
from .weights import load_pretrained


@dataclass(frozen=True)
class Architecture:
    """All that is needed to build the same network again, without its weights."""

    backbone: str
    n_classes: int
    size: int
    dropout: float = 0.25


class Normalise(nn.Module):
    """Grey (B, 1, H, W), uint8 or 0..1 -> three channels with the backbone's statistics.

    With `grey_stem` the body takes one channel for three equal ones; where the statistics are
    equal, too, one is all that it gets.
    """

    grey_stem = False

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)
        self.mean: Tensor
        self.std: Tensor
        self.equal = len(set(mean)) == len(set(std)) == 1

    def forward(self, grey: Tensor) -> Tensor:
        if grey.dtype == torch.uint8:
            grey = grey.float() / 255
        if self.grey_stem and self.equal:
            return (grey - self.mean[:, :1]) / self.std[:, :1]
        x = (grey - self.mean) / self.std
        return x.contiguous(memory_format=torch.channels_last)


class Head(nn.Sequential):
    """BatchNorm, dropout, one linear layer: enough for features that were learnt elsewhere.

    BatchNorm puts every feature on one scale, so that one learning rate suits every backbone.
    """

    def __init__(self, n_features: int, n_classes: int, dropout: float) -> None:
        super().__init__(
            nn.BatchNorm1d(n_features), nn.Dropout(dropout), nn.Linear(n_features, n_classes)
        )

    @property
    def norm(self) -> nn.BatchNorm1d:
        return cast(nn.BatchNorm1d, self[0])

    @property
    def linear(self) -> nn.Linear:
        return cast(nn.Linear, self[2])

    def forward(self, features: Tensor) -> Tensor:
        # fp32 always: a loss of bf16 logits loses digits that calibration needs.
        with torch.autocast(features.device.type, enabled=False):
            return super().forward(features.float())


class Network(nn.Module):
    """`normalise` -> `body` (timm, pooled features) -> `head`.

    Input: (B, 1, H, W) grey, uint8 or float in 0..1. Output: (B, n_classes) fp32 logits.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.pretrained = False
        self.body: Any  # timm's classes share methods that nn.Module does not declare
        self.body, mean, std = _body(architecture)
        self.normalise = Normalise(mean, std)
        n_features = int(getattr(self.body, "head_hidden_size", None) or self.body.num_features)
        self.head = Head(n_features, architecture.n_classes, architecture.dropout)
        self.to(memory_format=torch.channels_last)

    def fold(self) -> Network:
        """Makes it fast on a CPU (see `folding`); once it has its weights. Returns itself."""
        self.normalise.grey_stem = fold_norms(self.body, self.architecture.size)
        return self

    def features(self, grey: Tensor) -> Tensor:
        """Pooled features (B, F), before the head."""
        # A frozen body is plain inference, which is faster than a forward pass to be reversed.
        wanted = torch.is_grad_enabled() and any(p.requires_grad for p in self.body.parameters())
        with torch.set_grad_enabled(wanted):
            return self.body(self.normalise(grey))

    def forward(self, grey: Tensor) -> Tensor:
        return self.head(self.features(grey))


def _options(architecture: Architecture) -> dict[str, Any]:
    """For timm: no classifier, and the size of the images where the network depends on it."""
    import timm

    facts = timm.get_pretrained_cfg(timm_name(architecture.backbone), allow_unregistered=True)
    fixed = facts is not None and facts.fixed_input_size
    return {"num_classes": 0, **({"img_size": architecture.size} if fixed else {})}


def _body(architecture: Architecture) -> tuple[Any, tuple[float, ...], tuple[float, ...]]:
    import timm

    body: Any = timm.create_model(timm_name(architecture.backbone), **_options(architecture))
    body.eval()
    config = body.pretrained_cfg
    return mend_depthwise(body), tuple(config["mean"]), tuple(config["std"])


def build_network(
    architecture: Architecture, weights: str | Path | None = "auto", seed: int = 0
) -> tuple[Network, str]:
    """A pretrained body with a fresh head (from `seed`), and where its weights are from.

    Raises UnknownName for the backbone and WeightsError or UsageError for the weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network(architecture)
        name, options = timm_name(architecture.backbone), _options(architecture)
        source = load_pretrained(network.body, name, weights, options)
    network.pretrained = weights is not None
    return network.fold(), source
