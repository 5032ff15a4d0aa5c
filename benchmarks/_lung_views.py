"""Training views of the lung locator: other cuts, tilts, exposures and frames of a few images."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from _unlike_chests import unlike_chests
from cxr.pixels.frame import SIDE

DETAIL = 96  # pixels a side of what the views are cut from
# Upright, turned by 90, 180 and 270 degrees, inverted, no lungs: how often each is shown.
CLASS_SHARES = torch.tensor([0.54, 0.05, 0.05, 0.05, 0.05, 0.26])
UPRIGHT, INVERTED, NONE = 0, 4, 5


def uniform(n: int, low: float, high: float) -> Tensor:
    return torch.rand(n) * (high - low) + low


def either(n: int, share: float) -> Tensor:
    return torch.rand(n) < share


def per_image(values: Tensor) -> Tensor:
    return values[:, None, None, None]


class Views:
    """Endless training views of `images` (n, DETAIL, DETAIL) with `boxes` (n, 4)."""

    def __init__(self, images: np.ndarray, boxes: np.ndarray, weights: np.ndarray) -> None:
        self.images = torch.from_numpy(images)[:, None]
        self.boxes, self.weights = torch.from_numpy(boxes).float(), torch.from_numpy(weights)
        self.bright = torch.from_numpy(np.quantile(images, 0.75, axis=(1, 2)) / 255).float()
        self.unlike = torch.from_numpy(unlike_chests(1200, seed=7)).float()[:, None] / 255

    def batch(self, n: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Normalised views (n, 1, 48, 48), boxes with twice the tilt (n, 5), classes (n,) and the
        size of each view as shares of the image (n, 2).

        View i and view i + n / 2 show the same image with the same tilt and the same opacities, so
        that their boxes must be one in the image.
        """
        pairs = n // 2
        rows = torch.multinomial(self.weights, pairs, True).repeat(2)
        kind = torch.multinomial(CLASS_SHARES, pairs, True).repeat(2)
        images = self.images[rows].float() / 255
        view, target, size = cut(images, self.boxes[rows], kind)
        view = with_opacities(view, target, self.bright[rows], (kind == UPRIGHT))
        flipped = either(pairs, 0.3).repeat(2)
        view[flipped] = view[flipped].flip(-1)
        target[flipped, 0], target[flipped, 4] = 1 - target[flipped, 0], -target[flipped, 4]
        kind = torch.where(flipped & ((kind == 1) | (kind == 3)), 4 - kind, kind)
        self.replace_by_nothing(view, torch.where((kind == NONE) & either(n, 0.5))[0])
        view = exposed(view)
        view[kind == INVERTED] = 1 - view[kind == INVERTED]
        write_over(view, framed=kind != NONE)
        view = view + torch.randn_like(view) * per_image(uniform(n, 0, 0.05))
        return normalised(view.clamp(0, 1)), target, kind, size

    def replace_by_nothing(self, view: Tensor, rows: Tensor) -> None:
        """Two or four chests in one image, chests with their halves exchanged, and no chests."""
        chests = F.interpolate(
            self.images[torch.multinomial(self.weights, 2 * len(rows), True)].float() / 255,
            (SIDE, SIDE),
            mode="area",
        )
        for i, (row, draw) in enumerate(zip(rows.tolist(), torch.rand(len(rows)), strict=True)):
            one, two = chests[2 * i], chests[2 * i + 1]
            two = one if draw * 100 % 1 < 0.3 else two
            axis = 1 + int(draw * 1000) % 2
            if draw < 0.35:
                view[row] = torch.cat([halved(one, axis), halved(two, axis)], axis)
            elif draw < 0.40:
                pair = torch.cat([halved(one, 1), halved(two, 1)], 1)
                view[row] = torch.cat([halved(pair, 2), halved(pair, 2)], 2)
            elif draw < 0.50:
                view[row] = torch.roll(one, SIDE // 2, axis)
            elif draw < 0.53:
                view[row] = float(draw)
            else:
                view[row] = self.unlike[torch.randint(0, len(self.unlike), ())]


def halved(view: Tensor, axis: int) -> Tensor:
    """Of (1, H, W): the mean of every two rows (axis 1) or columns (axis 2)."""
    return F.avg_pool2d(view, (2, 1) if axis == 1 else (1, 2))


def windows(box: Tensor, kind: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Centre (n, 2), size (n, 2) of what is seen, and how far from the centre the image reaches
    there (n, 2, 2: low, high; x, y), all as shares of the image.

    The whole image, any part of it that holds the lungs, what the second look of
    `cxr.pixels.frame` sees, and a cut that is looked at anew.
    """
    n = len(box)
    middle, extent = (box[:, :2] + box[:, 2:]) / 2, box[:, 2:] - box[:, :2]
    across = torch.exp(uniform(n, math.log(0.62), math.log(1.3)))
    size = torch.stack([across, across * torch.exp(uniform(n, -0.3, 0.3))], 1)
    size = torch.maximum(size, extent * 0.85)
    centre = middle + (torch.rand(n, 2) * 2 - 1) * ((size - extent).clamp(min=0) / 2 + 0.05)
    draw = torch.rand(n)
    whole, cut_out = draw < 0.2, draw > 0.75
    near = (draw > 0.5) | (cut_out & either(n, 0.5))
    size[whole], centre[whole] = 1, 0.5
    size[near] = (extent * (1.4 + 0.07 * torch.randn(n, 2)))[near]
    centre[near] = (middle + extent * 0.05 * torch.randn(n, 2))[near]
    edges = torch.stack([-(0.53 + 0.025 * torch.randn(n, 2)), 0.53 + 0.025 * torch.randn(n, 2)], 1)
    edges = middle[:, None] + edges * extent[:, None]
    exact = cut_out & either(n, 0.5)
    size[exact], centre[exact] = (edges[:, 1] - edges[:, 0])[exact], edges.mean(1)[exact]
    edges[~cut_out] = torch.tensor([-9.0, 9.0])[:, None]
    none = torch.where(kind == NONE)[0]
    size[none], centre[none] = parts(middle[none], extent[none])
    edges[none] = torch.tensor([-9.0, 9.0])[:, None]
    return centre, size, edges - centre[:, None]


def parts(middle: Tensor, extent: Tensor) -> tuple[Tensor, Tensor]:
    """Size and centre of windows without both lungs: one lung with what lies beside it, upper or
    lower halves, or little of anything."""
    n = len(middle)
    inner, outer = uniform(n, -0.10, 0.10), uniform(n, 0.42, 0.95)
    upright = either(n, 0.7)  # one lung, not both halves
    inner = torch.where(upright, inner, uniform(n, -0.05, 0.12))
    away = (outer + inner) / 2 * torch.where(either(n, 0.5), -1, 1)
    long = uniform(n, 0.85, 1.7)
    one = torch.stack([outer - inner, long], 1)
    shift = torch.stack([away, (long - 1) * uniform(n, -0.5, 0.5)], 1)
    one[~upright], shift[~upright] = one[~upright].flip(1), shift[~upright].flip(1)
    size, centre = extent * one, middle + extent * shift
    little = either(n, 0.2)
    part = uniform(n, 0.12, 0.35)
    size[little] = torch.stack([part, part * torch.exp(uniform(n, -0.4, 0.4))], 1)[little]
    centre[little] = (torch.rand(n, 2) * 0.8 + 0.1)[little]
    return size, centre


def cut(images: Tensor, box: Tensor, kind: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Views (n, 1, 48, 48), tilted by up to 12 degrees or turned; targets: centre, width, height
    in the view, twice the tilt; and the sizes of the views."""
    pairs = len(images) // 2
    centre, size, reach = windows(box, kind)
    tilt = torch.deg2rad(uniform(pairs, -12, 12)) * either(pairs, 0.6)
    tilt = tilt.repeat(2)
    turn = tilt + torch.where(kind <= 3, kind, 0) * math.pi / 2
    steps = (torch.arange(2 * SIDE) + 0.5) / (2 * SIDE) - 0.5
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    source = torch.stack([x, y], -1) * size[:, None, None]
    source = torch.minimum(torch.maximum(source, reach[:, 0, None, None]), reach[:, 1, None, None])
    x, y = (source / size[:, None, None]).unbind(-1)
    cos, sin = (f(turn)[:, None, None] for f in (torch.cos, torch.sin))
    source = torch.stack([x * cos + y * sin, y * cos - x * sin], -1)
    grid = (centre[:, None, None] + size[:, None, None] * source) * 2 - 1
    padding = "zeros" if torch.rand(()) < 0.4 else "border"
    view = F.grid_sample(images, grid, padding_mode=padding, align_corners=False)

    middle, extent = (box[:, :2] + box[:, 2:]) / 2, box[:, 2:] - box[:, :2]
    dx, dy = ((middle - centre) / size).T
    cos, sin = torch.cos(tilt), torch.sin(tilt)
    place = [0.5 + dx * cos - dy * sin, 0.5 + dx * sin + dy * cos]
    target = torch.stack([*place, *(extent / size).T, 2 * tilt], 1)
    return F.avg_pool2d(view, 2), target, size


def with_opacities(view: Tensor, target: Tensor, bright: Tensor, rows: Tensor) -> Tensor:
    """White lungs: up to two soft bright patches where the lungs lie, of `rows`."""
    pairs = len(view) // 2
    left, top = target[:, 0] - target[:, 2] / 2, target[:, 1] - target[:, 3] / 2
    steps = (torch.arange(SIDE) + 0.5) / SIDE
    for _ in range(2):
        side = torch.where(either(pairs, 0.5), 0.25, 0.75) + uniform(pairs, -0.08, 0.08)
        place = [side, uniform(pairs, 0.1, 0.95), uniform(pairs, 0.1, 0.35)]
        draws = torch.stack([*place, uniform(pairs, 0.12, 0.75)], 1).repeat(2, 1)
        x, y = left + target[:, 2] * draws[:, 0], top + target[:, 3] * draws[:, 1]
        across, down = target[:, 2] * draws[:, 2], target[:, 3] * draws[:, 3]
        x, y, across, down = (value[:, None, None] for value in (x, y, across, down))
        distance = ((steps - x) / across) ** 2 + ((steps[:, None] - y) / down) ** 2
        strength = (either(pairs, 0.35) * uniform(pairs, 0.3, 1)).repeat(2) * rows
        patch = torch.exp(-(distance**1.5))[:, None] * per_image(strength)
        light = bright * uniform(pairs, 0.85, 1.1).repeat(2)
        view = view * (1 - patch) + patch * torch.maximum(view, per_image(light))
    return view


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
    for row in torch.where(either(len(view), 0.2) & framed)[0].tolist():
        top, bottom, left, right = torch.randint(0, 7, (4,)).tolist()
        inner = view[row, 0, top : SIDE - bottom, left : SIDE - right].clone()
        view[row, 0] = float(torch.rand(()) < 0.25)
        view[row, 0, top : SIDE - bottom, left : SIDE - right] = inner
    for row in torch.where(either(len(view), 0.3))[0].tolist():
        y, x = torch.randint(0, 44, (2,)).tolist()
        height, width = int(torch.randint(1, 4, ())), int(torch.randint(1, 7, ()))
        view[row, 0, y : y + height, x : x + width] = float(torch.rand(()) < 0.8)


def normalised(view: Tensor) -> Tensor:
    mean, spread = view.mean((2, 3), keepdim=True), view.std((2, 3), keepdim=True)
    return (view - mean) / (spread + 0.02)
