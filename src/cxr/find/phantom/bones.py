"""Ribs, spine, clavicles and shoulder blades."""

from __future__ import annotations

import numpy as np

from .fields import Field, Grid, dome, edge
from .lungs import SIDES, Lungs
from .patients import Build, Pose

FIRST_RIB = 0.115  # image heights
BACK_RIBS, FRONT_RIBS = 11, 7  # how many show
HALF_RIB = 0.0145  # image heights
VERTEBRA = 0.062  # image heights


def bones(grid: Grid, build: Build, pose: Pose, middle: Field, lungs: Lungs) -> Field:
    """Attenuation of the skeleton, (H, W)."""
    out = build.bone * _ribs(grid, build, lungs)
    _add_shoulder_blades(out, grid, build, lungs)
    _add_clavicles(out, grid, build, pose)
    _add_spine(out, grid, build, middle)
    return out


def _across(square: Field) -> Field:
    """Across a bone, `square` = (distance / half-width)^2: marrow, a denser cortex at the edges."""
    out = square * square
    out *= square
    np.subtract(1.0, out, out=out)
    np.maximum(out, 0.0, out=out)
    out *= 0.55 + 0.45 * square
    return out


def _ribs(grid: Grid, build: Build, lungs: Lungs) -> Field:
    """Hoops tilted forwards: each is seen twice, its back part flat, its front part steep.

    A hoop at height Y with depth z (-1 at the spine, 1 at the sternum) and tilt T lies at
    y = Y + T (1 + z), and on the image z = -+sqrt(1 - u^2), u = distance from the midline.
    """
    cage = lungs.lateral + 0.012
    u = np.minimum(lungs.out / cage, 1.0)
    back = np.maximum(dome(u * u), 0.10)
    slope = u / (cage * back)
    slope *= build.rib_tilt
    slope *= slope
    slope += 1.0
    # Bands keep their width across the rib however steeply it runs.
    narrow = (build.rib_spacing / HALF_RIB) ** 2 / slope
    level = (grid.y - build.rib_tilt - FIRST_RIB) / build.rib_spacing
    back *= build.rib_tilt / build.rib_spacing
    front = _hoops(level - back, narrow, FRONT_RIBS)
    front *= 0.63 * edge(u - 0.34, 0.06)
    front += _hoops(level + back, narrow, BACK_RIBS)
    front *= 0.15 * edge(cage + 0.008 - lungs.out, 0.008)
    return front


def _hoops(phase: Field, narrow: Field, count: int) -> Field:
    """`phase` counts ribs down the image: one band at each whole number below `count`."""
    phase -= np.clip(np.rint(phase), 0.0, count - 1.0)
    phase *= phase
    phase *= narrow
    return _across(phase)


def _add_shoulder_blades(out: Field, grid: Grid, build: Build, lungs: Lungs) -> None:
    where, part = grid.window(-9.0, 9.0, 0.14, 0.53)
    blade = lungs.out[where] - 0.90 * lungs.lateral[where] - 0.30 * (part.y - 0.30)
    ends = edge(part.y - 0.17, 0.03) * edge(0.50 - part.y, 0.03)
    out[where] += 0.05 * build.bone * ends * edge(blade, 0.006) * edge(0.10 - blade, 0.03)


def _add_clavicles(out: Field, grid: Grid, build: Build, pose: Pose) -> None:
    for side in SIDES:
        ends = sorted((side * 0.005, side * (1.3 * build.width + 0.1)))
        where, part = grid.window(ends[0], ends[1], build.apex - 0.05, build.apex + 0.19)
        along = side * part.x - 0.02 * pose.turn * side
        v = np.clip((along - 0.03) / (build.width + 0.03), -0.2, 1.3)
        axis = build.apex + 0.12 - 0.085 * v + 0.16 * v * (1.0 - v) * (0.5 - v)
        off = (part.y - axis) / (0.0125 + 0.006 * (v - 0.5) ** 2)
        out[where] += 0.17 * build.bone * _across(off * off) * edge(along - 0.03, 0.008)


def _add_spine(out: Field, grid: Grid, build: Build, middle: Field) -> None:
    where, part = grid.window(-0.12, 0.12, -9.0, 9.0)
    x = np.abs(part.x - middle)
    level = part.y / VERTEBRA
    offset = level - np.rint(level)
    body = edge(0.040 - x, 0.008) * (1.0 - 0.35 * edge(0.10 - np.abs(offset), 0.05))
    process = np.maximum(1.0 - (x / 0.009) ** 2 - ((offset - 0.15) / 0.28) ** 2, 0.0)
    pedicle = np.maximum(1.0 - ((x - 0.026) / 0.009) ** 2 - (offset / 0.2) ** 2, 0.0)
    out[where] += build.bone * (0.11 * body + 0.06 * process + 0.05 * pedicle)
