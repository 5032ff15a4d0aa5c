"""Heat maps by torch: which part of an image raises the score of a class.

Of three depths of a convolutional network: fine where it is early, reliable where it is late.

On the way from the blurred image to the image the score rises; integrated gradients (Sundararajan
et al., ICML 2017; at a layer: Dhamdhere et al., ICLR 2019) share that rise out among the cells of a
feature map. At strides 4 and 8 the sum over all cells is the rise itself. At stride 16 a cell
counts by how far it departs from the mean of its own image (gradient times activation, as HiResCAM,
Draelos and Carin 2020). A place is warm where all three agree: their product.

Chosen by `benchmarks/heatmaps.py` on images with drawn lesions, where plain Grad-CAM on the last
map (4 x 4 cells at 128 pixels) puts its peak beside most of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional as F

from ...backbones import Network, logits_of
from .occlusion import METHOD, occlusion_heat

STRIDES = (4, 8, 16)
STEPS = 4  # from the blurred image to the image
BLUR = 0.09  # of the image's side: what a lesion adds to its surroundings is gone
SMOOTH = 1 / 32  # of the image's side

Score = Callable[[Tensor], Tensor]


def heat_of(network: Network, pixels: np.ndarray, index: int, multi_label: bool) -> np.ndarray:
    """What raises the score of class `index`: float32 (S, S) in 0..1 for `pixels` uint8 (S, S).

    Convolutional bodies: `three_depths`, fine to about 8 pixels. Others (transformers) get
    occlusion (Zeiler and Fergus, ECCV 2014) with 8 x 8 patches. See `Predictor.heat_map`.
    """
    heat = three_depths(network, pixels, lambda logits: log_odds(logits, index, multi_label))
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


def log_odds(logits: Tensor, index: int, multi_label: bool) -> Tensor:
    """(n,): the log-odds of one class against all others, which is what the decision turns on."""
    if multi_label or logits.shape[1] == 1:
        return logits[:, index]
    others = torch.cat([logits[:, :index], logits[:, index + 1 :]], dim=1)
    return logits[:, index] - others.logsumexp(dim=1)


def three_depths(network: Network, pixels: np.ndarray, score: Score) -> Tensor | None:
    """(S, S) float32, not negative, of `pixels` uint8 (S, S); `score` takes logits (n, k) to (n,).

    None when the body is no chain of feature maps with strides of 4, 8 and 16.
    """
    stages = stages_at(network.body, STRIDES)
    if stages is None:
        return None
    maps_of_stages = maps_and_slopes(network, blurred_to_sharp(pixels), stages, score)
    if any(
        maps.ndim != 4 or maps.shape[1] != channels
        for (maps, _), (_, channels) in zip(maps_of_stages, stages, strict=True)
    ):
        return None
    *early, (maps, slopes) = maps_of_stages
    heats = [integrated(*one) for one in early] + [departing(maps[-1:], slopes[-1:])]
    large = [smoothed(heat, len(pixels)) for heat in heats]
    agreed = torch.stack([heat / heat.max().clamp(min=1e-12) for heat in large]).prod(dim=0)
    return agreed.sqrt()  # the weaker places show, too


def stages_at(body: nn.Module, strides: Sequence[int]) -> list[tuple[str, int]] | None:
    """(module name, channels) of the last stage at each stride; None when one is missing."""
    known = getattr(body, "feature_info", None)
    last = {one["reduction"]: (one["module"], one["num_chs"]) for one in known or []}
    return [last[stride] for stride in strides] if set(strides) <= set(last) else None


def blurred_to_sharp(pixels: np.ndarray, steps: int = STEPS) -> Tensor:
    """(steps + 1, 1, S, S) float32 in 0..1, evenly from the blurred image to the image."""
    grey = pixels.astype(np.float32) / 255
    blurred = ndimage.gaussian_filter(grey, BLUR * len(grey))
    share = torch.linspace(0, 1, steps + 1).view(-1, 1, 1, 1)
    return torch.lerp(torch.from_numpy(blurred)[None, None], torch.from_numpy(grey), share)


def maps_and_slopes(
    network: Network, grey: Tensor, stages: Sequence[tuple[str, int]], score: Score
) -> list[tuple[Tensor, Tensor]]:
    """For each stage, in the order of the network: its output, and the score's gradient there."""
    outputs: list[Tensor] = []

    def record(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        # Nothing below the first stage is needed: gradients end there.
        outputs.append(output if outputs else output.detach().requires_grad_())
        return outputs[-1].clone()  # what comes next may work in place

    body = network.body
    device = next(network.parameters()).device
    hooks = [body.get_submodule(name).register_forward_hook(record) for name, _ in stages]
    try:
        with frozen_weights(network), torch.enable_grad():
            logits = network.head(body(network.normalise(grey.to(device))))
            slopes = torch.autograd.grad(score(logits).sum(), outputs)
    finally:
        for hook in hooks:
            hook.remove()
    return [(one.detach().cpu(), slope.cpu()) for one, slope in zip(outputs, slopes, strict=True)]


@contextmanager
def frozen_weights(network: nn.Module) -> Iterator[None]:
    """Without gradients of weights, which cost more than those of maps."""
    trainable = [weight for weight in network.parameters() if weight.requires_grad]
    for weight in trainable:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in trainable:
            weight.requires_grad_(True)


def integrated(maps: Tensor, slopes: Tensor) -> Tensor:
    """(1, 1, h, w) of maps and slopes (steps + 1, C, h, w); the sum is the score's rise."""
    risen, slope = maps[1:] - maps[:-1], (slopes[1:] + slopes[:-1]) / 2
    return (risen * slope).sum(dim=(0, 1))[None, None]


def departing(maps: Tensor, slopes: Tensor) -> Tensor:
    """(1, 1, h, w): gradient times what each cell has over the mean of its image."""
    return ((maps - maps.mean(dim=(2, 3), keepdim=True)) * slopes).sum(dim=1, keepdim=True)


def smoothed(heat: Tensor, size: int) -> Tensor:
    """(1, 1, h, w) -> (size, size), not negative."""
    large = F.interpolate(heat.float(), (size, size), mode="bilinear")[0, 0].numpy()
    return torch.from_numpy(ndimage.gaussian_filter(large, SMOOTH * size)).relu()


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
        (slope,) = torch.autograd.grad(log_odds(logits, index, multi_label).sum(), maps)
    weights = slope.mean(dim=(2, 3), keepdim=True)
    return (weights * maps.detach()).sum(dim=1)[0].relu()
