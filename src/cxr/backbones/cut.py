"""A network cut in two: a frozen part, whose results can be cached, and the part that learns."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from .network import Network


def stages(body: Any) -> list[nn.Module]:
    """The layers of `body` up to its last feature map, each fed by the one before.

    Empty for a kind of network that is not known to be such a chain.
    """
    from timm.models.efficientnet import EfficientNet
    from timm.models.resnet import ResNet

    kind = type(body)
    if kind is EfficientNet:
        return [body.conv_stem, body.bn1, *body.blocks, body.conv_head, body.bn2]
    if kind is ResNet:
        stem = [body.conv1, body.bn1, body.act1, body.maxpool]
        return [*stem, body.layer1, body.layer2, body.layer3, body.layer4]
    return []


class Lower(nn.Module):
    """Grey (B, 1, H, W) in 0..1 -> what `Upper` takes: a feature map, or features (B, F)."""

    def __init__(self, network: Network, n_stages: int | None) -> None:
        super().__init__()
        self.network, self.n_stages = network, n_stages

    def forward(self, grey: Tensor) -> Tensor:
        if self.n_stages is None:
            return self.network.features(grey)
        x = self.network.normalise(grey)
        for stage in stages(self.network.body)[: self.n_stages]:
            x = stage(x)
        return x


class Upper(nn.Module):
    """What `Lower` gives -> fp32 logits (B, n_classes). Shares the weights of its network."""

    def __init__(self, network: Network, n_stages: int | None) -> None:
        super().__init__()
        self.network, self.n_stages = network, n_stages

    def forward(self, x: Tensor) -> Tensor:
        if self.n_stages is not None:
            for stage in stages(self.network.body)[self.n_stages :]:
                x = stage(x)
            x = self.network.body.forward_head(x)
        return self.network.head(x)


def cut(network: Network) -> tuple[Lower, Upper] | None:
    """The network cut below the first layer that learns.

    None when the first stage learns already, or the kind of network is not known and more than its
    head learns.
    """
    if not any(parameter.requires_grad for parameter in network.body.parameters()):
        return Lower(network, None), Upper(network, None)
    frozen = 0
    for stage in stages(network.body):
        if any(parameter.requires_grad for parameter in stage.parameters()):
            break
        frozen += 1
    return (Lower(network, frozen), Upper(network, frozen)) if frozen else None
