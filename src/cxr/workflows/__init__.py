"""Whole jobs, each one function: train a run, evaluate a model, stress it, the demo."""
