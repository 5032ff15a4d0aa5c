"""The explanation in a report: heat maps, whether to believe them, telling examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ..._io import Progress, atomic_path
from ...backbones import Network, has_bf16
from ...errors import ImageError
from ...evaluate import Predictions
from ...pixels import WHOLE, LungFrame, load_grey
from ..predictor import Predictor
from .examples import find_examples, nearest
from .heat_map import method_of
from .lungs import ABOUT
from .overlay import heat_png, image_png, onto_image
from .places import heat_places
from .sanity import Cut, attention_shares, randomisation_test

SAMPLE, RANDOMISED = 64, 4  # images for the shares of heat and for the randomisation test
EXAMPLE_SIDE, NEIGHBOUR_SIDE = 240, 96  # pixels of an image's longer side
CANDIDATES, BATCH = 2000, 128  # training images compared with an example, and at a time


class Images(Protocol):
    """Decoded images, as `prepare.ImageSet`: image i is `pixels[rows[i]]`, from `paths[i]`, of
    which it shows the part `frames[i]` (see `LungFrame.row`), or without frames the whole."""

    @property
    def paths(self) -> Sequence[Path]: ...

    @property
    def pixels(self) -> np.ndarray: ...

    @property
    def rows(self) -> np.ndarray: ...

    @property
    def frames(self) -> np.ndarray | None: ...

    def label_of(self, index: int) -> str: ...


def make_explanation(
    predictor: Predictor,
    predictions: Predictions,
    images: Images,
    training: Images,
    out: Path | str,
    *,
    root: Path | str,
    seed: int = 0,
) -> dict[str, Any]:
    """What `report.json` holds as `explanation`; writes its PNG files into the folder `out`.

    `images` are the images of `predictions` in the same order, `training` those among which the
    neighbours are looked for (2,000 of them at random, where there are more). Paths are given
    relative to `root`; patients are not named. The same seed gives the same facts.
    """
    network = predictor.network
    threshold = predictor.config.operating_point
    decided = predictions.at(threshold)
    sample = _with_finding(decided, seed)[:SAMPLE]
    pixels = images.pixels[images.rows[sample]]
    chosen = find_examples(decided, threshold)
    near = _neighbours(network, images, training, chosen, seed)
    writer = _ExampleWriter(predictor, decided, images, training, Path(root), Path(out))
    written = {row: writer.example(row, near_row) for row, near_row in near.items()}
    return {
        "method": method_of(network),
        "sanity": {"randomised": randomisation_test(predictor, pixels[:RANDOMISED], seed)},
        **_shares_of_heat(predictor, decided, images, sample, seed),
        "lungs": ABOUT,
        "neighbours_among": min(len(training.rows), CANDIDATES),
        "examples": {kind: [written[row] for row in rows] for kind, rows in chosen.items()},
    }


def _with_finding(predictions: Predictions, seed: int) -> NDArray[np.int64]:
    """Rows in random order of what is decided positive; all rows where nothing is."""
    if predictions.multi_label:
        positive = predictions.decide().any(axis=1)
    elif predictions.binary:
        positive = predictions.predicted == predictions.positive_index
    else:
        positive = np.ones(len(predictions), bool)
    rows = np.flatnonzero(positive) if positive.any() else np.arange(len(predictions))
    return np.random.default_rng(seed).permutation(rows)


def _shares_of_heat(
    predictor: Predictor,
    predictions: Predictions,
    images: Images,
    sample: NDArray[np.int64],
    seed: int,
) -> dict[str, Any]:
    """`attention_shares` of the rows `sample`: of cuts on their whole images, where the files are
    still there."""
    cuts = None
    if images.frames is not None:
        pairs = [(row, cut) for row in sample if (cut := _cut(images, row)) is not None]
        sample, cuts = np.array([row for row, _ in pairs], np.int64), [cut for _, cut in pairs]
    _, groups = np.unique(predictions.patient_groups[sample], return_inverse=True)
    pixels = images.pixels[images.rows[sample]]
    return attention_shares(predictor, pixels, groups, seed, cuts)


def _cut(images: Images, row: int) -> Cut | None:
    """The whole image of a row, and what of it the network saw; None where the file is gone."""
    frame = WHOLE if images.frames is None else LungFrame.of_row(images.frames[row])
    try:
        return Cut(load_grey(images.paths[row]), frame)
    except ImageError:
        return None


Near = list[tuple[int, float]]  # training images and how far each is, nearest first


def _neighbours(
    network: Network, images: Images, training: Images, chosen: dict[str, list[int]], seed: int
) -> dict[int, Near]:
    """Of each chosen row."""
    rows = sorted({row for of_kind in chosen.values() for row in of_kind})
    order = np.random.default_rng(seed).permutation(len(training.rows))
    candidates = np.sort(order[:CANDIDATES])
    theirs = pooled_features(network, training.pixels, training.rows[candidates])
    own = pooled_features(network, images.pixels, images.rows[rows])
    nearest_of_rows = zip(rows, *nearest(own, theirs), strict=True)
    return {
        row: list(zip(candidates[which].tolist(), distances.tolist(), strict=True))
        for row, distances, which in nearest_of_rows
    }


def pooled_features(
    network: Network, pixels: np.ndarray, rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """(n, F) float32, what the head sees of `pixels[rows]`; in bf16 where the hardware has it."""
    device = next(network.parameters()).device
    parts = []
    with (
        torch.inference_mode(),
        torch.autocast(device.type, torch.bfloat16, enabled=has_bf16(device)),
        Progress("looking for similar images", len(rows)) as progress,
    ):
        for start in progress.chunks(len(rows), BATCH):
            batch = torch.from_numpy(pixels[rows[start : start + BATCH]]).unsqueeze(1)
            parts.append(network.features(batch.to(device)).float().cpu().numpy())
    return np.concatenate(parts)


@dataclass(frozen=True)
class _ExampleWriter:
    """Draws examples into the folder `out`, and says what is known of them."""

    predictor: Predictor
    predictions: Predictions
    images: Images
    training: Images
    root: Path
    out: Path

    def example(self, row: int, near: Near) -> dict[str, Any]:
        return {
            "path": self._name(self.images.paths[row]),
            "label": self.images.label_of(row),
            "predicted": str(self.predictions.table["predicted"].iloc[row]),
            "probability": self._probability(row),
            "loss": _number(self.predictions.losses[row]),
            **self._drawn(row),
            "neighbours": [self._neighbour(*one) for one in near],
        }

    def _neighbour(self, index: int, distance: float) -> dict[str, Any]:
        small = image_png(self.training.pixels[self.training.rows[index]], NEIGHBOUR_SIDE)
        return {
            "path": self._name(self.training.paths[index]),
            "label": self.training.label_of(index),
            "distance": round(distance, 4),
            "image": self._write(f"training_{index}.png", small),
        }

    def _drawn(self, row: int) -> dict[str, Any]:
        """Image and heat map side by side; as the network saw it where the file is gone.

        Of a model that sees lungs also the frame (None: no lungs found, so it saw the whole image)
        and how much of the heat lies outside the lungs.
        """
        pixels = self.images.pixels[self.images.rows[row]]
        heat = self.predictor.heat_map(pixels).values
        cut = _cut(self.images, row)
        if cut is None:
            return {"image": self._write_example(row, heat_png(pixels, heat, EXAMPLE_SIDE))}
        box, method = cut.frame.box, self.predictor.config.resize_method
        placed = onto_image(heat, cut.image.shape, method, box)
        drawn = self._write_example(row, heat_png(cut.image, placed, EXAMPLE_SIDE, box))
        if self.images.frames is None:
            return {"image": drawn}
        places = heat_places(cut.image, heat, method, box)
        return {
            "image": drawn,
            "frame": list(box) if cut.frame.found else None,
            "outside_lungs": None if places is None else round(places.outside_lungs, 4),
            "between_lungs": None if places is None else round(places.between_lungs, 4),
        }

    def _write_example(self, row: int, content: bytes) -> str:
        return self._write(f"example_{row}.png", content)

    def _name(self, path: Path) -> str:
        """As the predictions table has it; the bare name of a file from elsewhere."""
        try:
            return path.absolute().relative_to(self.root.absolute()).as_posix()
        except ValueError:
            return path.name

    def _probability(self, row: int) -> float:
        """Of the positive class; without one, of the likeliest."""
        probabilities = self.predictions.probabilities[row]
        binary = self.predictions.binary
        return float(
            probabilities[self.predictions.positive_index] if binary else probabilities.max()
        )

    def _write(self, name: str, content: bytes) -> str:
        self.out.mkdir(parents=True, exist_ok=True)
        with atomic_path(self.out / name) as temporary:
            temporary.write_bytes(content)
        return name


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
