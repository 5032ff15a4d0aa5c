"""MIMIC-CXR: tables of images, labels and splits above `files/p10/p10000032/s50414267/<id>.jpg`.

Source: Johnson et al., MIMIC-CXR-JPG, PhysioNet, doi:10.13026/8360-t248.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..._io import say
from ...config import ManifestOptions
from ...errors import ManifestError
from .base import LayoutTable
from .chexpert import CLASSES, with_classes, without_blanks
from .table import from_frame
from .table_file import read_frame

if TYPE_CHECKING:
    import pandas as pd

STUDY = ["subject_id", "study_id"]


def recognises(data: Path, options: ManifestOptions) -> bool:
    return _table(data, "metadata") is not None and _table(data, "chexpert") is not None


def read(data: Path, options: ManifestOptions) -> LayoutTable:
    """One row for each image of the studies that have labels; patients are written `p10000032`."""
    images, labels, split = (_table(data, name) for name in ("metadata", "chexpert", "split"))
    if images is None or labels is None:
        raise ManifestError(f"{data} lacks *-metadata.csv or *-chexpert.csv of MIMIC-CXR")
    frame = _columns(images, "dicom_id", *STUDY, "ViewPosition")
    of_studies = _columns(labels, *STUDY, *CLASSES).drop_duplicates(STUDY)
    n_images = len(frame)
    frame = frame.merge(of_studies, on=STUDY)
    if frame.empty:
        raise ManifestError(f"{labels} has labels for no study in {images.name}; fetch both again")
    if len(frame) < n_images:
        say(f"left out {n_images - len(frame):,} of {n_images:,} images: their study has no labels")
    if split is not None:
        of_images = _columns(split, "dicom_id", "split").drop_duplicates("dicom_id")
        frame = frame.merge(of_images, on="dicom_id", how="left")
    patient, study = "p" + frame["subject_id"], "s" + frame["study_id"]
    stem = "files/" + patient.str[:3] + "/" + patient + "/" + study + "/" + frame["dicom_id"]
    frame = frame.drop(columns=["dicom_id", *STUDY])
    frame = frame.assign(path=stem + _extension(data, stem.iloc[0]), patient=patient, study=study)
    return from_frame(without_blanks(frame), images, with_classes(frame, options))


def _columns(table: Path, *names: str) -> pd.DataFrame:
    frame = read_frame(table)
    missing = [name for name in names if name not in frame]
    if missing:
        raise ManifestError(f"{table} lacks the column {missing[0]!r} of MIMIC-CXR; fetch it again")
    return frame[list(names)]


def _table(data: Path, name: str) -> Path | None:
    tables = [*data.glob(f"mimic-cxr-*-{name}.csv"), *data.glob(f"mimic-cxr-*-{name}.csv.gz")]
    return tables[0] if tables else None


def _extension(data: Path, stem: str) -> str:
    """The set comes as JPEG and as DICOM."""
    return ".dcm" if (data / f"{stem}.dcm").is_file() else ".jpg"
