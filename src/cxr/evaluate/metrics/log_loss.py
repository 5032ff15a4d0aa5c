"""Mean cross-entropy in nats."""

from __future__ import annotations

from math import inf

from ..._stats.bootstrap import ratio
from .metric import Metric
from .sample import Floats, Sample


def log_loss(sample: Sample, weights: Floats) -> Floats:
    return ratio(weights @ sample.log_losses, weights.sum(axis=1))


LOG_LOSS = Metric("log_loss", log_loss, "no images", bounds=(0.0, inf))
