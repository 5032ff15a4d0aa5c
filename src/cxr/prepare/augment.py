"""Augmentation of a whole batch at once, on the batch's device, with random values for each image.

No flips: a mirrored chest has its heart on the wrong side, which is a disease of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import UsageError


@dataclass(frozen=True)
class Augmentation:
    """Largest changes; each image draws its own values, evenly between the limits.

    `rotate` in degrees; `zoom` and `contrast` as factors (1.1: from 1/1.1 to 1.1); `shift` as a
    share of the side; `brightness` added to grey values in 0..1; `p` the share of images changed.
    """

    rotate: float = 10.0
    zoom: float = 1.1
    shift: float = 0.05
    brightness: float = 0.1
    contrast: float = 1.2
    p: float = 0.9

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 <= value < 360 or (field.name == "p" and value > 1):
                raise UsageError(f"augmentation {field.name}={value} is out of range")
        for factor in ("zoom", "contrast"):
            if getattr(self, factor) < 1:
                raise UsageError(
                    f"augmentation {factor}={getattr(self, factor)} must be at least 1"
                )

    def __call__(self, grey: Tensor, generator: torch.Generator) -> Tensor:
        """(B, 1, H, W) float in 0..1 -> the same shape and range."""
        return self.draw(len(grey), generator)(grey)

    def draw(self, n: int, generator: torch.Generator) -> Changes:
        """What happens to each of `n` images, on the CPU: one seed, one model on any device."""
        draw = _Draw(n, self.p, generator)
        return Changes(
            angle=draw.around(math.radians(self.rotate)),
            scale=draw.factor(self.zoom),
            shift_x=draw.around(2 * self.shift),
            shift_y=draw.around(2 * self.shift),
            contrast=draw.factor(self.contrast),
            brightness=draw.around(self.brightness),
        )


@dataclass(frozen=True)
class Changes:
    """One value an image, (n,) each; calling it changes a batch of `n` images."""

    angle: Tensor
    scale: Tensor
    shift_x: Tensor
    shift_y: Tensor
    contrast: Tensor
    brightness: Tensor

    def to(self, device: torch.device) -> Changes:
        return Changes(*(getattr(self, f.name).to(device) for f in fields(self)))

    def of(self, which: Tensor) -> Changes:
        """The changes of some of the images."""
        return Changes(*(getattr(self, f.name)[which] for f in fields(self)))

    def __call__(self, grey: Tensor) -> Tensor:
        """(n, 1, H, W) float in 0..1 -> the same shape and range, on the device of `grey`."""
        moved = _affine(grey, self.angle, self.scale, self.shift_x, self.shift_y)
        return _light(moved, self.contrast, self.brightness)


class _Draw:
    """Random values, one an image; neutral for the images that stay as they are."""

    def __init__(self, n: int, p: float, generator: torch.Generator) -> None:
        self.n, self.generator = n, generator
        self.changed = torch.rand(n, generator=generator) < p

    def around(self, limit: float) -> Tensor:
        unit = torch.rand(self.n, generator=self.generator) * 2 - 1
        return unit * limit * self.changed

    def factor(self, limit: float) -> Tensor:
        return torch.exp(self.around(math.log(limit)))


def _affine(grey: Tensor, angle: Tensor, scale: Tensor, shift_x: Tensor, shift_y: Tensor) -> Tensor:
    """Rotates, zooms and shifts; what comes in from outside is a reflection, not a black wedge."""
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    rows = torch.stack([cos, -sin, shift_x, sin, cos, shift_y], dim=1)
    rows = rows.view(-1, 2, 3).to(grey.device)
    grid = functional.affine_grid(rows, list(grey.shape), align_corners=False)
    return functional.grid_sample(
        grey, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )


def _light(grey: Tensor, contrast: Tensor, brightness: Tensor) -> Tensor:
    contrast = contrast.view(-1, 1, 1, 1).to(grey.device)
    brightness = brightness.view(-1, 1, 1, 1).to(grey.device)
    return ((grey - 0.5) * contrast + 0.5 + brightness).clamp_(0, 1)


def aug_transforms(
    do_flip: bool = False,
    max_rotate: float = 10.0,
    max_zoom: float = 1.1,
    max_lighting: float = 0.2,
    p: float = 0.9,
) -> Augmentation:
    """fast.ai's name. Flips are refused: in a mirrored chest the heart is on the wrong side."""
    if do_flip:
        raise UsageError(
            "do_flip=True mirrors the chest, so that the heart lies on the wrong side; "
            "leave do_flip=False"
        )
    return Augmentation(
        rotate=max_rotate,
        zoom=max_zoom,
        brightness=max_lighting / 2,
        contrast=1 + max_lighting,
        p=p,
    )
