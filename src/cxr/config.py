"""Settings of a run: typed, frozen, and strict about what they are given."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePath
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import yaml

from .errors import DataError, UsageError

CONFIG = "config.yaml"  # its name in a run folder

WHOLE = {
    "size": (32, 2048),
    "epochs": (0, 10_000),
    "freeze_epochs": (0, 10_000),
    "batch_size": (2, 65_536),
    "seed": (0, 2**63 - 1),
}
BETWEEN = {"valid_pct": (0, 1), "base_lr": (0, 10)}
ONE_OF = {
    "recipe": ("robust", "fine_tune"),
    "skip_quarantined": ("errors", "all", "none"),
}


@dataclass(frozen=True)
class RunConfig:
    """What `cxr train` was asked to do; written to `config.yaml` in the run folder.

    `size` in pixels; `recipe` (robust, or fine_tune as fast.ai does it) says how; `epochs` after
    `freeze_epochs` of the head alone; `strategy` (auto, full or cached) says how much of the body
    trains then; `base_lr` as in fine_tune; `valid_pct` the share of patients (or images) set aside;
    `window` how many shards training images are mixed from at once (0: all; None: all where they
    fit); `threshold` the rule for the operating point; `explain` whether the report shows heat maps
    and examples; `population` says in words whose images these are; `quarantine` is a list by
    `cxr check` of faulty files, of which `skip_quarantined` (errors, all or none) are left out.
    """

    data: str
    backbone: str = "efficientnet_lite0"
    weights: str | None = "auto"
    size: int = 128
    resize: str = "squish"
    recipe: str = "robust"
    epochs: int = 2
    freeze_epochs: int = 1
    strategy: str = "auto"
    base_lr: float = 2e-3
    batch_size: int = 64
    augment: bool = True
    class_weights: str | None = None
    label_smoothing: float = 0.0
    window: int | None = None
    split: str = "patient"
    valid_pct: float = 0.2
    seed: int = 42
    threshold: str = "youden"
    explain: bool = True
    device: str = "auto"
    precision: str = "auto"
    population: str = ""
    layout: str = "auto"
    path_column: str | None = None
    label_column: str | None = None
    label_columns: tuple[str, ...] | None = None
    patient_column: str | None = None
    patient_pattern: str | None = "auto"
    image_root: str | None = None
    quarantine: str | None = None
    skip_quarantined: str = "errors"

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            value = getattr(self, name)
            if isinstance(value, PurePath):
                object.__setattr__(self, name, str(value))
            elif not _fits(value, hint):
                kind = getattr(hint, "__name__", hint)
                raise UsageError(f"{name}={value!r} is not of the type {kind}")
        for name, (low, high) in WHOLE.items():
            if not low <= getattr(self, name) <= high:
                value = getattr(self, name)
                raise UsageError(f"{name}={value} is not a whole number from {low} to {high}")
        for name, (low, high) in BETWEEN.items():
            if not low < getattr(self, name) < high:
                raise UsageError(f"{name}={getattr(self, name)} is not between {low} and {high}")
        for name, allowed in ONE_OF.items():
            if getattr(self, name) not in allowed:
                value = getattr(self, name)
                raise UsageError(f"{name}={value!r} is not one of {', '.join(allowed)}")
        if self.epochs + self.freeze_epochs == 0:
            raise UsageError("epochs=0 and freeze_epochs=0: nothing would be trained")

    def to_yaml(self) -> str:
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> RunConfig:
        """Raises UsageError for a key that is not a setting, with the nearest, or no `data`."""
        known = [field.name for field in fields(cls)]
        for key in values:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise UsageError(f"unknown setting {key!r}{hint} (known: {', '.join(known)})")
        if "data" not in values:
            raise UsageError("the setting data is missing: where the images are")
        columns = values.get("label_columns")
        return cls(**{**values, "label_columns": tuple(columns) if columns else None})

    @classmethod
    def read(cls, path: Path) -> RunConfig:
        """Raises DataError when the file holds no settings, UsageError as `from_dict` does."""
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise DataError(f"{path} is not valid YAML") from error
        if not isinstance(values, dict):
            raise DataError(f"{path} holds no settings")
        return cls.from_dict(values)


def _fits(value: object, hint: Any) -> bool:
    """Whether `value` is of the annotated type; True is no number, and 1 will do for 1.0."""
    kinds = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    allowed = {get_origin(kind) or kind for kind in kinds}
    return type(value) in allowed or (type(value) is int and float in allowed)
