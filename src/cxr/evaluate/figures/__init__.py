"""The report's figures, one a file. To add one, add its file and name it in FIGURES."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..._io import atomic_path
from ..predictions import Predictions
from .confusion import draw_confusion
from .precision_recall import draw_precision_recall
from .questions import class_questions
from .reliability import draw_reliability
from .roc import draw_roc
from .scores import draw_scores
from .style import HEIGHT_INCHES, WIDTH_INCHES, png, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw = Callable[["Figure", Predictions, dict[str, Any]], None]
FIGURES: dict[str, Draw] = {
    "roc": draw_roc,
    "precision_recall": draw_precision_recall,
    "reliability": draw_reliability,
    "confusion": draw_confusion,
    "scores": draw_scores,
}


def render_figures(predictions: Predictions, metrics: dict[str, Any]) -> dict[str, bytes]:
    """Name -> PNG of 960 x 720 pixels. `metrics` is what `measure` said of these predictions.

    Left out: curves where all images are of one class, the confusion matrix of several labels.
    """
    drawn = dict(FIGURES)
    if not class_questions(predictions):
        del drawn["roc"], drawn["precision_recall"]
    if predictions.multi_label:
        del drawn["confusion"]
    return {name: _render(draw, predictions, metrics) for name, draw in drawn.items()}


def save_figures(figures: dict[str, bytes], folder: Path | str, prefix: str = "") -> list[Path]:
    """Writes `folder/{prefix}{name}.png` for what `render_figures` made."""
    paths = [Path(folder) / f"{prefix}{name}.png" for name in figures]
    for path, content in zip(paths, figures.values(), strict=True):
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)
    return paths


def _render(draw: Draw, predictions: Predictions, metrics: dict[str, Any]) -> bytes:
    from matplotlib.figure import Figure  # not pyplot: no window system, safe in any thread

    with style():
        figure = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES), layout="constrained")
        draw(figure, predictions, metrics)
        return png(figure)
