"""What is done to a model's logits so that its probabilities can be taken at their word."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...bundle.task import log_odds_shift
from ...errors import DataError

NONE, TEMPERATURE, VECTOR = KINDS = ("none", "temperature", "vector")
"""From the simplest to the least simple."""


@dataclass(frozen=True)
class Calibration:
    """`logits * factors + biases`, one of each a class; factors are above 0.

    `none` leaves logits as they are, `temperature` divides all by one number, `vector` is free.
    Raises DataError for anything else.
    """

    kind: str
    factors: tuple[float, ...]
    biases: tuple[float, ...]

    def __post_init__(self) -> None:
        for good, what in (
            (self.kind in KINDS, f"kind {self.kind!r} is not one of {', '.join(KINDS)}"),
            (_numbers(self.factors) and min(self.factors) > 0, "factors must be above 0"),
            (_numbers(self.biases), "biases must be finite numbers"),
            (len(self.factors) == len(self.biases), "as many factors as biases are needed"),
            (self._is_of_its_kind(), f"these factors and biases are not of kind {self.kind!r}"),
        ):
            if not good:
                raise DataError(f"calibration refused: {what}; fit it again")

    def _is_of_its_kind(self) -> bool:
        if self.kind == VECTOR:
            return True
        equal = len(set(self.factors)) == 1 and not any(self.biases)
        return equal and (self.kind == TEMPERATURE or self.factors[0] == 1)

    @property
    def temperature(self) -> float:
        """What divides all logits; 1 for a vector, which is not a temperature."""
        return 1.0 if self.kind == VECTOR else 1 / self.factors[0]

    def apply(self, logits: ArrayLike) -> NDArray[Any]:
        """(n, k) logits -> (n, k) calibrated logits, floats of the same width."""
        z = np.asarray(logits)
        if z.ndim != 2 or z.shape[1] != len(self.factors):
            raise DataError(
                f"logits {z.shape} do not fit a calibration of {len(self.factors)} classes"
            )
        calibrated = z * np.array(self.factors) + np.array(self.biases)
        return calibrated.astype(z.dtype) if z.dtype.kind == "f" else calibrated

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "factors": list(self.factors), "biases": list(self.biases)}

    @classmethod
    def from_json(cls, stored: object) -> Calibration:
        """Raises DataError for anything that `to_json` did not write."""
        if not isinstance(stored, Mapping) or set(stored) != {"kind", "factors", "biases"}:
            raise DataError(
                "calibration refused: kind, factors and biases are needed; fit it again"
            )
        factors, biases = stored["factors"], stored["biases"]
        if not isinstance(factors, list) or not isinstance(biases, list):
            raise DataError("calibration refused: factors and biases must be lists; fit it again")
        return cls(stored["kind"], tuple(factors), tuple(biases))

    def for_bundle(self) -> dict[str, Any]:
        """As fields of a model's configuration, which knows a temperature or a vector."""
        vector = self.to_json() if self.kind == VECTOR else None
        return {"temperature": self.temperature, "calibration": vector}

    @classmethod
    def from_bundle(
        cls, temperature: float, calibration: Mapping[str, Any] | None, classes: int
    ) -> Calibration:
        """From those fields; models written before there were vectors have a temperature only."""
        if calibration is not None:
            return cls.from_json(calibration)
        kind = NONE if temperature == 1 else TEMPERATURE
        return cls(kind, (1 / temperature,) * classes, (0.0,) * classes)


def no_calibration(classes: int) -> Calibration:
    return Calibration(NONE, (1.0,) * classes, (0.0,) * classes)


def _numbers(values: object) -> bool:
    return (
        isinstance(values, tuple)
        and len(values) > 0
        and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
        and bool(np.isfinite(np.array(values, np.float64)).all())
    )


def at_prevalence(
    probabilities: ArrayLike, trained_prevalence: float, stated_prevalence: float
) -> NDArray[np.float64]:
    """Calibrated probabilities of the finding, of any shape, as they are where it is so frequent.

    By the method of Saerens, Latinne and Decaestecker (2002). It holds where images with the
    finding look alike here and there, and so do those without, and only their shares differ: other
    machines, ages or stages of the disease it cannot correct.
    `trained_prevalence` is its share of the images that the probabilities were calibrated on. The
    odds are multiplied by the ratio of the odds of both shares, so the order of images, and with it
    the AUROC, stays. A threshold moves likewise: `at_prevalence(threshold, ...)` decides the same.
    Raises UsageError for a prevalence that is not above 0 and below 1.
    """
    p = np.asarray(probabilities, np.float64)
    with_finding = p * math.exp(log_odds_shift(trained_prevalence, stated_prevalence))
    return np.asarray(with_finding / (with_finding + (1 - p)))
