"""How a model's figures move when images are made or damaged as other hospitals do."""

from .perturbations import PERTURBATIONS, Perturbation
from .run import choose_images, stress_test

__all__ = [
    "PERTURBATIONS",
    "Perturbation",
    "choose_images",
    "stress_test",
]
