"""A synthetic set of chest X-rays: made here, the same on every machine, plainly labelled."""

from .image import NORMAL, PNEUMONIA, lung_mask, render_image
from .patients import PhantomSpec, image_indices
from .write import write_phantom

__all__ = [
    "NORMAL",
    "PNEUMONIA",
    "PhantomSpec",
    "image_indices",
    "lung_mask",
    "render_image",
    "write_phantom",
]
