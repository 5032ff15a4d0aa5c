"""A data set decoded once into numbered files, to be trained from any machine."""
