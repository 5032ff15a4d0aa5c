"""What is on this machine, and what a model file is and whether it works here."""

from .machine import diagnose
from .model import Check, Examination, examine

__all__ = ["Check", "Examination", "diagnose", "examine"]
