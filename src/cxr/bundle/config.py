"""What a model file says of its model: `config.json`, checked field by field."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, get_args

from ..config import FrameMode
from ..errors import BundleError
from .format import FORMAT, migrate
from .task import LABEL_THRESHOLD, Task

MAX_CLASSES = 10_000
MAX_SIZE = 2048


@dataclass(frozen=True)
class BundleConfig:
    """All that prediction needs besides the weights, and on what the model was trained.

    `temperature` divides the logits for calibrated probabilities, or else `calibration` gives each
    class a factor and a bias: `{"kind": "vector", "factors": [...], "biases": [...]}`. `threshold`
    is the operating threshold of `positive`, chosen on validation, `thresholds` (k,) those of
    several labels (None: 0.5 each). `frame` says what of an image the network sees: the "whole", or
    the image cut to the "lungs"; `locator` is the version of what finds them, by default the one of
    this cxr, and None for whole images.
    """

    classes: tuple[str, ...]
    backbone: str
    size: int
    multi_label: bool = False
    resize_method: str = "squish"
    frame: FrameMode = "whole"
    locator: str | None = None
    dropout: float = 0.25
    temperature: float = 1.0
    calibration: dict[str, Any] | None = None
    threshold: float = 0.5
    thresholds: tuple[float, ...] | None = None
    positive: str | None = None
    population: str = "not stated"
    training_data: dict[str, Any] = field(default_factory=dict)
    weights_source: str = ""
    format: int = FORMAT

    def __post_init__(self) -> None:
        if self.frame == "lungs" and self.locator is None:
            object.__setattr__(self, "locator", _installed_locator())
        for good, what in (
            (_names(self.classes), "classes must be 1 to 10,000 different, non-empty names"),
            (_text(self.backbone), "backbone must be a name"),
            (_whole(self.size, 32, MAX_SIZE), f"size must be 32 to {MAX_SIZE} pixels"),
            (isinstance(self.multi_label, bool), "multi_label must be true or false"),
            (self.resize_method in ("squish", "pad", "crop"), "unknown resize_method"),
            (self.frame in get_args(FrameMode), "unknown frame"),
            (
                _text(self.locator) if self.frame == "lungs" else self.locator is None,
                "locator must be the version of a lung locator, and is null for whole images",
            ),
            (_number(self.dropout, 0, 1), "dropout must be from 0 to 1"),
            (_number(self.temperature, 1e-3, 1e3), "temperature must be from 0.001 to 1000"),
            (
                self.calibration is None or _is_vector(self.calibration, self.classes),
                "calibration must be a vector of a factor and a bias for each class",
            ),
            (
                self.calibration is None or self.temperature == 1,
                "temperature must be 1 beside a calibration, which takes its place",
            ),
            (_number(self.threshold, 0, 1), "threshold must be from 0 to 1"),
            (
                self.thresholds is None
                or (self.multi_label and _thresholds(self.thresholds, self.classes)),
                "thresholds must be a number from 0 to 1 for each of several labels",
            ),
            (
                self.positive is None or self.positive in self.classes,
                "positive must be one of the classes",
            ),
            (isinstance(self.population, str), "population must be text"),
            (isinstance(self.training_data, dict), "training_data must be an object"),
            (isinstance(self.weights_source, str), "weights_source must be text"),
        ):
            if not good:
                raise BundleError(f"model configuration refused: {what}")

    @property
    def input(self) -> str:
        """`128 x 128 pixels, squish, of the lungs, cut by a lung frame`."""
        return input_in_words(self.size, self.resize_method, self.frame)

    @property
    def calibrated(self) -> bool:
        """Whether a calibration was fitted, so that one may speak of calibrated probabilities."""
        return self.calibration is not None or self.temperature != 1

    @property
    def operating_point(self) -> float | tuple[float, ...]:
        """What `Predictions.at` takes: the threshold of two classes, or one for each label."""
        if self.multi_label:
            return self.thresholds or LABEL_THRESHOLD
        return self.threshold if self.task.binary else LABEL_THRESHOLD

    @property
    def task(self) -> Task:
        return Task(self.classes, self.multi_label, self.positive, self.threshold, self.thresholds)

    def check_locator(self) -> None:
        """Raises BundleError when this cxr would cut images elsewhere than the model learnt."""
        installed = _installed_locator()
        if self.frame == "lungs" and self.locator != installed:
            raise BundleError(
                f"its training images were cut by lung locator {self.locator}, and this cxr cuts "
                f"by {installed}, so that its figures and threshold would not hold; train "
                "it again with this cxr, or use it with the cxr that trained it"
            )

    def to_json(self) -> str:
        facts = asdict(self)
        for name in ("calibration", "thresholds"):
            if facts[name] is None:  # then older versions, which do not know it, read this too
                del facts[name]
        return json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> BundleConfig:
        """Raises BundleError for anything that is not a configuration of a known format."""
        settings = migrate(parse_config(text))
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(settings) - known)
        if unknown:
            raise BundleError(f"config.json has unknown fields: {', '.join(unknown[:5])}")
        if settings.get("frame") == "lungs" and settings.get("locator") is None:
            raise BundleError("config.json does not say which lung locator cut its images")
        if not isinstance(settings.get("classes"), list):
            raise BundleError("config.json has no list of classes")
        for name in ("classes", "thresholds"):
            if isinstance(settings.get(name), list):
                settings = {**settings, name: tuple(settings[name])}
        try:
            return cls(**settings)
        except TypeError as error:
            raise BundleError(f"config.json is incomplete ({error})") from error


def input_in_words(size: int, method: str, frame: str) -> str:
    """What a network sees of an image."""
    seen = "the lungs, cut by a lung frame" if frame == "lungs" else "the whole image"
    return f"{size} x {size} pixels, {method}, of {seen}"


def parse_config(text: str | bytes) -> dict[str, Any]:
    """The object in `config.json`, whatever it says. Raises BundleError when there is none."""
    try:
        config = json.loads(text if isinstance(text, str) else text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BundleError("config.json is not UTF-8; the model file is damaged") from error
    except (ValueError, RecursionError) as error:
        raise BundleError("config.json is not valid JSON; the model file is damaged") from error
    if not isinstance(config, dict):
        raise BundleError("config.json is not an object; the model file is damaged")
    return config


def _text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 1000


def _names(classes: object) -> bool:
    return (
        isinstance(classes, tuple)
        and 1 <= len(classes) <= MAX_CLASSES
        and all(_text(name) for name in classes)
        and len(set(classes)) == len(classes)
    )


def _is_vector(calibration: object, classes: tuple[str, ...]) -> bool:
    if not isinstance(calibration, dict) or set(calibration) != {"kind", "factors", "biases"}:
        return False
    factors, biases = calibration["factors"], calibration["biases"]
    return (
        calibration["kind"] == "vector"
        and isinstance(factors, list)
        and isinstance(biases, list)
        and len(factors) == len(biases) == len(classes)
        and all(_number(factor, 1e-3, 1e3) for factor in factors)
        and all(_number(bias, -1e3, 1e3) for bias in biases)
    )


def _thresholds(thresholds: object, classes: tuple[str, ...]) -> bool:
    return (
        isinstance(thresholds, tuple)
        and len(thresholds) == len(classes)
        and all(_number(one, 0, 1) for one in thresholds)
    )


def _whole(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _number(value: object, low: float, high: float) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and low <= value <= high  # false for NaN
    )


def _installed_locator() -> str:
    # Imported when it is asked for: evaluation reads a bundle's task and needs no image library.
    from ..pixels.frame import locator_version

    return locator_version()
