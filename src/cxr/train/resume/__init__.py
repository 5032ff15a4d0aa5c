"""A run that was stopped goes on where it was and ends with the same model."""
