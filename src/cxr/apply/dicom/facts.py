"""What every result says of itself: who made it, in which study, and that it decides nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ... import __version__
from .codes import text
from .source import MAKER, Source
from .uids import uid

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from ..decision.prediction import Prediction
    from ..predictor import Predictor

NOTICE = "RESEARCH USE - NOT FOR DIAGNOSIS"
LONG_STRING = 64
DIGITS = 4  # of a probability: what a person reads, and what tells two answers apart


def model_name(predictor: Predictor) -> str:
    """The file's name without `.cxr`: models of several files are told apart by it."""
    return text(predictor.path.stem, 32)


def version(predictor: Predictor) -> str:
    return f"{__version__}, model sha256 {predictor.digest}"


def answer(prediction: Prediction) -> list[str]:
    """What is said of an image, rounded as it is shown: the same for the same image and model, on
    every machine."""
    shares = [f"{name}={value:.{DIGITS}f}" for name, value in prediction.calibrated.items()]
    trust = [str(prediction.confident), str(prediction.out_of_distribution)]
    return [prediction.decision, *shares, *trust]


def arguments(
    kind: str, number: int, predictor: Predictor, source: Source, *said: str
) -> dict[str, Any]:
    """What highdicom's constructors ask for of identity, series and equipment."""
    origin = (source.sop_instance, predictor.digest, __version__)
    return {
        "series_instance_uid": uid(f"{kind} series", *origin),
        "series_number": number,
        "sop_instance_uid": uid(kind, *origin, *said),
        "instance_number": 1,
        "manufacturer": MAKER,
        "manufacturer_model_name": text(f"cxr {model_name(predictor)}", LONG_STRING),
        "software_versions": (__version__, f"model sha256 {predictor.digest[:40]}"),
        "device_serial_number": predictor.digest[:LONG_STRING],
    }


def adopt(result: Dataset, subject: Dataset) -> None:
    """Patient and study of the image. Set afterwards: highdicom's own checks, made for values that
    a program chose, warn of and refuse what archives are full of."""
    for element in subject:
        result[element.tag] = element


def is_trusted(prediction: Prediction) -> bool:
    return bool(prediction.confident) and not prediction.out_of_distribution


def trust_in_words(prediction: Prediction) -> str:
    """Whether to rely on the answer and why not, without a full stop."""
    if is_trusted(prediction):
        verdict = "The model is confident"
    elif prediction.confident is None and not prediction.out_of_distribution:
        verdict = "Whether to rely on this answer is not known"
    else:
        verdict = "NOT TO BE RELIED ON"
    return f"{verdict}: {prediction.reason}" if prediction.reason else verdict


def threshold_of(predictor: Predictor) -> float | None:
    """Where one class is asked about, from which probability on it is decided."""
    config = predictor.config
    if config.multi_label:
        return 0.5
    return config.threshold if config.positive is not None and len(config.classes) == 2 else None


def asked(predictor: Predictor) -> Iterator[str]:
    """The classes that are findings: the positive one of two, else all."""
    config = predictor.config
    if not config.multi_label and config.positive is not None and len(config.classes) == 2:
        yield config.positive
    else:
        yield from config.classes


def is_present(name: str, predictor: Predictor, prediction: Prediction) -> bool:
    """By the same rule as `Prediction.decision`."""
    if predictor.config.multi_label:
        return prediction.calibrated[name] >= 0.5
    return prediction.decision == name
