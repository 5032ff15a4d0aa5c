"""Pneumonia: which findings a patient has, and what they do to the lung.

Water in place of air is a `fill` of 0 to 1; everything that a radiologist calls a sign (the lost
heart border, the air bronchogram, the blunted angle) follows from it. Most cases are subtle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .anatomy import Chest
from .fields import SINGLE, Field, edge, ridges, smooth_noise, smoothstep
from .lungs import LEFT, RIGHT, SIDES
from .patients import PhantomSpec, Stream, has_pneumonia, stream


@dataclass(frozen=True)
class Patch:
    """A consolidation: `across` is 0 medial to 1 lateral, `down` 0 at the apex to 1 at the dome."""

    side: int  # RIGHT or LEFT
    across: float
    down: float
    width: float
    height: float
    fissure: bool  # sharp lower edge along a fissure


@dataclass(frozen=True)
class Disease:
    """The findings of one patient; `severity` 0 (none) to 1 on one image."""

    patches: tuple[Patch, ...] = ()
    reticular: float = 0.0  # 0 for none; else where: small is perihilar, large is basal
    effusion: int = 0  # RIGHT, LEFT or 0 for none
    severity: float = 0.0

    @property
    def finding(self) -> str:
        names = ("consolidation", "interstitial", "effusion")
        present = (bool(self.patches), self.reticular > 0, self.effusion != 0)
        return "+".join(n for n, p in zip(names, present, strict=True) if p) or "none"


@dataclass(frozen=True)
class Change:
    """What disease adds to a chest, each (H, W). `extent` is 0 to 1: where it is, not how dense."""

    fill: Field
    lines: Field
    cuffing: Field
    extent: Field


def draw_disease(spec: PhantomSpec, patient: int, image: int) -> Disease:
    """The same findings on all images of a patient; the severity drifts from image to image."""
    if not has_pneumonia(spec, patient):
        return Disease()
    rng = stream(spec, Stream.DISEASE, patient)
    severity = 0.16 + 0.84 * rng.random() ** 1.25
    kind, with_fluid = rng.random(), rng.random() < 0.25
    side = RIGHT if rng.random() < 0.5 else LEFT
    patches = _draw_patches(rng, side) if kind < 0.62 else ()
    reticular = rng.uniform(0.1, 1.0) if kind > 0.48 else 0.0
    drift = 0.85 + 0.3 * stream(spec, Stream.COURSE, patient, image).random()
    return Disease(
        patches, reticular, side if with_fluid else 0, float(np.clip(severity * drift, 0.08, 1.0))
    )


def _draw_patches(rng: np.random.Generator, side: int) -> tuple[Patch, ...]:
    lobar = rng.random() < 0.5
    number = 1 if lobar else 3 + int(rng.random() * 4)
    patches = []
    for _ in range(number):
        size = rng.uniform(0.10, 0.18) if lobar else rng.uniform(0.045, 0.085)
        other = not lobar and rng.random() < 0.3
        patches.append(
            Patch(
                side=-side if other else side,
                across=rng.uniform(0.3, 0.9),
                down=rng.uniform(0.15, 0.95),
                width=size * rng.uniform(0.8, 1.2),
                height=size * rng.uniform(0.7, 1.2),
                fissure=lobar and rng.random() < 0.4,
            )
        )
    return tuple(patches)


def draw_change(chest: Chest, disease: Disease, rng: np.random.Generator) -> Change:
    """The disease in this chest; `rng` roughens its edges."""
    zero = np.zeros(chest.grid.shape, dtype=SINGLE)
    if disease.severity <= 0:
        return Change(zero, zero, zero, zero)
    inside = chest.lungs.inside(chest.grid)
    rough = smooth_noise(rng, chest.grid.shape, 12) + 0.5 * smooth_noise(rng, chest.grid.shape, 30)
    extent = zero.copy()
    for patch in disease.patches:
        _add_patch(extent, chest, patch, rough)
    extent *= inside
    fill = (0.25 + 0.60 * disease.severity) * extent * (1.0 + 0.15 * rough)
    if disease.effusion:
        fluid = _effusion(chest, disease.effusion, disease.severity) * inside
        fill, extent = np.maximum(fill, 0.9 * fluid), np.maximum(extent, fluid)
    change = Change(np.clip(fill, 0.0, 0.95), zero, zero, extent)
    if disease.reticular > 0:
        where = _interstitium(chest, disease.reticular) * inside
        net = ridges(rng, chest.grid.shape, 34, 0.35) + ridges(rng, chest.grid.shape, 60, 0.35)
        change = _thicken(change, where, net, disease.severity)
    return change


def _thicken(change: Change, where: Field, net: Field, severity: float) -> Change:
    """Interstitial disease: a net of lines, cuffed bronchi and vessels, a little haze."""
    return Change(
        fill=np.maximum(change.fill, (0.04 + 0.16 * severity) * where),
        lines=(0.10 + 0.22 * severity) * where * net,
        cuffing=1.2 * severity * where,
        extent=np.maximum(change.extent, where),
    )


def _add_patch(extent: Field, chest: Chest, patch: Patch, rough: Field) -> None:
    lungs = chest.lungs
    column = int(np.searchsorted(chest.grid.x[0], patch.side * 0.2))
    row = int(np.argmin(np.abs(lungs.down[:, column] - patch.down)))
    medial, lateral = float(lungs.medial[row, column]), float(lungs.lateral[row, column])
    x = patch.side * (medial + patch.across * (lateral - medial))
    y = float(chest.grid.y[row, 0])
    reach = 2.0 * patch.width
    left = x - reach if patch.side == RIGHT else max(x - reach, 0.0)
    right = x + reach if patch.side == LEFT else min(x + reach, 0.0)
    where, part = chest.grid.window(left, right, y - 2.0 * patch.height, y + 2.0 * patch.height)
    across, down = (part.x - x) / patch.width, (part.y - y) / patch.height
    here = smoothstep(1.8 - 1.6 * np.sqrt(across * across + down * down) + 0.4 * rough[where])
    if patch.fissure:
        line = y + 0.25 * patch.height + 0.06 * (patch.side * part.x - 0.2)
        here = here * edge(line - part.y, 0.006)
    extent[where] = np.maximum(extent[where], here)


def _effusion(chest: Chest, side: int, severity: float) -> Field:
    """Fluid in the angle: level in the middle, climbing the wall (the meniscus)."""
    lungs = chest.lungs
    across = np.minimum(lungs.out / lungs.lateral, 1.05)
    square = across * across
    mine = side * chest.grid.x > 0.0
    climb = 0.35 + 0.65 * square * square * across
    surface = lungs.floor[mine].min() + 0.085 - (0.03 + 0.16 * severity) * climb
    return edge(chest.grid.y - surface, 0.012) * mine


def _interstitium(chest: Chest, place: float) -> Field:
    """Both lungs, strongest around the hila or towards the bases."""
    out = np.zeros(chest.grid.shape, dtype=SINGLE)
    for side in SIDES:
        x, y = chest.lungs.hila[side]
        dx, dy = chest.grid.x - x, chest.grid.y - y - 0.2 * place
        out = np.maximum(out, smoothstep(1.4 - np.sqrt(dx * dx + dy * dy) / 0.17))
    return out
