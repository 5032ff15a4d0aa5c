"""Statistics that several rooms use, in NumPy alone: AUROC, patient groups, the bootstrap."""
