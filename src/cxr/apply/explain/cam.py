"""Heat maps: which part of an image raises the score of a class."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...backbones import Network, logits_of
from .layers import STRIDES, stages_at, three_depths
from .occlusion import METHOD, occlusion_heat


def heat_of(network: Network, pixels: np.ndarray, index: int, multi_label: bool) -> np.ndarray:
    """What raises the score of class `index`: float32 (S, S) in 0..1 for `pixels` uint8 (S, S).

    Convolutional bodies: `layers.three_depths`, fine to about 8 pixels. Others (transformers) get
    occlusion (Zeiler and Fergus, ECCV 2014) with 8 x 8 patches. See `Predictor.heat_map`.
    """
    heat = three_depths(network, pixels, lambda logits: score(logits, index, multi_label))
    if heat is None:
        return occlusion_heat(
            lambda images: logits_of(network, images).numpy(), pixels, index, multi_label
        )
    strongest = heat.max()
    return (heat / strongest if strongest > 0 else heat).numpy()


def method_of(network: Network) -> str:
    """In words, what `heat_of` does with this network."""
    if stages_at(network.body, STRIDES) is None:
        return METHOD
    return "integrated gradients at three depths of the network, against the blurred image"


def score(logits: Tensor, index: int, multi_label: bool) -> Tensor:
    """(n,): the log-odds of one class against all others, which is what the decision turns on."""
    if multi_label or logits.shape[1] == 1:
        return logits[:, index]
    others = torch.cat([logits[:, :index], logits[:, index + 1 :]], dim=1)
    return logits[:, index] - others.logsumexp(dim=1)


def grad_cam(network: Network, pixels: np.ndarray, index: int, multi_label: bool) -> Tensor | None:
    """(h, w), not negative; None when the body ends in no feature map of more than one cell.

    Grad-CAM (Selvaraju et al., ICCV 2017) on the last feature map, of which a cell is 32 pixels:
    what others draw, kept for comparison.
    """
    body = network.body
    with torch.no_grad():
        maps = body.forward_features(network.normalise(torch.from_numpy(pixels)[None, None]))
    if maps.ndim != 4 or maps.shape[1] != body.num_features or maps[0, 0].numel() == 1:
        return None
    with torch.enable_grad():
        maps.requires_grad_()
        logits = network.head(body.forward_head(maps))
        (slope,) = torch.autograd.grad(score(logits, index, multi_label).sum(), maps)
    weights = slope.mean(dim=(2, 3), keepdim=True)
    return (weights * maps.detach()).sum(dim=1)[0].relu()
