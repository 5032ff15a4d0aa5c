"""One check of the data a file."""
