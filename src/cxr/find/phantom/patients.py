"""Who is on the image: patients, their build, and how each image was taken. Numbers only, no
pixels.

Every draw comes from a stream named by (purpose, patient, image), so an image depends on nothing
but the seed and its own indices: not on how many images are made, in what order or by how many
processes. The label has a stream of its own, which nothing but the disease reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from ...errors import UsageError

SITES = ("north", "harbour", "university")
BLOCK = 20  # patients in which the prevalence is exact


class Stream(IntEnum):
    """Purposes of random numbers; the numbers are part of the data's identity: never change one."""

    BUILD = 0
    LABEL = 1
    COUNT = 2
    POSE = 3
    TEXTURE = 4
    DISEASE = 5
    COURSE = 6
    ACQUISITION = 7
    NOISE = 8
    VESSELS = 9
    FORMAT = 10


@dataclass(frozen=True)
class PhantomSpec:
    """What decides the images. `size` is the image height in pixels (the width varies).

    `prevalence` is the share of patients with pneumonia, exact in every block of 20 patients.
    Raises UsageError for a value out of range.
    """

    seed: int = 0
    size: int = 320
    prevalence: float = 0.5
    images_per_patient: tuple[int, int] = (1, 4)

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"phantom seed {self.seed} is out of range; give 0 to 2**63 - 1")
        if not 64 <= self.size <= 2048:
            raise UsageError(f"phantom size {self.size} is out of range; give 64 to 2048 pixels")
        if not 0.0 <= self.prevalence <= 1.0:
            raise UsageError(f"prevalence {self.prevalence} is out of range; give 0 to 1")
        fewest, most = self.images_per_patient
        if not 1 <= fewest <= most:
            raise UsageError(
                f"images_per_patient {self.images_per_patient} is not (fewest, most) with "
                "1 <= fewest <= most"
            )


def stream(spec: PhantomSpec, purpose: Stream, *indices: int) -> np.random.Generator:
    """The random numbers for one purpose of one patient or image."""
    sequence = np.random.SeedSequence(spec.seed, spawn_key=(int(purpose), *indices))
    return np.random.Generator(np.random.PCG64(sequence))


def has_pneumonia(spec: PhantomSpec, patient: int) -> bool:
    """The label of a patient: a random order within each block of 20 patients."""
    block, place = divmod(patient, BLOCK)
    order = np.argsort(stream(spec, Stream.LABEL, block).random(BLOCK), kind="stable")
    return bool(order[place] < round(spec.prevalence * BLOCK))


def image_indices(spec: PhantomSpec, n_images: int) -> list[tuple[int, int]]:
    """The first `n_images` images as (patient, image of that patient)."""
    fewest, most = spec.images_per_patient
    images: list[tuple[int, int]] = []
    patient = 0
    while len(images) < n_images:
        count = fewest + int(stream(spec, Stream.COUNT, patient).random() * (most - fewest + 1))
        images += [(patient, image) for image in range(count)]
        patient += 1
    return images[:n_images]


@dataclass(frozen=True)
class Build:
    """One patient's body. Lengths in image heights, amounts as factors around 1."""

    sex: str
    age: int
    site: str
    width: float  # half-width of the rib cage at its base
    apex: float  # top of the lungs
    right_dome: float  # top of the right hemidiaphragm; the left one is lower
    dome_gap: float
    fat: float
    breast: float  # 0 where there is no shadow
    breast_drop: float
    heart: float  # heart width as a share of the chest's
    heart_lean: float
    aorta: float
    bone: float
    rib_tilt: float
    rib_spacing: float
    scoliosis: float
    vessels: float
    hilum: float
    mottle: float  # fine texture of the normal lung
    fat_pad: float
    scar: float  # 0 for none; the height of an old linear scar
    nodule: float  # 0 for none; a calcified granuloma
    bubble: float  # gastric air


def draw_build(spec: PhantomSpec, patient: int) -> Build:
    rng = stream(spec, Stream.BUILD, patient)
    female = rng.random() < 0.5
    age = int(18 + 72 * rng.random())
    old = (age - 18) / 72
    fat = float(np.clip(1.0 + 0.22 * rng.standard_normal(), 0.6, 1.6))
    return Build(
        sex="F" if female else "M",
        age=age,
        site=SITES[int(rng.random() * len(SITES))],
        width=rng.uniform(0.315, 0.375) - 0.018 * female,
        apex=rng.uniform(0.08, 0.13),
        right_dome=rng.uniform(0.76, 0.83) - 0.01 * female,
        dome_gap=rng.uniform(0.012, 0.045),
        fat=fat,
        breast=rng.uniform(0.15, 1.0) * fat if female else 0.2 * max(fat - 1.15, 0.0),
        breast_drop=rng.uniform(-0.03, 0.06) + 0.04 * old,
        heart=rng.uniform(0.41, 0.50) + 0.05 * old * rng.random(),
        heart_lean=rng.uniform(-1.0, 1.0),
        aorta=rng.uniform(0.7, 1.1) + 0.5 * old,
        bone=rng.uniform(0.75, 1.25) - 0.2 * old * female,
        rib_tilt=rng.uniform(0.11, 0.19) + 0.02 * old,
        rib_spacing=rng.uniform(0.074, 0.087),
        scoliosis=float(np.clip(0.009 * rng.standard_normal() * (1 + old), -0.022, 0.022)),
        vessels=rng.uniform(0.55, 1.45),
        hilum=rng.uniform(0.6, 1.4),
        mottle=rng.uniform(0.3, 1.4),
        fat_pad=rng.random() * max(fat - 0.8, 0.0),
        scar=rng.uniform(0.35, 0.9) if rng.random() < 0.15 else 0.0,
        nodule=rng.uniform(0.2, 0.9) if rng.random() < 0.12 else 0.0,
        bubble=rng.random(),
    )


@dataclass(frozen=True)
class Pose:
    """How the patient stood and breathed for one image."""

    inspiration: float  # image heights by which the domes are higher than at full breath
    turn: float  # about the body's axis; moves what lies in front against the spine
    roll: float  # degrees in the plane of the image
    scale: float
    shift: tuple[float, float]
    aspect: float  # width over height
    leads: bool  # monitoring leads on the skin


def draw_pose(spec: PhantomSpec, patient: int, image: int) -> Pose:
    rng = stream(spec, Stream.POSE, patient, image)
    return Pose(
        inspiration=0.10 * rng.random() ** 2,
        turn=0.5 * rng.standard_normal(),
        roll=float(np.clip(1.8 * rng.standard_normal(), -5.0, 5.0)),
        scale=rng.uniform(0.95, 1.06),
        shift=(0.015 * rng.standard_normal(), 0.015 * rng.standard_normal()),
        aspect=rng.uniform(0.9, 1.2),
        leads=rng.random() < 0.12,
    )
