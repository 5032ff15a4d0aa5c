"""Settings of a run: typed, frozen, and strict about what they are given."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path, PurePath
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from .errors import DataError, UsageError

# What a setting of a few values may be: types, help and error messages all come from here.
Layout = Literal["auto", "table", "mimic", "chexpert", "nih", "splits", "classes"]
ResizeMethod = Literal["squish", "pad", "crop"]
FrameMode = Literal["lungs", "whole"]
Recipe = Literal["robust", "fine_tune"]
Strategy = Literal["auto", "full", "cached"]
SplitKind = Literal["patient", "random", "folders", "manifest"]
Device = Literal["auto", "cpu", "cuda", "mps"]  # or one of several GPUs, as cuda:1
Precision = Literal["auto", "fp32", "bf16"]
SkipQuarantined = Literal["errors", "all", "none"]
EngineKind = Literal["local", "ray"]

FRAME_COLUMNS = ("frame_x0", "frame_y0", "frame_x1", "frame_y1", "frame_score")
"""How tables call the first five numbers of `pixels.LungFrame.row`."""

WHOLE = {
    "size": (32, 2048),
    "epochs": (0, 10_000),
    "freeze_epochs": (0, 10_000),
    "batch_size": (2, 65_536),
    "seed": (0, 2**63 - 1),
}
AT_LEAST_0 = ("window", "label_smoothing")
BETWEEN = {"valid_pct": (0, 1), "base_lr": (0, 10)}


def require_one_of(name: str, value: object, kind: Any) -> None:
    """Raises UsageError unless `value` is one of the values of `kind`, a Literal."""
    if value not in get_args(kind):
        known = [str(one) for one in get_args(kind)]
        raise UsageError(f"{name} {value!r} is not one of {', '.join(known)}{_near(value, known)}")


def _near(value: object, known: Sequence[str]) -> str:
    """`; did you mean patient?`, or nothing where no name is near."""
    near = difflib.get_close_matches(str(value), known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


@dataclass(frozen=True)
class Setting:
    """How commands offer a setting of a run.

    panel: where it stands in the help of `cxr train`.
    help: what it means; the values of a Literal are added.
    unset: what happens without it, where its default does not say it.
    option: its name there, without dashes, where it is another.
    values: a Literal, for a setting that has other values, too.
    """

    panel: str
    help: str
    unset: str = ""
    option: str = ""
    values: Any = None


FOUND = "the usual names"


@dataclass(frozen=True)
class ManifestOptions:
    """How a folder or a table of images is read: what its columns and file names mean.

    layout: how the data set lies on the disk; "auto" finds out.
    label_column, label_columns, path_column, patient_column: columns of a table; without them
        they are found by the names that they usually have. Several label columns hold 1, 0, -1
        (uncertain, read as unknown) or nothing.
    patient_pattern: see `cxr.find.patients_of`; None looks for no patient in file names.
    image_root: the folder that a table's paths start from, if it is not the table's own.
    follow_links: whether links to folders, and to files outside, are followed.
    """

    layout: str = "auto"
    path_column: str | None = None
    label_column: str | None = None
    label_columns: Sequence[str] | None = None
    patient_column: str | None = None
    patient_pattern: str | None = "auto"
    image_root: Path | str | None = None
    follow_links: bool = False

    def __post_init__(self) -> None:
        columns = tuple(self.label_columns) if self.label_columns else None
        object.__setattr__(self, "label_columns", columns)

    @property
    def describes_a_table(self) -> bool:
        """Whether any of them means something for a table alone."""
        of_folders = ManifestOptions(self.layout, follow_links=self.follow_links)
        return replace(self, patient_pattern="auto") != of_folders


@dataclass(frozen=True)
class RunConfig:
    """What `cxr train` was asked to do; written to `config.yaml` in the run folder.

    `size` in pixels; `frame` says what the network sees of an image (the lungs, cut by a lung
    frame, or the whole); `recipe` (robust, or fine_tune as fast.ai does it) says how; `epochs`
    after `freeze_epochs` of the head alone; `strategy` (auto, full or cached) says how much of the
    body trains then; `base_lr` as in fine_tune; `valid_pct` the share of patients (or images) set
    aside; `window` how many shards training images are mixed from at once (0: all; None: all where
    they fit); `threshold` the rule for the operating point; `explain` whether the report shows heat
    maps and examples; `population` says in words whose images these are; `quarantine` is a list by
    `cxr check` of faulty files, of which `skip_quarantined` (errors, all or none) are left out.
    """

    data: str
    layout: Annotated[Layout, Setting("data", "How the images lie on the disk")] = "auto"
    label_column: Annotated[str | None, Setting("data", "Column of the label.", FOUND)] = None
    label_columns: Annotated[
        tuple[str, ...] | None,
        Setting("data", "Several columns of 1/0/blank, joined by commas.", "one label"),
    ] = None
    path_column: Annotated[str | None, Setting("data", "Column of the image path.", FOUND)] = None
    patient_column: Annotated[str | None, Setting("data", "Column of the patient.", FOUND)] = None
    patient_pattern: Annotated[
        str | None,
        Setting("data", "auto, a known pattern, or a regular expression with one group."),
    ] = "auto"
    image_root: Annotated[
        str | None, Setting("data", "Where a table's paths start.", "its folder")
    ] = None
    follow_links: Annotated[
        bool, Setting("data", "Take what links to folders, and to files elsewhere, lead to.")
    ] = False
    quarantine: Annotated[
        str | None,
        Setting("data", "List of faulty files by cxr check.", "check/quarantine.csv, if there"),
    ] = None
    skip_quarantined: Annotated[
        SkipQuarantined, Setting("data", "Files listed there to leave out")
    ] = "errors"
    split: Annotated[SplitKind, Setting("data", "How validation images are chosen")] = "patient"
    valid_pct: Annotated[
        float, Setting("data", "Share set aside for validation.", option="valid")
    ] = 0.2
    window: Annotated[
        int | None,
        Setting("data", "Shards that are mixed at once; 0: all of them.", "all that fit"),
    ] = None
    population: Annotated[
        str, Setting("data", "In words: whose images these are.", "not stated")
    ] = ""
    backbone: Annotated[
        str, Setting("model", "efficientnet_lite0, resnet18, resnet34, resnet50 or a timm name.")
    ] = "efficientnet_lite0"
    weights: Annotated[
        str | None, Setting("model", "auto, none, or a local .safetensors or .pth file.")
    ] = "auto"
    size: Annotated[int, Setting("model", "Side of the images in pixels.")] = 96
    resize: Annotated[ResizeMethod, Setting("model", "How they become square")] = "squish"
    frame: Annotated[FrameMode, Setting("model", "What the network sees of an image")] = "lungs"
    recipe: Annotated[
        Recipe, Setting("training", "For images of other machines, or as fast.ai does it")
    ] = "robust"
    epochs: Annotated[int, Setting("training", "Epochs with everything unfrozen.")] = 5
    freeze_epochs: Annotated[int, Setting("training", "Epochs of the head alone.")] = 1
    strategy: Annotated[
        Strategy, Setting("training", "What trains after the head; cached: the upper half")
    ] = "full"
    base_lr: Annotated[
        float, Setting("training", "Base learning rate, as in fine_tune.", option="lr")
    ] = 2e-3
    batch_size: Annotated[int, Setting("training", "Images in a batch.")] = 64
    augment: Annotated[bool, Setting("training", "Rotate, shift, zoom, change the light.")] = True
    class_weights: Annotated[
        str | None,
        Setting("training", "Each class counts the same in the loss.", option="balance"),
    ] = None
    label_smoothing: Annotated[
        float, Setting("training", "Probability kept back from the label, as 0.1.")
    ] = 0.0
    seed: Annotated[int, Setting("training", "Decides split, order, augmentation, head.")] = 42
    threshold: Annotated[
        str | None,
        Setting(
            "evaluation",
            "youden (default of two classes), sensitivity:0.95, specificity:0.9, cost:5 or "
            "cost:5@0.2; of several labels for each (default: 0.5).",
        ),
    ] = None
    explain: Annotated[
        bool,
        Setting("evaluation", "Heat maps, telling examples and their neighbours in the report."),
    ] = True
    device: Annotated[str, Setting("hardware", "What computes", values=Device)] = "auto"
    precision: Annotated[Precision, Setting("hardware", "Of the arithmetic")] = "auto"

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            value = getattr(self, name)
            if isinstance(value, PurePath):
                object.__setattr__(self, name, str(value))
            elif get_origin(hint) is Literal:
                require_one_of(name, value, hint)
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
        for name in AT_LEAST_0:
            if (getattr(self, name) or 0) < 0:
                raise UsageError(f"{name}={getattr(self, name)} is less than 0")
        if not self.device.startswith("cuda:"):
            require_one_of("device", self.device, Device)
        if self.epochs + self.freeze_epochs == 0:
            raise UsageError("epochs=0 and freeze_epochs=0: nothing would be trained")

    @property
    def manifest_options(self) -> ManifestOptions:
        return ManifestOptions(**{name: getattr(self, name) for name in _names(ManifestOptions)})

    def to_yaml(self) -> str:
        import yaml

        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> RunConfig:
        """Raises UsageError for a key that is not a setting, with the nearest, or no `data`."""
        known = _names(cls)
        for key in values:
            if key not in known:
                hint = _near(key, known)
                raise UsageError(f"unknown setting {key!r}{hint} (known: {', '.join(known)})")
        if "data" not in values:
            raise UsageError("the setting data is missing: where the images are")
        columns = values.get("label_columns")
        return cls(**{**values, "label_columns": tuple(columns) if columns else None})

    @classmethod
    def read(cls, path: Path) -> RunConfig:
        """Of a run. Raises DataError when the file holds no settings, UsageError as `from_dict`.

        A run without `frame` is of a version that always took whole images.
        """
        return cls.from_dict({"frame": "whole"} | read_settings(path))


def read_settings(path: Path) -> dict[str, Any]:
    """The settings that a YAML file gives, not yet checked. Raises DataError for another file."""
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is not valid YAML; write lines as: epochs: 5") from error
    if not isinstance(values, dict):
        raise DataError(f"{path} holds no settings; write lines as: epochs: 5")
    return values


def _names(kind: Any) -> list[str]:
    return [field.name for field in fields(kind)]


def _fits(value: object, hint: Any) -> bool:
    """Whether `value` is of the annotated type; True is no number, and 1 will do for 1.0."""
    kinds = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    allowed = {get_origin(kind) or kind for kind in kinds}
    return type(value) in allowed or (type(value) is int and float in allowed)
