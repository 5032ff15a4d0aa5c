"""Training views of the lung locator: other cuts, tilts, exposures and frames of a few images."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cxr.pixels.frame import SIDE

DETAIL = 96  # pixels a side of what the views are cut from
# Upright, turned by 90, 180 and 270 degrees, inverted, no lungs: how often each is shown.
CLASS_SHARES = torch.tensor([0.60, 0.06, 0.06, 0.06, 0.06, 0.16])
UPRIGHT, INVERTED, NONE = 0, 4, 5


def uniform(n: int, low: float, high: float) -> Tensor:
    return torch.rand(n) * (high - low) + low


def per_image(values: Tensor) -> Tensor:
    return values[:, None, None, None]


class Views:
    """Endless training views of `images` (n, DETAIL, DETAIL) with `boxes` (n, 4)."""

    def __init__(self, images: np.ndarray, boxes: np.ndarray, weights: np.ndarray) -> None:
        self.images = torch.from_numpy(images).float()[:, None] / 255
        self.boxes, self.weights = torch.from_numpy(boxes).float(), torch.from_numpy(weights)
        centres = (torch.arange(DETAIL) + 0.5) / DETAIL
        self.y, self.x = torch.meshgrid(centres, centres, indexing="ij")

    def batch(self, n: int) -> tuple[Tensor, Tensor, Tensor]:
        """Normalised views (n, 1, 48, 48), boxes with twice the tilt (n, 5), classes (n,)."""
        rows = torch.multinomial(self.weights, n, True)
        box, kind = self.boxes[rows], torch.multinomial(CLASS_SHARES, n, True)
        view, target = cut(self.with_opacities(self.images[rows], box), box, kind)
        flipped = torch.rand(n) < 0.3
        view[flipped] = view[flipped].flip(-1)
        target[flipped, 0], target[flipped, 4] = 1 - target[flipped, 0], -target[flipped, 4]
        kind = torch.where(flipped & ((kind == 1) | (kind == 3)), 4 - kind, kind)
        view = exposed(view)
        view[kind == INVERTED] = 1 - view[kind == INVERTED]
        self.replace_by_nothing(view, (kind == NONE) & (torch.rand(n) < 0.6))
        write_over(view, framed=kind != NONE)
        view = view + torch.randn_like(view) * per_image(uniform(n, 0, 0.05))
        return normalised(view.clamp(0, 1)), target, kind

    def with_opacities(self, view: Tensor, box: Tensor) -> Tensor:
        """White lungs: up to two soft bright patches where the lungs lie."""
        n = len(view)
        bright = per_image(torch.quantile(view.flatten(1), 0.75, dim=1))
        left, top, width, height = (
            box[:, 0],
            box[:, 1],
            box[:, 2] - box[:, 0],
            box[:, 3] - box[:, 1],
        )
        for _ in range(2):
            side = torch.where(torch.rand(n) < 0.5, 0.25, 0.75)
            x, y = (
                left + width * side + uniform(n, -0.08, 0.08),
                top + height * uniform(n, 0.2, 0.9),
            )
            across, down = width * uniform(n, 0.1, 0.35), height * uniform(n, 0.12, 0.6)
            x, y, across, down = (value[:, None, None] for value in (x, y, across, down))
            distance = ((self.x - x) / across) ** 2 + ((self.y - y) / down) ** 2
            strength = (torch.rand(n) < 0.35) * uniform(n, 0.3, 1)
            patch = torch.exp(-(distance**1.5))[:, None] * per_image(strength)
            filled = torch.maximum(view, bright * per_image(uniform(n, 0.85, 1.1)))
            view = view * (1 - patch) + patch * filled
        return view

    def replace_by_nothing(self, view: Tensor, rows: Tensor) -> None:
        """Clouds, blanks, two chests in one image, and chests with their quarters misplaced."""
        m = int(rows.sum())
        grain = [int(torch.randint(2, 20, ())) for _ in range(2)]
        nothing = (
            F.interpolate(torch.randn(m, 1, *grain), (SIDE, SIDE), mode="bilinear") * 0.3 + 0.5
        )
        draw = torch.rand(m)
        nothing[draw < 0.1] = 0.5
        for double, axis in (((draw > 0.4) & (draw < 0.55), 3), ((draw > 0.55) & (draw < 0.7), 2)):
            for half in nothing.chunk(2, axis):
                some = torch.multinomial(self.weights, m, True)
                chest = F.interpolate(self.images[some], half.shape[2:], mode="area")
                half[double] = chest[double]
        shuffled = draw > 0.7
        if shuffled.any():
            some = torch.multinomial(self.weights, int(shuffled.sum()), True)
            chest = F.interpolate(self.images[some], (SIDE, SIDE), mode="bilinear")
            quarters = [half for rows_ in chest.chunk(2, 2) for half in rows_.chunk(2, 3)]
            order = torch.randperm(4).tolist()
            a, b, c, d = order if order != [0, 1, 2, 3] else order[::-1]
            upper = torch.cat([quarters[a], quarters[b]], 3)
            nothing[shuffled] = torch.cat([upper, torch.cat([quarters[c], quarters[d]], 3)], 2)
        view[rows] = nothing


def cut(images: Tensor, box: Tensor, kind: Tensor) -> tuple[Tensor, Tensor]:
    """Views (n, 1, 48, 48) that hold the lungs, tilted by up to 12 degrees or turned, and the
    targets: centre, width, height in the view, twice the tilt. Without lungs: a part of a chest."""
    n = len(images)
    middle, extent = (box[:, :2] + box[:, 2:]) / 2, box[:, 2:] - box[:, :2]
    across = torch.exp(uniform(n, math.log(0.62), math.log(1.3)))
    size = torch.stack([across, across * torch.exp(uniform(n, -0.3, 0.3))], 1)
    size = torch.maximum(size, extent * 0.85)
    free = (size - extent).clamp(min=0) / 2 + 0.05
    centre = middle + (torch.rand(n, 2) * 2 - 1) * free
    plain = torch.rand(n) < 0.25
    size[plain], centre[plain] = 1, 0.5
    tilt = torch.where(torch.rand(n) < 0.6, torch.deg2rad(uniform(n, -12, 12)), torch.zeros(n))
    turn = tilt + torch.where(kind <= 3, kind, 0) * math.pi / 2
    none = kind == NONE
    part = uniform(n, 0.12, 0.35)
    size[none] = torch.stack([part, part * torch.exp(uniform(n, -0.4, 0.4))], 1)[none]
    centre[none] = (torch.rand(n, 2) * 0.8 + 0.1)[none]
    turn[none] = uniform(n, 0, 2 * math.pi)[none]
    halved = none & (torch.rand(n) < 0.6)  # one lung, or only the upper or lower parts of both
    cut_across = F.one_hot(torch.randint(0, 2, (n,)), 2).bool()
    half = torch.where(cut_across, uniform(n, 0.4, 0.55)[:, None], uniform(n, 0.9, 1.3)[:, None])
    aside = torch.where(torch.rand(n) < 0.5, -0.26, 0.26)[:, None] * cut_across
    size[halved], turn[halved] = (extent * half)[halved], tilt[halved]
    centre[halved] = (middle + aside * extent)[halved]

    steps = (torch.arange(SIDE) + 0.5) / SIDE - 0.5
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    cos, sin = (f(turn)[:, None, None] for f in (torch.cos, torch.sin))
    source = torch.stack([x * cos + y * sin, y * cos - x * sin], -1)
    grid = (centre[:, None, None] + size[:, None, None] * source) * 2 - 1
    padding = "zeros" if torch.rand(()) < 0.5 else "border"
    view = F.grid_sample(images, grid, padding_mode=padding, align_corners=False)

    dx, dy = ((middle - centre) / size).T
    cos, sin = torch.cos(tilt), torch.sin(tilt)
    place = [0.5 + dx * cos - dy * sin, 0.5 + dx * sin + dy * cos]
    return view, torch.stack([*place, *(extent / size).T, 2 * tilt], 1)


def exposed(view: Tensor) -> Tensor:
    """Another tone curve, contrast and brightness, and a slope of light."""
    n = len(view)
    view = view.clamp(1e-3, 1) ** per_image(torch.exp(uniform(n, -0.7, 0.7)))
    view = view * per_image(uniform(n, 0.5, 1.1)) + per_image(uniform(n, -0.1, 0.25))
    slope = torch.linspace(-0.75, 0.75, SIDE)
    across, down = (per_image(uniform(n, -0.25, 0.25)) for _ in range(2))
    return view + across * slope + down * slope[:, None]


def write_over(view: Tensor, framed: Tensor) -> None:
    """Black or white borders where `framed`, and marks of burnt-in text."""
    for row in torch.where((torch.rand(len(view)) < 0.2) & framed)[0].tolist():
        top, bottom, left, right = torch.randint(0, 7, (4,)).tolist()
        inner = view[row, 0, top : SIDE - bottom, left : SIDE - right].clone()
        view[row, 0] = float(torch.rand(()) < 0.25)
        view[row, 0, top : SIDE - bottom, left : SIDE - right] = inner
    for row in torch.where(torch.rand(len(view)) < 0.3)[0].tolist():
        y, x = torch.randint(0, 44, (2,)).tolist()
        height, width = int(torch.randint(1, 4, ())), int(torch.randint(1, 7, ()))
        view[row, 0, y : y + height, x : x + width] = float(torch.rand(()) < 0.8)


def normalised(view: Tensor) -> Tensor:
    mean, spread = view.mean((2, 3), keepdim=True), view.std((2, 3), keepdim=True)
    return (view - mean) / (spread + 0.02)
