"""One synthetic image, from its indices to its pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .acquisition import burn_in, draw_exposure, expose, place, quantise
from .anatomy import FULL_DEPTH, Chest, draw_chest
from .disease import Change, draw_change, draw_disease
from .fields import Field, canvas
from .patients import Build, PhantomSpec, Pose, Stream, draw_build, draw_pose, stream

IMAGE_HEIGHT_MM = 430.0
NORMAL, PNEUMONIA = "NORMAL", "PNEUMONIA"


@dataclass(frozen=True)
class PhantomImage:
    """One frontal chest X-ray and the truth about it.

    `pixels` is (H, W), uint8, or uint16 with 12 bits; bright is dense (MONOCHROME2).
    `mask` is (H, W) bool: where the disease is (nowhere on a normal image).
    `number` counts the images of a patient. `severity` is 0 for a normal image, else up to 1.
    `spacing_mm` is the size of a pixel.
    """

    pixels: NDArray[np.uint8] | NDArray[np.uint16]
    mask: NDArray[np.bool_]
    label: str
    patient: str
    number: int
    view: str
    sex: str
    age: int
    site: str
    finding: str
    severity: float
    modality: str
    inverted: bool
    spacing_mm: float

    @property
    def name(self) -> str:
        return f"{self.patient}_{self.number:03d}"


def render_image(
    patient: int, image: int = 0, spec: PhantomSpec | None = None, *, bits: int = 8
) -> PhantomImage:
    """The image number `image` of patient number `patient`: always the same for the same spec."""
    spec = spec or PhantomSpec()
    build, pose = draw_build(spec, patient), draw_pose(spec, patient, image)
    exposure = draw_exposure(spec, patient, image, build.site)
    disease = draw_disease(spec, patient, image)
    shape = _shape(spec, pose)
    chest = _chest(patient, image, spec, build, pose)
    change = draw_change(chest, disease, stream(spec, Stream.COURSE, patient, image, 1))
    attenuation = place(_attenuation(chest, change), chest.grid, pose, shape)
    exposed = expose(attenuation, exposure, stream(spec, Stream.NOISE, patient, image))
    return PhantomImage(
        pixels=quantise(burn_in(exposed, exposure), bits),
        mask=_mask(change, chest, pose, shape),
        label=PNEUMONIA if disease.severity > 0 else NORMAL,
        patient=f"phantom{patient:04d}",
        number=image,
        view="PA",
        sex=build.sex,
        age=build.age,
        site=build.site,
        finding=disease.finding,
        severity=round(disease.severity, 3),
        modality=exposure.modality,
        inverted=exposure.inverted,
        spacing_mm=round(IMAGE_HEIGHT_MM / spec.size, 4),
    )


def lung_mask(patient: int, image: int = 0, spec: PhantomSpec | None = None) -> NDArray[np.bool_]:
    """Bool (H, W): both lungs on the same image of `render_image`, the diseased parts too."""
    spec = spec or PhantomSpec()
    build, pose = draw_build(spec, patient), draw_pose(spec, patient, image)
    chest = _chest(patient, image, spec, build, pose)
    return place(chest.lungs.inside(chest.grid), chest.grid, pose, _shape(spec, pose)) > 0.5


def _shape(spec: PhantomSpec, pose: Pose) -> tuple[int, int]:
    return spec.size, round(spec.size * pose.aspect)


def _chest(patient: int, image: int, spec: PhantomSpec, build: Build, pose: Pose) -> Chest:
    return draw_chest(
        canvas(*_shape(spec, pose)),
        build,
        pose,
        stream(spec, Stream.VESSELS, patient),
        stream(spec, Stream.TEXTURE, patient, image),
    )


def _mask(change: Change, chest: Chest, pose: Pose, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Where the disease is, as far as there is air in front of the heart for it to fill."""
    if not change.extent.any():
        return np.zeros(shape, dtype=bool)
    visible = change.extent * np.minimum(chest.air / (0.25 * FULL_DEPTH), 1.0)
    return place(visible, chest.grid, pose, shape) > 0.35


def _attenuation(chest: Chest, change: Change) -> Field:
    # Bronchi run beside the arteries: in filled lung they are what still holds air.
    bronchi = np.roll(chest.vessels, 3, axis=1)
    open_lung = 1.0 - change.fill
    vessels = chest.vessels * (open_lung + change.cuffing)
    shade = chest.air / FULL_DEPTH
    return (
        chest.tissue
        - chest.air * open_lung
        + vessels
        + (chest.mottle + change.lines * shade) * open_lung
        - 1.3 * change.fill * bronchi
    )
