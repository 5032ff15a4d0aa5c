"""Fixtures of simulated predictions."""

from helpers.simulated import simulate_binary, simulate_classes, simulate_labels

__all__ = ["simulate_binary", "simulate_classes", "simulate_labels"]
