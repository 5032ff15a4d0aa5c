"""Augmentation of a whole batch at once, on the batch's device, with random values for each image.

No flips: a mirrored chest has its heart on the wrong side, which is a disease of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import UsageError

SMALLEST_GREY = 1e-3  # whose powers keep a finite slope
GRAIN = 1 << 21  # different starts in the common row of grain


@dataclass(frozen=True)
class Augmentation:
    """Largest changes; each image draws its own values, evenly between the limits.

    `rotate` in degrees; `zoom`, `contrast` and `gamma` as factors (1.1: from 1/1.1 to 1.1); `shift`
    as a share of the side; `brightness` added to grey values in 0..1; `sharpness` as the share by
    which fine detail is weakened or strengthened; `noise` as the standard deviation of grain in
    grey values of 0..1; `p` the share of images changed.
    """

    rotate: float = 10.0
    zoom: float = 1.1
    shift: float = 0.05
    brightness: float = 0.1
    contrast: float = 1.2
    gamma: float = 1.0
    sharpness: float = 0.0
    noise: float = 0.0
    p: float = 0.9

    @classmethod
    def robust(cls) -> Augmentation:
        """Images as other machines would have made them: what tells no disease tells nothing.

        Exposure, contrast curve, sharpness and grain differ between hospitals and, where the
        classes come from different sources, between classes. A network that sees them vary at
        random cannot lean on them (`docs/log.md`).
        """
        return cls(brightness=0.2, contrast=1.5, gamma=1.65, sharpness=1.0, noise=0.06)

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 <= value < 360 or (field.name == "p" and value > 1):
                raise UsageError(f"augmentation {field.name}={value} is out of range")
        for factor in ("zoom", "contrast", "gamma"):
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
            gamma=draw.factor(self.gamma),
            fine=1 + draw.around(self.sharpness),
            middle=1 + draw.around(self.sharpness / 2),
            noise=draw.around(self.noise).abs(),
            grain=draw.seeds(),
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
    gamma: Tensor
    fine: Tensor
    middle: Tensor
    noise: Tensor
    grain: Tensor  # where in the common grain each image's begins

    def to(self, device: torch.device) -> Changes:
        return Changes(*(getattr(self, f.name).to(device) for f in fields(self)))

    def of(self, which: Tensor) -> Changes:
        """The changes of some of the images."""
        return Changes(*(getattr(self, f.name)[which] for f in fields(self)))

    def __call__(self, grey: Tensor) -> Tensor:
        """(n, 1, H, W) float in 0..1 -> the same shape and range, on the device of `grey`."""
        image = _affine(grey, self.angle, self.scale, self.shift_x, self.shift_y)
        if _any(self.gamma, 1):
            image = image.clamp(SMALLEST_GREY, 1) ** _each(self.gamma, image)
        if _any(self.fine, 1):
            image = _detail(image, self.fine, self.middle)
        image = _light(image, self.contrast, self.brightness)
        if _any(self.noise, 0):
            image = image + _each(self.noise, image) * _grain(image, self.grain)
        return image.clamp(0, 1)


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

    def seeds(self) -> Tensor:
        return torch.randint(GRAIN, (self.n,), generator=self.generator)


def _any(values: Tensor, neutral: float) -> bool:
    return bool((values != neutral).any())


def _each(values: Tensor, grey: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1).to(grey.device)


def _affine(grey: Tensor, angle: Tensor, scale: Tensor, shift_x: Tensor, shift_y: Tensor) -> Tensor:
    """Rotates, zooms and shifts; what comes in from outside is a reflection, not a black wedge."""
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    rows = torch.stack([cos, -sin, shift_x, sin, cos, shift_y], dim=1)
    rows = rows.view(-1, 2, 3).to(grey.device)
    grid = functional.affine_grid(rows, list(grey.shape), align_corners=False)
    return functional.grid_sample(
        grey, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )


def _detail(grey: Tensor, fine: Tensor, middle: Tensor) -> Tensor:
    """Weighs what is finer than 2 pixels and what is of 2 to 4: a random transfer function.

    0 takes the detail away as a smaller matrix or a blurred focus would; 2 doubles it as the edge
    enhancement of many machines does. The bands are those of a Laplacian pyramid (Burt, 1983).
    """
    half = functional.avg_pool2d(grey, 2, ceil_mode=True)
    quarter = functional.avg_pool2d(half, 2, ceil_mode=True)
    soft, softer = (
        functional.interpolate(small, grey.shape[2:], mode="bilinear", align_corners=False)
        for small in (half, quarter)
    )
    fine, middle = _each(fine, grey), _each(middle, grey)
    return fine * grey + (middle - fine) * soft + (1 - middle) * softer


def _grain(grey: Tensor, start: Tensor) -> Tensor:
    """Standard normal, of the shape of `grey`: pieces of one long row, the same on any device."""
    n_pixels = grey[0].numel()
    pieces = start[:, None] + torch.arange(n_pixels, device=grey.device)
    return _common_grain(GRAIN + n_pixels, grey.device)[pieces].view_as(grey)


@cache
def _common_grain(length: int, device: torch.device) -> Tensor:
    return torch.randn(length, generator=torch.Generator().manual_seed(0)).to(device)


def _light(grey: Tensor, contrast: Tensor, brightness: Tensor) -> Tensor:
    return (grey - 0.5) * _each(contrast, grey) + (0.5 + _each(brightness, grey))


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
