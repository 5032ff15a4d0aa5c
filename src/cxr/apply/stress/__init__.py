"""How a model's figures move when films are made or damaged as other hospitals do."""

from .perturbations import PERTURBATIONS, Perturbation
from .run import choose_images, stress_test
from .words import stress_table, worst_line

__all__ = [
    "PERTURBATIONS",
    "Perturbation",
    "choose_images",
    "stress_table",
    "stress_test",
    "worst_line",
]
