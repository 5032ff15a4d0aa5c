"""Stress test: how a model's figures change on images made or damaged as in other hospitals."""

from .perturbations import PERTURBATIONS, Perturbation
from .run import choose_images, stress_test

__all__ = [
    "PERTURBATIONS",
    "Perturbation",
    "choose_images",
    "stress_test",
]
