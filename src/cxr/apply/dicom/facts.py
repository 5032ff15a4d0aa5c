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

    from ..reader import Reader, Record

NOTICE = "RESEARCH USE - NOT FOR DIAGNOSIS"
LONG_STRING = 64
DIGITS = 4  # of a probability: what a person reads, and what tells two answers apart


def model_name(reader: Reader) -> str:
    """The file's name without `.cxr`: models of several files are told apart by it."""
    return text(reader.path.stem, 32)


def version(reader: Reader) -> str:
    return f"{__version__}, model sha256 {reader.digest}"


def answer(record: Record) -> list[str]:
    """What is said of an image, rounded as it is shown: the same for the same image and model, on
    every machine."""
    shares = [f"{name}={value:.{DIGITS}f}" for name, value in record.calibrated.items()]
    trust = [str(record.confident), str(record.out_of_distribution)]
    return [record.decision, *shares, *trust]


def arguments(kind: str, number: int, reader: Reader, source: Source, *said: str) -> dict[str, Any]:
    """What highdicom's constructors ask for of identity, series and equipment."""
    origin = (source.sop_instance, reader.digest, __version__)
    return {
        "series_instance_uid": uid(f"{kind} series", *origin),
        "series_number": number,
        "sop_instance_uid": uid(kind, *origin, *said),
        "instance_number": 1,
        "manufacturer": MAKER,
        "manufacturer_model_name": text(f"cxr {model_name(reader)}", LONG_STRING),
        "software_versions": (__version__, f"model sha256 {reader.digest[:40]}"),
        "device_serial_number": reader.digest[:LONG_STRING],
    }


def adopt(result: Dataset, subject: Dataset) -> None:
    """Patient and study of the image. Set afterwards: highdicom's own checks, made for values that
    a program chose, warn of and refuse what archives are full of."""
    for element in subject:
        result[element.tag] = element


def is_trusted(record: Record) -> bool:
    return bool(record.confident) and not record.out_of_distribution


def trust_in_words(record: Record) -> str:
    """Whether to rely on the answer and why not, without a full stop."""
    if is_trusted(record):
        verdict = "The model is confident"
    elif record.confident is None and not record.out_of_distribution:
        verdict = "Whether to rely on this answer is not known"
    else:
        verdict = "NOT TO BE RELIED ON"
    return f"{verdict}: {record.reason}" if record.reason else verdict


def threshold_of(reader: Reader) -> float | None:
    """Where one class is asked about, from which probability on it is decided."""
    config = reader.config
    if config.multi_label:
        return 0.5
    return config.threshold if config.positive is not None and len(config.classes) == 2 else None


def asked(reader: Reader) -> Iterator[str]:
    """The classes that are findings: the positive one of two, else all."""
    config = reader.config
    if not config.multi_label and config.positive is not None and len(config.classes) == 2:
        yield config.positive
    else:
        yield from config.classes


def is_present(name: str, reader: Reader, record: Record) -> bool:
    """By the same rule as `Record.decision`."""
    if reader.config.multi_label:
        return record.calibrated[name] >= 0.5
    return record.decision == name
