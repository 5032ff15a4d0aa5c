"""The confusion matrix: rows are what is true, columns what was predicted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..._io.text import images_of_patients, shorten
from .style import Split

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_confusion(figure: Figure, split: Split) -> None:
    """Counts, with the share of the row below; one label an image only."""
    metrics, axes = split["metrics"], figure.subplots()
    fill_confusion(axes, np.array(metrics["confusion_matrix"]), metrics["classes"])
    threshold = metrics["threshold"]
    at = f", threshold {threshold:.3g}" if isinstance(threshold, float) else ""
    axes.set_title(images_of_patients(metrics) + at)


def fill_confusion(
    axes: Axes,
    counts: NDArray[np.int64],
    classes: Sequence[str],
    *,
    normalize: bool = False,
    cmap: str = "Blues",
) -> None:
    """Draws (k, k) counts, coloured by the share of the row; `normalize` writes shares only."""
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    image = axes.imshow(shares, cmap=cmap, vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        text = f"{share:.2f}" if normalize else f"{count:,}\n{share:.0%}"
        dark = float(np.dot(image.cmap(image.norm(share))[:3], (0.299, 0.587, 0.114))) < 0.55
        axes.text(
            column, row, text, ha="center", va="center", fontsize=_font_size(len(classes)),
            color="white" if dark else "black",
        )  # fmt: skip
    _label(axes, [shorten(name, 18) for name in classes])


def _label(axes: Axes, names: Sequence[str]) -> None:
    ticks = range(len(names))
    axes.set_xticks(ticks, names)
    axes.set_yticks(ticks, names)
    if len(names) > 3 or max(map(len, names)) > 12:
        axes.tick_params(axis="x", rotation=40)
        for label in axes.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set(xlabel="Predicted", ylabel="Actual")


def _font_size(classes: int) -> float:
    return float(np.clip(32 / classes, 4.5, 11))
