from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from cxr.apply.explain.occlusion import occlusion
from cxr.backbones import Architecture, logits_of


class Brightness(nn.Module):
    """Says class 1 the brighter the image is."""

    architecture = Architecture("none", 2, 64)

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(1.0))

    def forward(self, grey: torch.Tensor) -> torch.Tensor:
        bright = self.gain * grey.float().mean((1, 2, 3))
        return torch.stack([torch.zeros_like(bright), bright], dim=1)


def test_occlusion_finds_the_patch_that_counts() -> None:
    pixels = np.zeros((64, 64), np.uint8)
    pixels[40:48, 16:24] = 200
    network = Brightness()
    ill = occlusion(lambda images: logits_of(network, images).numpy(), pixels, 1, False)
    assert np.argwhere(ill).tolist() == [[5, 2]]
    mean = round(float(pixels.mean()))
    # 64 of 4096 pixels fall from 200 to the mean.
    assert ill[5, 2].item() == pytest.approx((200 - mean) / 64, rel=1e-4)
