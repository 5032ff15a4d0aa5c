"""What worker threads do for a request: predict, explain, display. Nothing here knows of HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._io.drawing import base64_text, png
from ...pixels import load_grey
from ...pixels.display import DisplayImage, load_for_display
from ..decision.prediction import Prediction
from ..decision.prediction import predictions as predictions_of
from ..explain.overlay import WHOLE, draw_overlay, headline_of, onto_image
from ..explain.places import HeatPlaces, heat_places
from ..predictor import Predictor
from .live import ServedModel
from .workers import Frames

HEAT_SIDE = 1024
SIMILAR = 4
IMAGE_SIDE = 2048


def predictions(model: ServedModel, pixels: np.ndarray, frames: Frames) -> list[Prediction]:
    """Of uint8 (n, S, S)."""
    return model.predictor.predictions(pixels, frames=frames)


def tensors(
    model: ServedModel, pixels: np.ndarray, frames: Frames
) -> list[tuple[np.ndarray, np.ndarray]]:
    """(logits, calibrated probabilities), each float32 (k,), of uint8 (n, S, S)."""
    logits = model.predictor.run(pixels).logits
    probabilities = model.predictor.rules.probabilities(logits, calibrated=True)
    return list(zip(logits, probabilities, strict=True))


@dataclass(frozen=True)
class SimilarImage:
    """A training image that resembles the one explained; `image` is a PNG."""

    label: str
    distance: float
    image: bytes


@dataclass(frozen=True)
class Explanation:
    """`image` uint8 (H, W) and `heat` float32 (H, W) in 0..1 over it, H and W at most HEAT_SIDE;
    `places` where no heat is None."""

    prediction: Prediction
    image: np.ndarray
    heat: np.ndarray
    explained: str
    method: str
    similar: list[SimilarImage]
    places: HeatPlaces | None

    def as_json(self) -> dict[str, Any]:
        return {
            "explained": self.explained,
            "method": self.method,
            "heat": base64_text(grey_png(self.heat)),
            "outside_lungs": None if self.places is None else self.places.outside_lungs,
            "between_lungs": None if self.places is None else self.places.between_lungs,
            "similar": [
                {"label": one.label, "distance": one.distance, "image": base64_text(one.image)}
                for one in self.similar
            ],
        }

    def as_png(self) -> bytes:
        prediction, name = self.prediction, self.explained
        headline = headline_of(prediction, name)
        warning = prediction.caution if prediction.status != "confident" else ""
        box = prediction.frame or WHOLE
        outside = None if self.places is None else self.places.outside_lungs
        return draw_overlay(self.image, self.heat, headline, name, warning, box, outside)


def explain(model: ServedModel, file: bytes) -> Explanation:
    """Raises ImageError."""
    predictor = model.predictor
    pixels, frame = predictor.framed(file)
    heat, explained, method = predictor.heat_map(pixels)
    image = small_image(file)
    shape = image.shape[0], image.shape[1]
    resized_by = predictor.config.resize_method
    whole = onto_image(heat, shape, resized_by, frame.box)
    places = heat_places(image, heat, resized_by, frame.box)
    outputs = predictor.run(pixels[np.newaxis])
    (prediction,) = predictions_of(predictor.rules, outputs, pixels[np.newaxis], frames=[frame])
    similar = similar_to(predictor, outputs.features[0])
    return Explanation(prediction, image, whole, explained, method, similar, places)


def similar_to(predictor: Predictor, features: np.ndarray) -> list[SimilarImage]:
    """None where the model file holds no training images."""
    training = predictor.similar
    if training is None:
        return []
    return [
        SimilarImage(
            training.label(index, predictor.config.classes),
            round(distance, 4),
            png(training.thumbnails[index], compress_level=1),
        )
        for index, distance in training.nearest(features, SIMILAR)
    ]


def small_image(file: bytes) -> np.ndarray:
    """uint8 (H, W), as the network gets it, its longer side at most HEAT_SIDE."""
    image = load_grey(file)
    scale = HEAT_SIDE / max(image.shape)
    if scale >= 1:
        return image
    return load_grey(image, tuple(max(16, round(side * scale)) for side in image.shape))


def display_image(file: bytes) -> DisplayImage:
    """Raises ImageError."""
    return load_for_display(file, IMAGE_SIDE)


def grey_png(values: np.ndarray) -> bytes:
    """(H, W) in 0..1 as an 8-bit grey PNG."""
    return png((values * 255).round().astype(np.uint8), compress_level=1)
