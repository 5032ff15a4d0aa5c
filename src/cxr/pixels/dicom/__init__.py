"""A DICOM image to grey: decoding, display, and the technical facts of its header."""
