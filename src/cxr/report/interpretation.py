"""What the model gets wrong, by fast.ai's names."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._io.figure import new_figure
from .._io.text import shorten
from ..config import FRAME_COLUMNS
from ..errors import UsageError
from ..evaluate.predictions import Predictions, make_predictions
from ..pixels import load_grey
from ..pixels.frame import WHOLE, Box
from .figures.confusion import fill_confusion
from .figures.style import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..apply import Predictor

FRAME_LINE, FRAME_EDGE = "#35d0f0", "black"  # as in all pictures of frames


class LossImage(NamedTuple):
    """An image uint8 (H, W), what of it the model saw, and its heat (H, W) in 0..1, if known."""

    pixels: NDArray[np.uint8]
    box: Box
    heat: NDArray[np.float32] | None


class ClassificationInterpretation:
    """Confusions and worst losses of one set of predictions.

    `ClassificationInterpretation.from_learner(learn)` looks at a learner's validation images,
    `from_predictions(read_predictions(path), root=...)` at a table; relative image paths are
    taken from `root`. Plots return the matplotlib figure; a notebook shows it by itself.
    """

    def __init__(self, predictions: Predictions, root: Path | str | None = None) -> None:
        self.predictions = predictions
        self.root = None if root is None else Path(root)

    @classmethod
    def from_learner(cls, learn: Any, split: str = "valid") -> ClassificationInterpretation:
        """From anything whose `predictions(split)` gives the arguments of `make_predictions`."""
        predictions = make_predictions(**learn.predictions(split))
        images = getattr(getattr(getattr(learn, "dls", None), split, None), "images", None)
        return cls(predictions.with_frames(getattr(images, "frames", None)))

    @classmethod
    def from_predictions(
        cls, predictions: Predictions, root: Path | str | None = None
    ) -> ClassificationInterpretation:
        return cls(predictions, root)

    def confusion_matrix(self) -> NDArray[np.int64]:
        """(k, k) counts of images by actual (row) and predicted (column) class.

        Raises UsageError where an image has several labels.
        """
        k = len(self.predictions.classes)
        actual, predicted = self._single_label()
        return np.bincount(actual * k + predicted, minlength=k * k).reshape(k, k)

    def most_confused(self, min_val: int = 1) -> list[tuple[str, str, int]]:
        """(actual, predicted, count) off the diagonal, at least `min_val`, the most first."""
        counts, names = self.confusion_matrix(), self.predictions.classes
        np.fill_diagonal(counts, 0)
        pairs = [(names[i], names[j], int(counts[i, j])) for i, j in np.argwhere(counts >= min_val)]
        return sorted((p for p in pairs if p[2] > 0), key=lambda pair: pair[2], reverse=True)

    def classification_report(self) -> str:
        """scikit-learn's text table of precision, recall and F1 a class."""
        from sklearn.metrics import classification_report

        actual, predicted = self._single_label()
        names = self.predictions.classes
        return str(
            classification_report(
                actual, predicted, labels=range(len(names)), target_names=names, zero_division=0
            )
        )

    def top_losses(
        self, k: int | None = None, largest: bool = True
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The `k` (all) largest or smallest losses in nats, and their row numbers in the table."""
        losses = self.predictions.losses
        order = np.argsort(-losses if largest else losses, kind="stable")
        order = order[: np.count_nonzero(~np.isnan(losses))][:k]  # NaN sorts last: nothing known
        return losses[order], order

    def plot_confusion_matrix(
        self,
        normalize: bool = False,
        title: str = "Confusion matrix",
        cmap: str = "Blues",
        figsize: tuple[float, float] | None = None,
        dpi: float | None = None,
    ) -> Figure:
        counts = self.confusion_matrix()
        figure = new_figure(figsize or (4.8, 4.8), dpi)
        with style():
            axes = figure.subplots()
            fill_confusion(axes, counts, self.predictions.classes, normalize=normalize, cmap=cmap)
            axes.set_title(f"{title}, n = {counts.sum():,}")
        return figure

    def plot_top_losses(
        self,
        k: int,
        largest: bool = True,
        nrows: int | None = None,
        ncols: int | None = None,
        figsize: tuple[float, float] | None = None,
        predictor: Predictor | None = None,
    ) -> Figure:
        """The images with prediction, actual class, loss, probability and file name above each.

        The probability is that of the predicted class. Where the model saw a part of an image, the
        part is framed; a `predictor` (`load_learner("model.cxr")`) lays its heat map over each.
        Raises ImageError where a file is not readable.
        """
        _, indices = self.top_losses(k, largest)
        rows, columns = grid(len(indices), nrows, ncols)
        images = [self._image(index, predictor) for index in indices]
        figure = new_figure(figsize or (3.0 * columns, 3.6 * rows))
        with style():
            panels = figure.subplots(rows, columns, squeeze=False).ravel()
            for panel in panels:
                panel.axis("off")
            filled = panels[: len(images)]  # the last row may have gaps
            for panel, image, index in zip(filled, images, indices, strict=True):
                _show(panel, image)
                panel.set_title(self._caption(index), fontsize=9, loc="center")
            figure.suptitle("Prediction / Actual / Loss / Probability", fontsize="medium")
        return figure

    def _single_label(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if self.predictions.multi_label:
            raise UsageError(
                "an image has several labels here, so there is no confusion matrix; "
                "see per_class in metrics.json"
            )
        return self.predictions.targets, self.predictions.predicted

    def _image(self, index: int, predictor: Predictor | None) -> LossImage:
        name = Path(self.predictions.table["path"].iloc[index])
        below_root = name if self.root is None else self.root / name
        image = load_grey(below_root if below_root.exists() else name, None)
        if predictor is None:
            return LossImage(image, self._box(index), None)
        from ..apply.explain.overlay import onto_image

        pixels, frame = predictor.framed(image)
        heat = predictor.heat_map(pixels).values
        method = predictor.config.resize_method
        return LossImage(image, frame.box, onto_image(heat, image.shape, method, frame.box))

    def _box(self, index: int) -> Box:
        """Of a model that sees lungs, as the table has it; else the whole image."""
        table = self.predictions.table
        if not set(FRAME_COLUMNS) <= set(table):
            return WHOLE.box
        x0, y0, x1, y1 = table[list(FRAME_COLUMNS[:4])].iloc[index].astype(float)
        return WHOLE.box if math.isnan(x0) else (x0, y0, x1, y1)

    def _caption(self, index: int) -> str:
        row = self.predictions.table.iloc[index]
        predicted = shorten(row["predicted"] or "none", 14)
        if self.predictions.multi_label:
            known = self.predictions.targets[index] == 1
            names = np.array(self.predictions.classes, object)[known]
            line = f"{predicted} / {shorten('|'.join(names) or 'none', 14)} / {row['loss']:.2f}"
        else:
            chance = self.predictions.probabilities[index, self.predictions.predicted[index]]
            line = f"{predicted} / {shorten(row['label'], 14)} / {row['loss']:.2f} / {chance:.2f}"
        return f"{line}\n{shorten(Path(row['path']).name, 34)}"


def _show(panel: Axes, image: LossImage) -> None:
    from matplotlib.patches import Rectangle

    shown, height, width = image.pixels, *image.pixels.shape
    if image.heat is not None:
        from ..apply.explain.overlay import warmed

        shown = warmed(image.pixels, image.heat)
    panel.imshow(shown, cmap="gray", vmin=0, vmax=255)
    if image.box == WHOLE.box:
        return
    x0, y0, x1, y1 = image.box
    corner, sides = (x0 * width - 0.5, y0 * height - 0.5), ((x1 - x0) * width, (y1 - y0) * height)
    for colour, points in ((FRAME_EDGE, 2.0), (FRAME_LINE, 1.0)):
        panel.add_patch(Rectangle(corner, *sides, fill=False, edgecolor=colour, linewidth=points))


def grid(n: int, nrows: int | None, ncols: int | None) -> tuple[int, int]:
    """Rows and columns that hold `n` panels: as asked, else near a square."""
    if n == 0:
        raise UsageError("no image to show; ask for one or more, of images with a known label")
    columns = ncols or math.ceil(n / (nrows or math.isqrt(n)))
    return math.ceil(n / columns), columns
