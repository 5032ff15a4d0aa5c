"""What threads do for a request: predict, explain, show. Nothing here knows of HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._io.drawing import base64_text, png
from ...pixels import load_grey
from ...pixels.display import DisplayImage, load_for_display
from ..decision.prediction import Prediction
from ..decision.prediction import predictions as predictions_of
from ..explain.overlay import draw_overlay, onto_image
from ..predictor import Predictor
from .live import Model

HEAT_SIDE = 1024
SIMILAR = 4
IMAGE_SIDE = 2048


def predictions(model: Model, pixels: np.ndarray) -> list[Prediction]:
    """Of uint8 (n, S, S)."""
    return model.predictor.predictions(pixels)


def tensors(model: Model, pixels: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """(logits, calibrated probabilities), each float32 (k,), of uint8 (n, S, S)."""
    logits = model.predictor.run(pixels).logits
    chances = model.predictor.rules.probabilities(logits, calibrated=True)
    return list(zip(logits, chances, strict=True))


@dataclass(frozen=True)
class Case:
    """A training image beside the one asked about; `image` is a PNG."""

    label: str
    distance: float
    picture: bytes


@dataclass(frozen=True)
class Explanation:
    """`image` uint8 (H, W) and `heat` float32 (H, W) in 0..1 over it, H and W at most HEAT_SIDE."""

    prediction: Prediction
    film: np.ndarray
    heat: np.ndarray
    explained: str
    method: str
    similar: list[Case]

    def as_json(self) -> dict[str, Any]:
        return {
            "explained": self.explained,
            "method": self.method,
            "heat": base64_text(grey_png(self.heat)),
            "similar": [
                {"label": one.label, "distance": one.distance, "image": base64_text(one.picture)}
                for one in self.similar
            ],
        }

    def as_png(self) -> bytes:
        prediction, name = self.prediction, self.explained
        headline = f"{prediction.decision or 'nothing found'}: probability of {name} "
        headline += f"{prediction.calibrated[name]:.3f}"
        warning = prediction.reason if prediction.confident is False else ""
        return draw_overlay(self.film, self.heat, headline, name, warning)


def explain(model: Model, image: bytes) -> Explanation:
    """Raises ImageError."""
    predictor = model.predictor
    pixels = predictor.pixels(image)
    heat, explained, method = predictor.heat_map(pixels)
    film = small_image(image)
    whole = onto_image(heat, (film.shape[0], film.shape[1]), predictor.config.resize_method)
    outputs = predictor.run(pixels[np.newaxis])
    (prediction,) = predictions_of(predictor.rules, outputs, pixels[np.newaxis])
    similar = similar_to(predictor, outputs.features[0])
    return Explanation(prediction, film, whole, explained, method, similar)


def similar_to(predictor: Predictor, features: np.ndarray) -> list[Case]:
    """None where the model file holds no training images."""
    held = predictor.similar
    if held is None:
        return []
    return [
        Case(
            held.label(index, predictor.config.classes),
            round(distance, 4),
            png(held.thumbnails[index], compress_level=1),
        )
        for index, distance in held.nearest(features, SIMILAR)
    ]


def small_image(image: bytes) -> np.ndarray:
    """uint8 (H, W), as predictions see it, its longer side at most HEAT_SIDE."""
    film = load_grey(image)
    scale = HEAT_SIDE / max(film.shape)
    if scale >= 1:
        return film
    return load_grey(film, tuple(max(16, round(side * scale)) for side in film.shape))


def film(image: bytes) -> DisplayImage:
    """Raises ImageError."""
    return load_for_display(image, IMAGE_SIDE)


def grey_png(values: np.ndarray) -> bytes:
    """(H, W) in 0..1 as an 8-bit grey PNG."""
    return png((values * 255).round().astype(np.uint8), compress_level=1)
