"""What the model says of one image, as the report and the heat map both state it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ... import __version__
from ...pixels.frame import WHOLE, LungFrame
from ..decision.confidence import NO_LUNGS
from .codes import text, uid
from .source import MAKER, Source

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from ..decision.prediction import Prediction
    from ..predictor import Predictor

NOTICE = "RESEARCH USE - NOT FOR DIAGNOSIS"
LONG_STRING = 64
DIGITS = 4  # of a probability: what a person reads, and what tells two predictions apart


@dataclass(frozen=True)
class Statement:
    """The prediction of `predictor` for the image `source`, of which it saw `frame`."""

    predictor: Predictor
    source: Source
    prediction: Prediction
    frame: LungFrame = WHOLE

    @property
    def digest(self) -> str:
        return self.predictor.digest

    @property
    def model_name(self) -> str:
        """The file's name without `.cxr`: models of several files are told apart by it."""
        return text(self.predictor.path.stem, 32)

    @property
    def values(self) -> list[str]:
        """The prediction, rounded as it is shown: the same for the same image and model, on every
        machine."""
        prediction = self.prediction
        shares = [f"{name}={value:.{DIGITS}f}" for name, value in prediction.calibrated.items()]
        flags = [str(prediction.confident), str(prediction.out_of_distribution)]
        seen = [self.seen] if self.seen else []
        return [prediction.decision, *shares, *flags, *seen]

    @property
    def seen(self) -> str:
        """What the model saw of the image, in words; empty for a model of whole images."""
        frame = self.frame
        if self.predictor.config.frame == "whole":
            return ""
        if not frame.found:
            return f"the whole image: {NO_LUNGS[frame.finding]}"
        x0, y0, x1, y1 = (f"{share:.3f}" for share in frame.box)
        return (
            f"the lungs: from {x0} to {x1} of its width and from {y0} to {y1} of its height, from "
            f"the upper left corner; probability of upright lungs {frame.score:.3f}"
        )

    @property
    def findings(self) -> tuple[str, ...]:
        """The classes that are findings: the positive one of two, else all."""
        task = self.predictor.config.task
        return (task.positive,) if task.binary and task.positive else task.classes

    def threshold(self, name: str) -> float | None:
        """The probability from which a finding is decided, where there is one."""
        return self.prediction.thresholds.get(name)

    def is_present(self, name: str) -> bool:
        """By the same rule as `Prediction.decision`."""
        if self.predictor.config.multi_label:
            return self.prediction.calibrated[name] >= self.prediction.thresholds[name]
        return self.prediction.decision == name

    @property
    def is_reliable(self) -> bool:
        return self.prediction.status == "confident"

    @property
    def notice(self) -> str:
        """The first words of both objects: that the image was not judged, and their use."""
        if self.prediction.judged:
            return NOTICE
        first = "NOT JUDGED" if self.prediction.status == "not judged" else "DISREGARD"
        return f"{first}; {NOTICE}"

    @property
    def first(self) -> str:
        """What stands before the name of a finding that was not judged."""
        return "" if self.prediction.judged else f"{self.prediction.status.capitalize()}: "

    @property
    def reliability(self) -> str:
        """Whether to rely on the prediction and why not, without a full stop."""
        caution = self.prediction.caution
        if self.is_reliable:
            return f"The model is confident: {caution}" if caution else "The model is confident"
        return (
            caution if self.prediction.status == "not judged" else f"NOT TO BE RELIED ON: {caution}"
        )

    def identity(self, kind: str, series_number: int, *contents: str) -> dict[str, Any]:
        """What highdicom's constructors need of identity, series and equipment. `contents`: what
        the object says besides `values`, so that its UID depends on it."""
        origin = (self.source.sop_instance, self.digest, __version__)
        return {
            "series_instance_uid": uid(f"{kind} series", *origin),
            "series_number": series_number,
            "sop_instance_uid": uid(kind, *origin, *self.values, *contents),
            "instance_number": 1,
            "manufacturer": MAKER,
            "manufacturer_model_name": text(f"cxr {self.model_name}", LONG_STRING),
            "software_versions": (__version__, f"model sha256 {self.digest[:40]}"),
            "device_serial_number": self.digest[:LONG_STRING],
        }


def copy_attributes(result: Dataset, attributes: Dataset) -> None:
    """Patient and study of the image. Set afterwards: highdicom's own checks, made for values that
    a program chose, warn of and refuse what archives are full of."""
    for element in attributes:
        result[element.tag] = element
