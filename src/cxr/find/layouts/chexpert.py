"""CheXpert: `train.csv` and `valid.csv` beside `train/patient00001/study1/view1_frontal.jpg`.

Source: Irvin et al., CheXpert, AAAI 2019.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...config import ManifestOptions
from .base import SPLIT_NAMES, LayoutTable
from .table import from_frame
from .table_file import read_frame, read_header

if TYPE_CHECKING:
    import pandas as pd

SIDE = "Frontal/Lateral"
TABLES = ("train.csv", "valid.csv", "test.csv")
CLASSES = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Enlarged Cardiomediastinum",
    "Fracture",
    "Lung Lesion",
    "Lung Opacity",
    "No Finding",
    "Pleural Effusion",
    "Pleural Other",
    "Pneumonia",
    "Pneumothorax",
    "Support Devices",
)


def recognises(data: Path, options: ManifestOptions) -> bool:
    """Its folder, or one of its tables."""
    return any(SIDE in read_header(table) for table in _tables(data))


def read(data: Path, options: ManifestOptions) -> LayoutTable:
    """`view` is AP, PA, LL, RL, or LATERAL where only that is known."""
    import pandas as pd

    tables = _tables(data)
    frames = [read_frame(path).assign(split=SPLIT_NAMES[path.stem]) for path in tables]
    frame = pd.concat(frames, ignore_index=True)
    lateral = frame[SIDE].where(frame[SIDE] == "Lateral").str.upper()
    view = frame["AP/PA"].fillna(lateral) if "AP/PA" in frame else lateral
    frame = frame.drop(columns=["AP/PA"], errors="ignore").assign(view=view)
    return from_frame(without_blanks(frame), tables[0], with_classes(frame, options))


def without_blanks(frame: pd.DataFrame) -> pd.DataFrame:
    """A finding that the report does not mention (blank) counts as absent.

    In any other table a blank is unknown; here nothing would ever be absent otherwise.
    """
    present = [name for name in CLASSES if name in frame]
    return frame.assign(**{name: frame[name].fillna("0") for name in present})


def with_classes(frame: pd.DataFrame, options: ManifestOptions) -> ManifestOptions:
    """All classes of the set, unless the caller chose labels."""
    if options.label_column or options.label_columns:
        return options
    return replace(options, label_columns=tuple(name for name in CLASSES if name in frame))


def _tables(data: Path) -> list[Path]:
    tables = [data] if data.name in TABLES else [data / name for name in TABLES]
    return [table for table in tables if table.is_file()]
