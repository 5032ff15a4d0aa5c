"""The healthy chest as attenuation along each ray: what absorbs, and how much air does not.

An image is drawn as `tissue - air`: the heart and the diaphragm show because they push air away, so
a lung filled with water hides them (the silhouette sign) of itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .bones import bones
from .fields import (
    SINGLE,
    Field,
    Grid,
    add_ball,
    dome,
    edge,
    ellipse,
    ridges,
    smooth_noise,
    smoothstep,
    tubes,
)
from .lungs import LEFT, RIGHT, SIDES, Lungs, draw_lungs, midline
from .patients import Build, Pose

FULL_DEPTH = 0.62  # attenuation that the deepest lung saves against soft tissue


@dataclass(frozen=True)
class Chest:
    """Everything the disease and the tube need, each (H, W)."""

    grid: Grid
    lungs: Lungs
    tissue: Field
    air: Field
    vessels: Field
    mottle: Field


def draw_chest(
    grid: Grid, build: Build, pose: Pose, tree: np.random.Generator, texture: np.random.Generator
) -> Chest:
    """Tissue, air and vessels of one healthy patient on one image.

    `tree` grows the vessels (the same for all images of a patient), `texture` the fine mottle.
    """
    middle = midline(grid, build)
    lungs = draw_lungs(grid, build, pose, middle)
    # A sliver of lung behind the dome keeps its lower edge from being a wall.
    below = grid.y - lungs.floor
    over_dome = np.maximum(edge(-below, 0.006), 0.12 * edge(0.04 - below, 0.04))
    deep = FULL_DEPTH * lungs.depth * over_dome
    organs = np.maximum(_heart(grid, build, pose), _great_vessels(grid, build, pose, middle))
    air = np.maximum(deep - organs, 0.12 * deep)
    shade = air / FULL_DEPTH
    tissue = _body(grid, build)
    tissue += 0.25 * np.maximum(organs - deep, 0.0)
    tissue += np.minimum(0.16 * smoothstep(below / 0.12), tissue)  # liver, spleen; none in the air
    tissue += bones(grid, build, pose, middle, lungs)
    _stomach_gas(tissue, grid, build, lungs)
    _windpipe(tissue, grid, middle)
    _breasts(tissue, grid, build)
    _old_marks(tissue, grid, build)
    if pose.leads:
        tissue += _leads(grid, texture)
    vessels = _vessels(grid, build, lungs, tree) * shade
    return Chest(grid, lungs, tissue, air, vessels, _mottle(grid, build, texture) * shade)


def _mottle(grid: Grid, build: Build, rng: np.random.Generator) -> Field:
    """What small vessels and interstitium leave in every lung; some patients have more."""
    net = ridges(rng, grid.shape, 46, 0.7) - 0.3
    return 0.018 * build.mottle * (net + 0.6 * smooth_noise(rng, grid.shape, 26))


def _heart(grid: Grid, build: Build, pose: Pose) -> Field:
    """Ventricles and right atrium, two thirds of them to the left, lying on the dome."""
    span = 2.0 * build.heart * build.width
    tall = span * (0.98 - 2.2 * pose.inspiration)
    x = 0.02 * pose.turn
    y = build.right_dome - pose.inspiration + 0.06 - 0.38 * tall
    lean = 0.38 + 0.10 * build.heart_lean
    across = (grid.x - x - 0.19 * span - lean * (grid.y - y)) / (0.43 * span)
    down = (grid.y - y) / (0.52 * tall)
    ventricles = across * across + down * down
    atrium = ellipse(grid, (x - 0.07 * span, y + 0.03 * tall), (0.27 * span, 0.44 * tall))
    return FULL_DEPTH * np.sqrt(dome(np.minimum(ventricles, atrium)))


def _great_vessels(grid: Grid, build: Build, pose: Pose, middle: Field) -> Field:
    """The pedicle, the aortic knob and the pulmonary trunk."""
    x = 0.025 * pose.turn
    half = 0.044 + 0.026 * smoothstep((grid.y - 0.30) / 0.25)
    out = 0.45 * edge(half - np.abs(grid.x - middle - x), 0.012) * edge(0.72 - grid.y, 0.08)
    knob = ((x + 0.040, 0.325), (0.040 * build.aorta, 0.045 * build.aorta))
    trunk = ((x + 0.035, 0.435), (0.052, 0.085))
    for (cx, cy), (rx, ry) in (knob, trunk):
        where, part = grid.window(cx - rx, cx + rx, cy - ry, cy + ry)
        ball = np.sqrt(dome(ellipse(part, (cx, cy), (rx, ry))))
        out[where] = np.maximum(out[where], 0.48 * ball)
    return out


def _body(grid: Grid, build: Build) -> Field:
    """Soft tissue from skin to skin, with shoulders and neck."""
    flank = build.width + 0.055 + 0.04 * build.fat + 0.25 * smoothstep((0.52 - grid.y) / 0.5)
    out = np.abs(grid.x)
    shoulder = 0.26 * smoothstep((out - 0.05) / 0.75) - 0.06
    thickness = 0.62 + 0.38 * dome((out / (flank + 0.05)) ** 2)
    axilla = 0.10 * smoothstep((out - 0.30) / 0.12) * smoothstep((0.42 - grid.y) / 0.2)
    body = (0.92 + 0.12 * (build.fat - 1.0)) * thickness + axilla
    body *= edge(flank - out, 0.014)
    body *= edge(grid.y - shoulder, 0.014)
    return body


def _windpipe(out: Field, grid: Grid, middle: Field) -> None:
    where, part = grid.window(-0.13, 0.13, -1.0, 0.46)
    x = part.x - middle[where[0]] + 0.004
    windpipe = dome((x / 0.021) ** 2) * edge(0.385 - part.y, 0.02)
    below = np.maximum(part.y - 0.37, 0.0)
    bronchi = dome(((np.abs(x) - 1.1 * below) / 0.014) ** 2)
    bronchi *= edge(part.y - 0.375, 0.012) * edge(0.43 - part.y, 0.02)
    out[where] -= 0.13 * np.maximum(windpipe, 0.7 * bronchi)


def _breasts(out: Field, grid: Grid, build: Build) -> None:
    """Denser towards the lower fold, which is the edge that shows."""
    if build.breast <= 0.0:
        return
    radius = 0.11 + 0.055 * min(build.breast, 1.2)
    for side in SIDES:
        x, y = side * 0.58 * build.width, 0.64 + build.breast_drop
        where, part = grid.window(x - 1.1 * radius, x + 1.1 * radius, y - radius, y + radius)
        fold = np.sqrt(dome(ellipse(part, (x, y), (1.1 * radius, radius))))
        out[where] += 0.15 * build.breast * fold * smoothstep((part.y - y) / radius + 0.9)


def _stomach_gas(out: Field, grid: Grid, build: Build, lungs: Lungs) -> None:
    x, y = 0.15, float(lungs.floor[0, grid.x[0] > 0.0].min()) + 0.07
    rx, ry = 0.045 + 0.045 * build.bubble, 0.045
    where, part = grid.window(x - rx, x + rx, y - ry, y + ry)
    under = edge(part.y - lungs.floor[:, where[1]] - 0.012, 0.006)
    out[where] -= 0.28 * build.bubble * dome(ellipse(part, (x, y), (rx, ry))) * under


def _old_marks(out: Field, grid: Grid, build: Build) -> None:
    """Harmless findings of both classes: cardiac fat pad, linear scar, calcified granuloma."""
    base = build.right_dome
    add_ball(out, grid, (0.15, base + 0.01), (0.085, 0.055), 0.30 * build.fat_pad)
    side = RIGHT if build.heart_lean < 0 else LEFT
    if build.scar:
        x, y = side * 0.6 * build.width, build.scar * base
        where, part = grid.window(x - 0.07, x + 0.07, y - 0.06, y + 0.06)
        line = (part.y - y - 0.5 * build.heart_lean * (part.x - x)) / 0.005
        along = np.maximum(1.0 - ((part.x - x) / 0.07) ** 2, 0.0)
        out[where] += 0.11 * dome(line * line) * along
    if build.nodule:
        add_ball(out, grid, (side * 0.66 * build.width, build.nodule * base), (0.01, 0.01), 0.15)


def _leads(grid: Grid, rng: np.random.Generator) -> Field:
    """Two monitoring wires with their round electrodes."""
    step = np.arange(0.0, 0.8, grid.pitch)
    out = np.zeros(grid.shape, dtype=SINGLE)
    for side in SIDES:
        bend, x, y = rng.uniform(-0.3, 0.3), side * rng.uniform(0.12, 0.3), rng.uniform(0.15, 0.35)
        px, py = x + bend * step * step + 0.1 * side * step, y + step
        out += 0.25 * np.minimum(tubes(grid, px, py, np.full(step.shape, 0.0028)), 1.0)
        add_ball(out, grid, (x, y), (0.013, 0.013), 0.2)
    return out


def _vessels(grid: Grid, build: Build, lungs: Lungs, rng: np.random.Generator) -> Field:
    """Attenuation of the arteries where the lung has its full depth."""
    chains = [c for side in SIDES for c in _branches(lungs.hila[side], side, rng, grid.pitch)]
    x, y, radius = (np.concatenate(parts) for parts in zip(*chains, strict=True))
    out = tubes(grid, x, y, radius)
    out *= 1.0 / (1.0 + 0.5 * out)  # crossing arteries overlap rather than shine
    out *= 0.17 * build.vessels
    for side in SIDES:
        size = 0.028 * build.hilum, 0.058 * build.hilum
        add_ball(out, grid, lungs.hila[side], size, 0.13 * build.hilum)
    return out


def _branches(
    hilum: tuple[float, float], side: int, rng: np.random.Generator, pitch: float
) -> Iterator[tuple[Field, Field, Field]]:
    """Arteries fan out from the hilum and fork four times; (x, y, radius) of each generation.

    The draws do not depend on the pitch: a larger image shows the same tree.
    """
    angle = np.linspace(-1.35, 1.5, 8) + 0.16 * rng.standard_normal(8)
    x = abs(hilum[0]) - 0.015 + 0.01 * rng.standard_normal(8)
    y = hilum[1] + 0.035 * np.sin(angle) + 0.008 * rng.standard_normal(8)
    radius = 0.0085 * (0.7 + 0.3 * rng.random(8)) * np.where(angle > 0.3, 1.0, 0.72)
    for length in (0.085, 0.08, 0.075, 0.07):
        reach = length * (0.6 + 0.8 * rng.random(angle.size))
        bend = 0.45 * rng.standard_normal(angle.size) + 0.10
        wave = 0.5 * rng.standard_normal(angle.size)
        step = np.linspace(0.0, 1.0, int(np.ceil(1.3 * length / pitch)) + 1)[:, None]
        heading = angle + bend * step + wave * step * (1.0 - step) * (0.5 - step) * 6.0
        dx, dy = np.cos(heading) * reach / len(step), np.sin(heading) * reach / len(step)
        px, py = x + np.cumsum(dx, axis=0), y + np.cumsum(dy, axis=0)
        thick = radius * (1.0 - 0.30 * step)
        yield side * px.ravel(), py.ravel(), thick.ravel()
        spread = 0.2 + 0.35 * rng.random(angle.size)
        angle = np.concatenate([heading[-1] - spread, heading[-1] + 0.8 * spread])
        x, y = np.tile(px[-1], 2), np.tile(py[-1], 2)
        radius = np.tile(thick[-1], 2) * (0.65 + 0.2 * rng.random(angle.size))
