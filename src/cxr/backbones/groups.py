"""Layer groups: early body, late body, head. Discriminative rates and freezing work on them."""

from __future__ import annotations

from torch import nn

from .network import Network

BODY_GROUPS = 2


def layer_groups(network: Network) -> list[list[nn.Parameter]]:
    """Parameters in three groups from input to output, the body cut at half of timm's stages.

    fast.ai cuts its ResNets in the same place: stem to layer2, layer3 and layer4, head.
    """
    from timm.models._manipulate import group_with_matcher

    body = network.body
    stages = group_with_matcher(body.named_parameters(), body.group_matcher(coarse=True))
    ordered = [stages[key] for key in sorted(stages)]
    cut = (len(ordered) + 1) // BODY_GROUPS
    parameters = dict(body.named_parameters())
    groups = [
        [parameters[name] for stage in part for name in stage]
        for part in (ordered[:cut], ordered[cut:])
    ]
    return [*groups, list(network.head.parameters())]


def set_trainable(network: Network, groups: list[list[nn.Parameter]], first: int) -> None:
    """Groups before `first` are frozen, the others train."""
    for i, group in enumerate(groups):
        for parameter in group:
            parameter.requires_grad_(i >= first)


def set_training_mode(network: Network) -> None:
    """Training mode; BatchNorm statistics of a pretrained body stay as they were learnt.

    Statistics that change between the frozen and the unfrozen phase undo what the head has learnt:
    the first unfrozen epoch may end worse than the frozen one (`docs/log.md`). A body that
    starts from random numbers has none to keep, so it learns them. What is frozen is frozen whole.
    """
    network.train()
    if network.pretrained or not any(p.requires_grad for p in network.body.parameters()):
        network.body.eval()
