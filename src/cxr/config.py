"""Settings of a run: typed, frozen, and strict about what they are given."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from .errors import DataError, UsageError


@dataclass(frozen=True)
class RunConfig:
    """What `cxr train` was asked to do; written to `config.yaml` in the run folder.

    `size` in pixels; `epochs` after `freeze_epochs` of the head alone; `base_lr` as in fine_tune;
    `valid_pct` the share of patients (or images) set aside; `threshold` the rule for the operating
    point; `population` says in words whose images these are.
    """

    data: str
    backbone: str = "efficientnet_lite0"
    weights: str | None = "auto"
    size: int = 160
    resize: str = "squish"
    epochs: int = 3
    freeze_epochs: int = 1
    base_lr: float = 2e-3
    batch_size: int = 64
    augment: bool = True
    class_weights: str | None = None
    label_smoothing: float = 0.0
    split: str = "patient"
    valid_pct: float = 0.2
    seed: int = 42
    threshold: str = "youden"
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

    def __post_init__(self) -> None:
        for name, low, high in (
            ("epochs", 0, 10_000),
            ("freeze_epochs", 0, 10_000),
            ("batch_size", 2, 65_536),
            ("seed", 0, 2**63 - 1),
        ):
            value = getattr(self, name)
            if not isinstance(value, int) or not low <= value <= high:
                raise UsageError(f"{name}={value!r} is not a whole number from {low} to {high}")
        if self.epochs + self.freeze_epochs == 0:
            raise UsageError("epochs=0 and freeze_epochs=0: nothing would be trained")
        if not 0 < self.valid_pct < 1:
            raise UsageError(f"valid_pct={self.valid_pct} is not between 0 and 1")
        if not 0 < self.base_lr < 10:
            raise UsageError(f"base_lr={self.base_lr} is not between 0 and 10")

    def to_yaml(self) -> str:
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> RunConfig:
        """Raises UsageError for a key that is not a setting, with the nearest one."""
        known = [field.name for field in fields(cls)]
        for key in values:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise UsageError(f"unknown setting {key!r}{hint} (known: {', '.join(known)})")
        columns = values.get("label_columns")
        return cls(**{**values, "label_columns": tuple(columns) if columns else None})

    @classmethod
    def read(cls, path: Path) -> RunConfig:
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            raise DataError(f"{path} is not valid YAML") from error
        if not isinstance(values, dict):
            raise DataError(f"{path} holds no settings")
        return cls.from_dict(values)
