"""What a model file makes of logits: probabilities, a decision, and whether to trust it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...bundle.abstention import AbstentionRules, NotFitted, layout
from ...bundle.config import BundleConfig
from ..engine import Pixels, Seen
from .calibrate import Floats, calibrate, probabilities_of


@dataclass(frozen=True)
class Judge:
    """The rules of one model file, without its network."""

    config: BundleConfig
    abstention: AbstentionRules | None

    @property
    def vocab(self) -> tuple[str, ...]:
        return self.config.classes

    def probabilities(
        self, logits: Floats, calibrated: bool = False, prevalence: float | None = None
    ) -> npt.NDArray[np.float32]:
        """(n, k); `calibrated` as fitted on validation.

        `prevalence` gives calibrated ones for a population of which that share has the finding.
        Show those, but decide by `decision` from the ones without it: the threshold goes with them.
        """
        if calibrated or prevalence is not None:
            logits = calibrate(logits, self.config, prevalence)
        return probabilities_of(logits, self.config.multi_label)

    def decision(self, calibrated: Sequence[float]) -> str:
        """What the model says at its operating point, from calibrated probabilities (k,).

        Two classes: the positive one from its threshold on. Several labels: those from 0.5 on,
        joined by "; ". Else the likeliest class.
        """
        classes, positive = self.config.classes, self.config.positive
        if self.config.multi_label:
            return "; ".join(c for c, p in zip(classes, calibrated, strict=True) if p >= 0.5)
        if positive is None or len(classes) != 2:
            return classes[int(np.argmax(calibrated))]
        index = classes.index(positive)
        return positive if calibrated[index] >= self.config.threshold else classes[1 - index]

    def prediction(self, chances: Sequence[float]) -> str:
        """The likeliest class of (k,), or for several labels those above 0.5 joined by "; "."""
        if self.config.multi_label:
            return "; ".join(c for c, p in zip(self.vocab, chances, strict=True) if p > 0.5)
        return self.vocab[int(np.argmax(chances))]

    def asked(self, chances: Sequence[float]) -> int:
        """The class to speak of: the positive one where there is one, else the likeliest."""
        positive = self.config.positive
        return int(np.argmax(chances)) if positive is None else self.vocab.index(positive)

    def distances(self, seen: Seen, pixels: Pixels) -> Floats | None:
        """How far each of n images is from the training images, in units of their limit (n,);
        None when the model file does not know."""
        if self.abstention is None or isinstance(self.abstention.out_of_distribution, NotFitted):
            return None
        measures = {"features": seen.features, "middle": seen.middle, "layout": layout(pixels)}
        return self.abstention.out_of_distribution.distances(measures)


@dataclass(frozen=True)
class Record:
    """All that is said of one image.

    `decision` is what the model says at its operating point, `prediction` the likeliest class as
    it came out of training; `calibrated` are the probabilities to read, `probabilities` those
    before calibration. `probability`, `confident`, `out_of_distribution`, `reason`:
    `trust.Verdict`.
    """

    prediction: str
    decision: str
    probabilities: dict[str, float]
    calibrated: dict[str, float]
    probability: float
    confident: bool | None
    out_of_distribution: bool | None
    reason: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def records(
    judge: Judge, seen: Seen, pixels: Pixels, prevalence: float | None = None
) -> list[Record]:
    """Of n images uint8 (n, S, S) that the network has `seen`.

    With `prevalence`, `calibrated` and `probability` are those of a population where that share
    has the finding; what is decided and whether to trust it do not change.
    """
    from .confidence import verdicts

    raw = judge.probabilities(seen.logits).tolist()
    decided = judge.probabilities(seen.logits, calibrated=True).tolist()
    shown = decided
    if prevalence is not None:
        shown = judge.probabilities(seen.logits, prevalence=prevalence).tolist()
    found = verdicts(judge, seen.logits, judge.distances(seen, pixels), decided)
    return [
        Record(
            prediction=judge.prediction(before),
            decision=judge.decision(after),
            probabilities=dict(zip(judge.vocab, before, strict=True)),
            calibrated=dict(zip(judge.vocab, told, strict=True)),
            probability=told[judge.asked(told)],
            confident=verdict.confident,
            out_of_distribution=verdict.out_of_distribution,
            reason=verdict.reason,
        )
        for before, after, told, verdict in zip(raw, decided, shown, found, strict=True)
    ]
