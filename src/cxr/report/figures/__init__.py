"""The report's figures, each drawn of what report.json holds. To add one, name it in FIGURES."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..._io import atomic_path
from ..._io.html import Html
from .confusion import draw_confusion
from .decision_curve import draw_decision_curve
from .history import draw_history
from .rank_curves import draw_precision_recall, draw_roc
from .reliability import draw_calibration, draw_reliability
from .scores import draw_scores
from .style import HEIGHT_INCHES, WIDTH_INCHES, Split, png, style, svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES: dict[str, Callable[..., None]] = {
    "roc": draw_roc,
    "precision_recall": draw_precision_recall,
    "reliability": draw_reliability,
    "confusion": draw_confusion,
    "scores": draw_scores,
    "calibration": draw_calibration,
    "decision_curve": draw_decision_curve,
}
OPTIONAL = ("calibration", "decision_curve")  # drawn where metrics has a key of that name
TABLE_ON_PAGE = ("confusion",)
LOSSES = {"train_loss": "training", "valid_loss": "validation"}
AUROC = {"auroc": "validation"}
FEWEST_EPOCHS = 3  # that make a curve


@dataclass(frozen=True)
class Drawing:
    """One figure as a file of 960 x 720 pixels, and as part of a page."""

    png: bytes
    svg: Html


def render_figures(split: Split, key: str = "") -> dict[str, Drawing]:
    """Name -> drawing, of one of the `splits` of report.json (`metrics` and `curves`).

    `key` is the split's name. Left out: curves where all images are of one class, the confusion
    matrix of several labels, and what `metrics` holds nothing about (calibration, decision curve).
    """
    drawn = {name: draw for name, draw in FIGURES.items() if _is_measured(name, split["metrics"])}
    if not split["curves"]["roc"]:
        del drawn["roc"], drawn["precision_recall"]
    if split["metrics"]["multi_label"]:
        del drawn["confusion"]
    return {
        name: _render(partial(draw, split=split), f"{key}-{name}", name not in TABLE_ON_PAGE)
        for name, draw in drawn.items()
    }


def render_history(rows: Sequence[Mapping[str, Any]]) -> dict[str, Html]:
    """`history-loss` and, where it was measured, `history-auroc`; nothing of few epochs."""
    if len(rows) < FEWEST_EPOCHS:
        return {}
    wanted = {"loss": LOSSES, "AUROC": AUROC}
    known = {
        unit: {name: label for name, label in columns.items() if _has(rows, name)}
        for unit, columns in wanted.items()
    }
    return {
        f"history-{unit.lower()}": _render(
            partial(draw_history, rows=rows, columns=columns, unit=unit), f"history-{unit}"
        ).svg
        for unit, columns in known.items()
        if columns
    }


def save_images(images: Mapping[str, bytes], folder: Path | str) -> list[Path]:
    """Writes each under its own file name."""
    paths = [Path(folder) / name for name in images]
    for path, content in zip(paths, images.values(), strict=True):
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)
    return paths


def _is_measured(name: str, metrics: Mapping[str, Any]) -> bool:
    facts = metrics.get(name) or {"reason": "not measured"}
    return name not in OPTIONAL or "reason" not in facts


def _has(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    return any(row.get(name) is not None for row in rows)


def _render(draw: Callable[[Figure], None], key: str, on_page: bool = True) -> Drawing:
    from matplotlib.figure import Figure  # not pyplot: no window system, safe in any thread

    with style():
        figure = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES), layout="constrained")
        draw(figure)
        file = png(figure)
        figure.set_layout_engine("none")  # it is laid out now
        return Drawing(file, svg(figure, key) if on_page else Html(""))
