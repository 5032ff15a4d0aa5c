"""A synthetic chest-film data set: made here, the same on every machine, plainly labelled."""

from .film import NORMAL, PNEUMONIA, Film, render_film
from .patients import PhantomSpec, film_indices
from .write import write_phantom

__all__ = [
    "NORMAL",
    "PNEUMONIA",
    "Film",
    "PhantomSpec",
    "film_indices",
    "render_film",
    "write_phantom",
]
