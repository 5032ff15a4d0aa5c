"""A grid of images with a title each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .._io.figure import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def show_images(
    films: np.ndarray | Sequence[np.ndarray],
    titles: Sequence[str],
    nrows: int | None = None,
    figsize: tuple[float, float] | None = None,
) -> Figure:
    """`images` (n, H, W), float in 0..1 or uint8. Returns the figure; a notebook shows it."""
    n = len(films)
    rows = nrows or max(1, round(math.sqrt(n)))
    columns = math.ceil(n / rows)
    figure = new_figure(figsize or (columns * 2.4, rows * 2.6))
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, film, title in zip(axes.flat, films, titles, strict=False):
        axis.imshow(film, cmap="gray", vmin=0, vmax=255 if film.dtype == np.uint8 else 1)
        axis.set_title(title, fontsize=9)
    return figure
