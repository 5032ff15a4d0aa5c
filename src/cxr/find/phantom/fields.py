"""Building blocks of an image: soft edges, smooth random fields, tubes.

Positions are in image heights: y runs down from 0 to 1, x is 0 at the middle of the image, and
positive x is the patient's left, which is the viewer's right.

The canvas is float32 and drawn with + - * / and square roots alone, which every machine rounds
the same way. What needs exp, log or a power, which they don't, is done later in float64, where a
difference in the last digit is far below what a pixel can show.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.floating[Any]]
Window = tuple[slice, slice]

SINGLE = np.float32
MARGIN = 0.05  # image heights drawn beyond each edge, so that a rotated image has no empty corners


@dataclass(frozen=True)
class Grid:
    """Pixel centres: `x` is (1, W), `y` is (H, 1), in image heights; `pitch` is one pixel."""

    x: Field
    y: Field
    pitch: float

    @property
    def shape(self) -> tuple[int, int]:
        return self.y.shape[0], self.x.shape[1]

    def window(self, left: float, right: float, top: float, bottom: float) -> tuple[Window, Grid]:
        """The part of the canvas inside a box: its index and its own grid."""
        columns = slice(*np.searchsorted(self.x[0], (left, right)))
        rows = slice(*np.searchsorted(self.y[:, 0], (top, bottom)))
        return (rows, columns), Grid(self.x[:, columns], self.y[rows], self.pitch)


def canvas(height: int, width: int) -> Grid:
    """The grid of an image of `height` x `width` pixels with its margin on every side."""
    extra = round(MARGIN * height)
    rows = np.arange(-extra, height + extra)
    columns = np.arange(-extra, width + extra)
    y = (rows + 0.5) / height
    x = (columns + 0.5 - width / 2) / height
    return Grid(x[None, :].astype(SINGLE), y[:, None].astype(SINGLE), 1.0 / height)


def smoothstep(t: Field) -> Field:
    """0 below 0, 1 above 1, a cubic between."""
    t = np.maximum(t, 0.0)
    np.minimum(t, 1.0, out=t)
    rest = 3.0 - 2.0 * t
    t *= t
    t *= rest
    return t


def edge(distance: Field, softness: float) -> Field:
    """0 to 1 while `distance` goes from -softness to +softness."""
    t = distance * (0.5 / softness)
    t += 0.5
    return smoothstep(t)


def dome(squared: Field) -> Field:
    """The chord of a ball: sqrt(1 - r^2) inside, 0 outside."""
    rest = np.maximum(1.0 - squared, 0.0)
    return np.sqrt(rest, out=rest)


def ellipse(grid: Grid, centre: tuple[float, float], radii: tuple[float, float]) -> Field:
    """Squared distance from `centre` in units of the radii: 1 on the ellipse."""
    dx = (grid.x - centre[0]) / radii[0]
    dy = (grid.y - centre[1]) / radii[1]
    return dx * dx + dy * dy


def add_ball(
    out: Field, grid: Grid, centre: tuple[float, float], radii: tuple[float, float], amount: float
) -> None:
    """Adds `amount` times the chord of an ellipsoid to `out`, in place."""
    (x, y), (rx, ry) = centre, radii
    where, part = grid.window(x - rx, x + rx, y - ry, y + ry)
    out[where] += amount * dome(ellipse(part, centre, radii))


@lru_cache(maxsize=256)
def _spline(n: int, cells: int) -> tuple[NDArray[np.intp], Field]:
    """Cubic B-splines, `cells` cells over n pixels: first knot (n,) and weights (4, n)."""
    position = (np.arange(n) + 0.5) * (cells / n)
    first = np.floor(position).astype(np.intp)
    t = position - first
    rest = 1.0 - t
    weights = np.stack(
        [rest**3, 4.0 - 3.0 * t * t * (2.0 - t), 4.0 - 3.0 * rest * rest * (1.0 + t), t**3]
    )
    return first, (weights / 6.0).astype(SINGLE)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cells: int) -> Field:
    """A smooth random field with about `cells` bumps down the image; mean 0, spread about 1.

    The four terms are added one by one: a matrix product would add them in another order on each
    machine, and start threads of its own.
    """
    across = max(1, round(cells * shape[1] / shape[0]))
    knots = rng.standard_normal((cells + 3, across + 3)).astype(SINGLE)
    knots *= 2.09  # splines shrink the spread by 0.479
    first, weight = _spline(shape[1], across)
    rows = sum(knots[:, first + k] * weight[k] for k in range(4))
    first, weight = _spline(shape[0], cells)
    out = np.zeros(shape, dtype=SINGLE)
    for k in range(4):
        out += rows[first + k] * weight[k][:, None]
    return out


def ridges(rng: np.random.Generator, shape: tuple[int, int], cells: int, width: float) -> Field:
    """A net of fine lines (0 to 1): where a smooth field crosses zero."""
    line = 1.0 - np.abs(smooth_noise(rng, shape, cells)) / width
    return np.maximum(line, 0.0)


def tubes(grid: Grid, x: Field, y: Field, radius: Field) -> Field:
    """Chains of points at one-pixel spacing drawn as soft round tubes; 1 at the axis of each.

    x, y and radius are (N,) in image heights. A tube narrower than a pixel grows fainter instead.
    Points whose disc would cross the canvas's edge are left out.
    """
    height, width = grid.shape
    out = np.zeros(height * width)
    column, row = (x - grid.x[0, 0]) / grid.pitch, (y - grid.y[0, 0]) / grid.pitch
    thick = radius / grid.pitch
    reach = np.ceil(np.maximum(thick, 1.0))
    whole = np.minimum(np.minimum(column, width - 1 - column), np.minimum(row, height - 1 - row))
    for size in np.unique(reach):
        mine = (reach == size) & (whole > size + 0.5)
        out += _stamp(column[mine], row[mine], thick[mine], int(size), height, width)
    return out.reshape(height, width).astype(SINGLE)


def _stamp(column: Field, row: Field, thick: Field, reach: int, height: int, width: int) -> Field:
    steps = np.arange(-reach, reach + 1)
    drawn = np.maximum(thick, 1.0)[:, None]
    near_row, near_column = np.rint(row), np.rint(column)
    dy = ((steps + (near_row - row)[:, None]) / drawn) ** 2
    dx = ((steps + (near_column - column)[:, None]) / drawn) ** 2
    ball = np.maximum((1.0 - dy)[:, :, None] - dx[:, None, :], 0.0)
    # A chain of these paraboloids at one-pixel spacing sums to 4/3 r on its axis.
    ball *= (0.75 * np.minimum(thick, 1.0) / drawn[:, 0])[:, None, None]
    index = (near_row * width + near_column).astype(np.intp)[:, None]
    index = index + (steps[:, None] * width + steps).ravel()
    summed = np.bincount(index.ravel(), ball.ravel(), height * width)
    return summed.astype(np.float64, copy=False)
