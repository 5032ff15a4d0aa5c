"""The shape of both lungs: chest wall, mediastinal border, diaphragm, depth of air."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .fields import SINGLE, Field, Grid, dome, edge, smoothstep
from .patients import Build, Pose

RIGHT, LEFT = -1, 1  # the patient's sides, as signs of x
SIDES = (RIGHT, LEFT)
ANGLE_DEPTH = 0.115  # image heights from the dome's top to the costophrenic angle


@dataclass(frozen=True)
class Lungs:
    """Both lungs, each pixel belonging to the one on its side of x = 0.

    `out` is the distance from the midline, `lateral` and `medial` where the lung ends, `down` is 0
    at the apex and 1 at the dome, `depth` 0 to 1 the air along the ray, all (H, W); `floor` (1, W)
    is the height of the diaphragm; `hila` gives each side's (x, y).
    """

    out: Field
    lateral: Field
    medial: Field
    down: Field
    floor: Field
    depth: Field
    hila: dict[int, tuple[float, float]]

    def inside(self, grid: Grid) -> Field:
        """1 in the lungs, down to the domes."""
        return edge(self.depth - 0.13, 0.13) * edge(self.floor - grid.y + 0.01, 0.01)


def midline(grid: Grid, build: Build) -> Field:
    """x of the spine at each height, (H, 1)."""
    t = grid.y - 0.45
    return build.scoliosis * (1.0 - 9.0 * t * t)


def draw_lungs(grid: Grid, build: Build, pose: Pose, middle: Field) -> Lungs:
    left = edge(grid.x, 0.03)  # blends what differs between the sides, so that no seam shows
    tops = build.right_dome - pose.inspiration + build.dome_gap * np.array([0.0, 1.0], dtype=SINGLE)
    widths = build.width * (1.0 + 0.035 * pose.turn * np.array(SIDES, dtype=SINGLE))
    down = (grid.y - build.apex) / (tops - build.apex)

    def both(columns: Field) -> Field:
        """(H, 2), right and left, to (H, W)."""
        return columns[:, :1] + left * (columns[:, 1:] - columns[:, :1])

    lateral, medial = _walls(grid, build, tops, widths)
    open_air = np.clip(0.45 + 1.2 * down, 0.0, 1.0) * (down > 0.0)
    open_air *= 1.0 - (0.10 + 2.5 * pose.inspiration) * smoothstep(down * 1.6 - 0.7)
    out = np.abs(grid.x - middle)
    across = out - both(0.5 * (lateral + medial))
    across *= both(2.0 / np.maximum(lateral - medial, 2e-6))
    across *= across
    depth = dome(across)
    np.sqrt(depth, out=depth)
    depth *= both(open_air)
    return Lungs(
        out=out,
        lateral=both(lateral),
        medial=both(medial),
        down=both(down),
        floor=_floor(grid, build, tops[0] + (tops[1] - tops[0]) * left),
        depth=depth,
        hila=_hila(pose),
    )


def _walls(grid: Grid, build: Build, tops: Field, widths: Field) -> tuple[Field, Field]:
    """Distance of the chest wall and of the mediastinal border from the midline, (H, 2) each."""
    low = tops + ANGLE_DEPTH
    t = np.clip((grid.y - build.apex) / (low - build.apex), 0.0, 1.0)
    rest = 1.0 - t
    tip = 0.40 * widths
    lateral = tip + (widths - tip) * np.sqrt(1.0 - rest * rest * np.sqrt(rest))
    near = np.maximum(1.0 - t / 0.35, 0.0)
    medial = tip - (tip - 0.02) * np.sqrt(1.0 - near * near)
    return lateral, medial


def _floor(grid: Grid, build: Build, top: Field) -> Field:
    off = (np.abs(grid.x) - 0.45 * build.width) / (0.55 * build.width)
    square = off * off
    return top + np.where(off > 0, 0.075 * square + 0.045 * square**3, 0.055 * square)


def _hila(pose: Pose) -> dict[int, tuple[float, float]]:
    y = 0.45 - 0.3 * pose.inspiration
    return {
        RIGHT: (-0.085 + 0.02 * pose.turn, y),
        LEFT: (0.085 + 0.02 * pose.turn, y - 0.012),
    }
