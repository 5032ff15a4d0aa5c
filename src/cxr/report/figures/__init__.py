"""The report's figures, one a file. To add one, add its file and name it in FIGURES."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..._io import atomic_path
from ...evaluate.predictions import Predictions
from ...evaluate.questions import class_questions
from .calibration import draw_calibration
from .confusion import draw_confusion
from .decision_curve import draw_decision_curve
from .precision_recall import draw_precision_recall
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
    "calibration": draw_calibration,
    "decision_curve": draw_decision_curve,
}
OPTIONAL = ("calibration", "decision_curve")  # drawn where metrics has a key of that name


def render_figures(predictions: Predictions, metrics: dict[str, Any]) -> dict[str, bytes]:
    """Name -> PNG of 960 x 720 pixels. `metrics` is what `measure` said of these predictions.

    Left out: curves where all images are of one class, the confusion matrix of several labels, and
    what `metrics` holds nothing about (calibration, decision curve).
    """
    drawn = {name: draw for name, draw in FIGURES.items() if _is_told(name, metrics)}
    if not class_questions(predictions):
        del drawn["roc"], drawn["precision_recall"]
    if predictions.multi_label:
        del drawn["confusion"]
    return {name: _render(draw, predictions, metrics) for name, draw in drawn.items()}


def save_figures(figures: dict[str, bytes], folder: Path | str, prefix: str = "") -> list[Path]:
    """Writes `folder/{prefix}{name}.png` for what `render_figures` made."""
    return save_images(
        {f"{prefix}{name}.png": content for name, content in figures.items()}, folder
    )


def save_images(images: Mapping[str, bytes], folder: Path | str) -> list[Path]:
    """Writes each under its own file name."""
    paths = [Path(folder) / name for name in images]
    for path, content in zip(paths, images.values(), strict=True):
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)
    return paths


def _is_told(name: str, metrics: dict[str, Any]) -> bool:
    facts = metrics.get(name) or {"reason": "not measured"}
    return name not in OPTIONAL or "reason" not in facts


def _render(draw: Draw, predictions: Predictions, metrics: dict[str, Any]) -> bytes:
    from matplotlib.figure import Figure  # not pyplot: no window system, safe in any thread

    with style():
        figure = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES), layout="constrained")
        draw(figure, predictions, metrics)
        return png(figure)
